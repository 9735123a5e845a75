#pragma once
// What a table is, changed without its rows: columns, properties, constraints.
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tables/change.h"

namespace sluice::tables {

// All of it is one commit, done in the order of the members. Columns of structs by dotted path ("address.zip"), those below lists and
// maps through "element", "key" and "value". Names compare case-insensitively.
struct AlterSpec {
  struct NewColumn {
    std::string path;
    contract::DataType type;
  };
  std::vector<std::string> drop_constraint;
  std::vector<std::string> unset;
  std::map<std::string, std::string> set;  // table properties; "delta.feature.NAME" asks for a feature
  std::vector<std::string> drop;
  std::vector<std::pair<std::string, std::string>> rename;         // path → the new name, without a path
  std::vector<std::pair<std::string, contract::DataType>> retype;  // to a wider type
  std::vector<NewColumn> add;                                      // NULL in every row there is
  std::vector<std::string> nullable, not_null;
  std::vector<std::pair<std::string, std::string>> comment;
  std::optional<std::string> description;                           // of the table
  std::vector<std::pair<std::string, std::string>> add_constraint;  // name → condition, in Spark's SQL
};

// Dropping and renaming need column mapping, which is enabled by name where the table has none: older readers cannot read it then. A wider
// type needs type widening: enabled where the target's readers may be asked for it (TableTarget::deletion_vectors), else
// "needs-type-widening". NOT NULL and constraints are held against the rows first. Empty where nothing is to be changed.
// Errors, kUser: "unknown-column", "duplicate-column", "bad-column", "column-in-use" (partitioning, constraints and generated columns),
// "not-a-widening", "bad-property", "duplicate-constraint", "no-such-constraint"; kData "null-value" and "check-constraint" with a row;
// kUnsupported "unsupported-feature", "unsupported-constraint", "transaction-retention".
Result<StagedChange> StageAlter(const TableTarget& target, engines::Connection& connection, const AlterSpec& spec,
                                const StageOptions& options);

// Sets or (nullopt) unsets one property of a table. Errors: "bad-property" for a value or a name that is none of Delta's, and for one that
// says what only this file's other ways may say; those of StageAlter for features.
Status SetProperty(const std::string& key, const std::optional<std::string>& value, const delta::Snapshot& before,
                   std::map<std::string, std::string>* configuration);

}  // namespace sluice::tables
