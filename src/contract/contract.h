#pragma once
// What a source's rows must be (design section 2). A value; decoded from YAML by `project`, checked by `ingest`.
#include <optional>
#include <string>
#include <vector>

#include "contract/type.h"
#include "core/error.h"

namespace sluice::contract {

enum class OnFail { kBlock, kWarn, kQuarantine };
enum class OnViolation { kQuarantine, kFail };
enum class OnNewColumn { kEvolve, kFreeze, kQuarantine };  // add it | ignore it | quarantine rows that have it
enum class OnMissingColumn { kFail, kNull };
enum class OnTypeChange { kQuarantine, kWiden, kFail };

// What numbers are written with: 1.234,56 has the decimal "," and the thousands ".".
struct NumberStyle {
  std::string decimal = ".", thousands;
  bool plain() const { return decimal == "." && thousands.empty(); }
};
struct GivenStyle {  // as far as it is said
  std::optional<std::string> decimal, thousands;
};

struct ColumnContract {
  std::string name;
  std::string from;  // the field's name in the file, where it differs
  DataType type;
  bool not_null = false;
  std::optional<std::string> pattern;             // RE2, full match
  std::optional<std::string> min, max;            // literals of the column's type, inclusive
  std::optional<int64_t> min_length, max_length;  // characters (strings), bytes (binary), items (lists)
  std::vector<std::string> values;                // allowed literals
  OnFail on_fail = OnFail::kQuarantine;
  std::string rule_where;                               // SQL predicate: the rules hold only for rows where it is true
  std::vector<std::string> formats;                     // strptime formats of dates and timestamps, tried in order; empty: ISO 8601
  std::optional<std::string> zone;                      // IANA zone of a text timestamp without one
  GivenStyle numbers;                                   // else the contract's
  std::optional<std::vector<std::string>> null_tokens;  // else the contract's
  std::optional<bool> trim;                             // else the contract's
  std::optional<std::string> default_value;             // literal used where the field is NULL or absent
  std::string pii;
  std::string description;
  Location where;
};

// A custom rule over the row: rows where the predicate is FALSE violate it (NULL passes, as in SQL CHECK).
struct SqlRule {
  std::string name;
  std::string predicate;
  OnFail on_fail = OnFail::kQuarantine;
  std::string description;
  Location where;
};

struct MaxQuarantined {
  double share = 1.0;           // 0.05 = 5%
  int64_t min_rows = 0;         // with fewer records than this in the batch the share is ignored
  std::optional<int64_t> rows;  // absolute ceiling
};

struct Contract {
  bool declared = false;  // false: no contract in the project, types are detected then frozen
  std::vector<ColumnContract> columns;
  std::vector<SqlRule> rules;
  OnViolation on_violation = OnViolation::kQuarantine;
  OnNewColumn on_new_column = OnNewColumn::kEvolve;
  OnMissingColumn on_missing_column = OnMissingColumn::kFail;
  OnTypeChange on_type_change = OnTypeChange::kQuarantine;
  MaxQuarantined max_quarantined;
  std::vector<std::string> null_tokens = {""};  // unquoted fields equal to one of these are NULL
  bool trim = false;
  GivenStyle numbers;               // else 1234.56
  std::string zone;                 // default for text timestamps without a zone; "" = none, an error asks for one
  std::vector<std::string> unique;  // key columns that must be unique within a batch
  Location where;

  Schema ToSchema() const;  // the contract columns, nullable unless not_null with on_fail quarantine/block
};

// One reason why a record was refused.
struct Violation {
  int64_t row = 0;     // index in its batch
  std::string column;  // empty: of the whole record
  std::string
      rule;  // "not_null", "type", "pattern", "min", "max", "length", "values", "unique", "sql:NAME", "fields", "encoding", "new_column"
  std::string value;  // the offending text, cut at 200 bytes
  std::string message;
  bool warn = false;  // on_fail: warn; the row is kept
};

}  // namespace sluice::contract
