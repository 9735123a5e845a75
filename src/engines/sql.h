#pragma once
// Syntax trees of the project's SQL: parsed once by DuckDB (json_serialize_sql), then only trees are handled: references found,
// macros expanded, tables replaced, canonical text printed (json_deserialize_sql). Positions are kept for messages.
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "contract/type.h"
#include "core/result.h"
#include "engines/duckdb.h"

namespace sluice::engines {

enum class UseMode {
  kWhole,     // bronze.orders
  kNew,       // new(bronze.orders)
  kChanges,   // changes(bronze.orders)
  kThis,      // this
  kBatch,     // batch
};

struct TableUse {
  UseMode mode = UseMode::kWhole;
  std::string schema, name;              // "bronze", "orders"; empty for this and batch
  Location where;
  std::string id() const;                // "bronze.orders", "new(bronze.orders)", "this", "batch": the key of bindings
};

// A parsed SELECT of the project. Immutable; cheap to copy.
class SqlTree {
 public:
  const std::vector<TableUse>& uses() const;             // each distinct use, in order of appearance (CTE names excluded)
  const std::vector<std::string>& parameters() const;    // $names
  const std::string& file() const;
  std::string fingerprint() const;                       // equal for texts whose trees are equal (comments and layout aside)
  std::string CanonicalSql() const;
  const nlohmann::json& json() const;

  struct Impl;
  std::shared_ptr<const Impl> impl;
};

struct MacroSource {
  std::string sql;                                       // create [or replace] macro f(x, y := 1) as EXPR | as table SELECT
  Location where;
};
class Macros;                                            // parsed macros, expanded in trees

// The parser keeps one connection of its own. Thread-safe by an inner lock.
class SqlFrontend {
 public:
  static Result<std::unique_ptr<SqlFrontend>> Open(DuckDb& db);
  virtual ~SqlFrontend() = default;

  // Errors: "bad-macro", duplicates.
  virtual Status AddMacros(const std::vector<MacroSource>& macros) = 0;

  // Parses one SELECT (WITH allowed), expands macros, resolves which names are tables. Errors, all with file:line:col:
  // "sql-syntax", "not-a-select" (several statements, DDL), "untracked-read" (read_csv(…), file paths, ATTACH, http), "nondeterministic"
  // (random(), uuid(), …), "unknown-function-of-tables", "aggregate-over-new" with its hint. `layers`: schema names of the project plus
  // "seed", "quarantine"; a bare name that is no CTE, this or batch is "unqualified-table" with a hint. now(), current_date, … become
  // the parameters $run_started_at and $run_date. Warnings (window without total order) go to `warnings`.
  virtual Result<SqlTree> ParseModel(const std::string& sql, const std::string& file, const std::vector<std::string>& schemas,
                                     std::vector<Error>* warnings) = 0;
  // A boolean or scalar expression over columns (delete_when, where, contract rules). `origin` places errors: the position of
  // the text inside its YAML file.
  virtual Result<std::string> ParseExpression(const std::string& sql, const Location& origin) = 0;

  // The schema that `tree` gives, bound against empty tables of the given schemas (no data is read), normalised (design section 4).
  // `inputs`: TableUse::id() → the table's columns; metadata columns are known but not part of *. Errors with file:line:col:
  // "unknown-table" (all of them), else the binder's first error as "unknown-column" (with suggestion), "type-mismatch", "ambiguous-column",
  // "unknown-function", "sql-bind"; result types that must be cast: "untyped-null", "unsupported-type"; "duplicate-column".
  virtual Result<contract::Schema> Bind(const SqlTree& tree, const std::map<std::string, contract::Schema>& inputs,
                                        const std::vector<Parameter>& params) = 0;

  // The SQL to run: each use replaced by its relation (text for FROM: a quoted view name or a parenthesised SELECT); stars exclude
  // metadata columns of direct inputs; parameters stay $names.
  virtual Result<std::string> Lower(const SqlTree& tree, const std::map<std::string, std::string>& relations,
                                    const std::map<std::string, contract::Schema>& inputs) = 0;

  // `SELECT casts FROM (sql)`: every column cast to `schema` (checked: an overflow is an error, never a wrap), in its order.
  virtual std::string CastTo(const std::string& sql, const contract::Schema& schema) = 0;
};

// Normalisation of one DuckDB type name (design section 4): "HUGEINT" → bigint, "UUID" → string …; errors "untyped-null",
// "unsupported-type".
Result<contract::DataType> NormaliseType(const std::string& duckdb_type);

}  // namespace sluice::engines
