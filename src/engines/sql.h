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
  kWhole,    // bronze.orders
  kNew,      // new(bronze.orders)
  kChanges,  // changes(bronze.orders)
  kThis,     // this
  kBatch,    // batch
  kPlace,    // delta_scan('path'): a Delta table by where it lies, in a person's query only
};

struct TableUse {
  UseMode mode = UseMode::kWhole;
  std::string schema, name;  // "bronze", "orders"; empty for this and batch; name is the path of a kPlace
  Location where;
  std::string at;          // as of which version ("3") or time ("2024-01-31"), in a person's query only; "" the newest
  std::string id() const;  // "bronze.orders", "new(bronze.orders)", "this", "batch": the key of bindings
};

// A parsed SELECT of the project. Immutable; cheap to copy.
class SqlTree {
 public:
  const std::vector<TableUse>& uses() const;           // each distinct use, in order of appearance (CTE names excluded)
  const std::vector<std::string>& parameters() const;  // $names
  const std::string& file() const;
  std::string fingerprint() const;   // equal for texts whose trees are equal (comments and layout aside)
  std::string CanonicalSql() const;  // macros expanded; new(t), this, … stand. The source text where the printer refuses
  const nlohmann::json& json() const;

  struct Impl;
  std::shared_ptr<const Impl> impl;
};

struct MacroSource {
  std::string sql;  // create [or replace] macro f(x, y := 1) as EXPR | as table SELECT
  Location where;
};
class Macros;  // parsed macros, expanded in trees

struct BindOptions {
  bool named_output = true;  // the result is stored: every column has a name of its own that Delta allows
};

// The parser keeps one connection of its own. Thread-safe by an inner lock.
class SqlFrontend {
 public:
  static Result<std::unique_ptr<SqlFrontend>> Open(DuckDb& db);
  virtual ~SqlFrontend() = default;

  // Errors: "bad-macro", duplicates.
  virtual Status AddMacros(const std::vector<MacroSource>& macros) = 0;

  // Parses one SELECT (WITH allowed), expands macros, resolves which names are tables. Errors, all with file:line:col:
  // "sql-syntax", "not-a-select" (several statements, DDL), "untracked-read" (read_csv(…), file paths, ATTACH, http), "nondeterministic"
  // (random(), uuid(), samples …), "unknown-function-of-tables", "aggregate-over-new" with its hint, "bad-table-use", "bad-macro-call",
  // "sql-unsupported". All of a text but syntax errors come at once (Error::more). `schemas`: schema names of the project plus "seed",
  // "quarantine"; another one is "unknown-table"; a bare name that is no CTE, this or batch is "unqualified-table" with a hint. now(),
  // current_date, … become the parameters $run_started_at and $run_date. Warnings ("window-order", "limit-order", "aggregate-order":
  // rows that may differ from run to run) go to `warnings`, which may be null.
  virtual Result<SqlTree> ParseModel(const std::string& sql, const std::string& file, const std::vector<std::string>& schemas,
                                     std::vector<Error>* warnings) = 0;
  // The same for what a person asks once, which may also read delta_scan('path') and older versions of tables: what it read needs no
  // telling later.
  virtual Result<SqlTree> ParseQuery(const std::string& sql, const std::vector<std::string>& schemas) = 0;
  // A boolean or scalar expression over columns (delete_when, where, contract rules). `origin` places errors: the position of
  // the text inside its YAML file. Gives canonical text. Error "not-an-expression" for more than an expression.
  virtual Result<std::string> ParseExpression(const std::string& sql, const Location& origin) = 0;

  // The type of such an expression over a table's columns; errors as Bind's.
  virtual Result<contract::DataType> BindExpression(const std::string& sql, const Location& origin, const contract::Schema& schema,
                                                    const std::vector<Parameter>& params) = 0;

  // The schema that `tree` gives, bound against empty tables of the given schemas (no data is read), normalised (design section 4).
  // `inputs`: TableUse::id() → the table's columns; metadata columns are known but not part of *. Errors with file:line:col:
  // "unknown-table" (all of them), "unknown-parameter" (all), else the binder's first error as "unknown-column" (with suggestion),
  // "unknown-alias", "type-mismatch", "ambiguous-column", "not-grouped", "unknown-function", "unknown-type", "sql-bind"; then all of the
  // result's: "untyped-null", "unsupported-type", "unnamed-column", "duplicate-column". Costs some milliseconds: with the same
  // fingerprint, inputs and parameter types the schema is the same.
  virtual Result<contract::Schema> Bind(const SqlTree& tree, const std::map<std::string, contract::Schema>& inputs,
                                        const std::vector<Parameter>& params, const BindOptions& options = {}) = 0;

  // The SQL to run: each use replaced by its relation (text for FROM: a quoted view name or a parenthesised SELECT); stars exclude
  // metadata columns of direct inputs; parameters stay $names. A relation's text must not depend on names that the model's WITH may take.
  // `known_rows`: TableUse::id() → rows of the relation, where they are known: a SELECT of its count(*) alone does not read it.
  virtual Result<std::string> Lower(const SqlTree& tree, const std::map<std::string, std::string>& relations,
                                    const std::map<std::string, contract::Schema>& inputs,
                                    const std::map<std::string, int64_t>& known_rows = {}) = 0;

  // engines::CastTo.
  std::string CastTo(const std::string& sql, const contract::Schema& schema);
};

// `SELECT casts FROM (sql)`: every column cast to `schema` (checked: an overflow is an error, never a wrap), in its order.
std::string CastTo(const std::string& sql, const contract::Schema& schema);

// Normalisation of one DuckDB type name (design section 4): "HUGEINT" → bigint, "UUID" → string …; errors "untyped-null",
// "unsupported-type".
Result<contract::DataType> NormaliseType(const std::string& duckdb_type);

}  // namespace sluice::engines
