#include "tables/alter.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "delta/features.h"
#include "delta/json_text.h"
#include "delta/type_widening.h"
#include "tables/alter_columns.h"
#include "tables/constraints.h"
#include "tables/table_plan.h"

namespace sluice::tables {
namespace {

using contract::Field;
using contract::TypeKind;

constexpr const char *kMappingMode = "delta.columnMapping.mode", *kTypeWidening = "delta.enableTypeWidening",
                     *kTimestamps = "delta.enableInCommitTimestamps";

// Files that are there have the columns under the names that these have now.
void KeepNames(std::vector<Field>* fields) {
  for (Field& field : *fields) {
    field.metadata["delta.columnMapping.physicalName"] = nlohmann::json(field.name).dump();
    for (Field& child : field.type.children) {
      if (field.type.kind == TypeKind::kStruct) continue;
      KeepNames(&child.type.children);
    }
    if (field.type.kind == TypeKind::kStruct) KeepNames(&field.type.children);
  }
}

class Alter {
 public:
  Alter(const TableTarget& target, engines::Connection& connection, const AlterSpec& spec, const StageOptions& options)
      : target_(target), connection_(connection), spec_(spec), options_(options), before_(*target.snapshot) {}

  Result<StagedChange> Stage() {
    SLUICE_TRY(plan_, PlanUnchanged(target_));
    metadata_ = before_.metadata;
    asked_ = metadata_.configuration;
    SLUICE_CHECK(DropConstraints());
    SLUICE_CHECK(ChangeProperties());
    SLUICE_CHECK(EnableMapping());
    SLUICE_CHECK(ChangeColumns());
    SLUICE_CHECK(EnableWidening());
    SLUICE_CHECK(ChangeNullability());
    for (const auto& [name, condition] : spec_.add_constraint) SLUICE_CHECK(AddConstraint(name, condition));
    if (spec_.description) metadata_.description = *spec_.description;
    return Finish();
  }

 private:
  // ---- properties; asked_ has "delta.feature.…" too

  Status ChangeProperties() {
    for (const std::string& key : spec_.unset) SLUICE_CHECK(SetProperty(key, std::nullopt, before_, &asked_));
    for (const auto& [key, value] : spec_.set) SLUICE_CHECK(SetProperty(key, value, before_, &asked_));
    const bool timestamps = IsOn(kTimestamps), had = delta::IsEnabled(before_.metadata, kTimestamps);
    if (timestamps && !had) {  // PROTOCOL.md, "In-Commit Timestamps": where they begin stands in the properties
      const int64_t now = ClockOf(options_).Now().millis();
      asked_["delta.inCommitTimestampEnablementVersion"] = std::to_string(before_.version + 1);
      asked_["delta.inCommitTimestampEnablementTimestamp"] = std::to_string(std::max(now, before_.timestamp + 1));
    } else if (!timestamps) {
      asked_.erase("delta.inCommitTimestampEnablementVersion");
      asked_.erase("delta.inCommitTimestampEnablementTimestamp");
    }
    return Ok();
  }

  bool IsOn(const std::string& key) const {
    const auto at = asked_.find(key);
    return at != asked_.end() && EqualsIgnoreCase(at->second, "true");
  }

  Status EnableMapping() {
    const bool has = delta::ColumnMappingOf(before_.protocol, before_.metadata) != delta::ColumnMapping::kNone;
    if (has) return Ok();
    if (!spec_.drop.empty() || !spec_.rename.empty()) asked_[kMappingMode] = "name";
    if (Mapping() == delta::ColumnMapping::kNone) return Ok();
    KeepNames(&plan_.schema.fields);
    delta::AssignColumnIds(&plan_.schema, &asked_);
    return Ok();
  }

  // ---- columns

  Status ChangeColumns() {
    ColumnChanges columns(target_, asked_, Mapping() != delta::ColumnMapping::kNone, &plan_.schema, &plan_.partition_columns);
    for (const std::string& path : spec_.drop) SLUICE_CHECK(columns.Drop(path));
    for (const auto& [path, name] : spec_.rename) SLUICE_CHECK(columns.Rename(path, name));
    const contract::Schema narrow = plan_.schema;
    for (const auto& [path, type] : spec_.retype) SLUICE_CHECK(columns.Retype(path, type));
    widens_ = !(narrow == plan_.schema);
    delta::RecordTypeChanges(narrow, &plan_.schema);
    for (const auto& column : spec_.add) SLUICE_CHECK(columns.Add(column));
    for (const auto& [path, text] : spec_.comment) SLUICE_CHECK(columns.Comment(path, text));
    if (Mapping() != delta::ColumnMapping::kNone) delta::AssignColumnIds(&plan_.schema, &asked_);
    return Ok();
  }

  Status EnableWidening() {
    if (!widens_ || IsOn(kTypeWidening)) return Ok();
    if (!target_.deletion_vectors || spec_.set.contains(kTypeWidening))
      return Fail(
          UserError("needs-type-widening", fmt::format("{}: a column can be widened under its rows only with type widening, which all "
                                                       "readers of the table must know then",
                                                       target_.name))
              .Hint(fmt::format("if they do: --set {}=true", kTypeWidening)));
    asked_[kTypeWidening] = "true";
    return Ok();
  }

  // ---- what rows must fulfil

  Status ChangeNullability() {
    for (const std::string& path : spec_.nullable) {
      SLUICE_TRY(const ColumnPlace place, FindColumn(&plan_.schema, path));
      place.field().nullable = true;
    }
    for (const std::string& path : spec_.not_null) SLUICE_CHECK(ForbidNull(path));
    return Ok();
  }

  Status ForbidNull(const std::string& path) {
    SLUICE_TRY(const ColumnPlace place, FindColumn(&plan_.schema, path));
    if (!place.field().nullable) return Ok();
    std::string column, above = "true";
    for (const Field* field : place.above) {
      if (field->type.kind != TypeKind::kStruct)
        return Fail(
            UserError("bad-column", fmt::format("{}: \"{}\" lies below a list or map, where NOT NULL cannot be set", target_.name, path)));
      column += (column.empty() ? "" : ".") + QuoteIdentifier(field->name);
      above = column + " IS NOT NULL";
    }
    column += (column.empty() ? "" : ".") + QuoteIdentifier(place.field().name);
    SLUICE_TRY(const std::string rows, Rows());
    SLUICE_TRY(const auto example, Example(rows, fmt::format("{} IS NULL AND {}", column, above)));
    if (example)
      return Fail(DataError("null-value", fmt::format("{}: {} {} NULL in \"{}\"; for instance {}", target_.name, example->rows,
                                                      example->rows == "1" ? "row has" : "rows have", path, example->row))
                      .Hint("give them a value first: sluice table update"));
    place.field().nullable = false;
    return Ok();
  }

  Status DropConstraints() {
    for (const std::string& name : spec_.drop_constraint) {
      std::vector<std::string> names;
      std::string found;
      for (const auto& [key, value] : asked_) {
        if (!key.starts_with(kConstraint)) continue;
        names.push_back(key.substr(kConstraint.size()));
        if (EqualsIgnoreCase(names.back(), name)) found = key;
      }
      if (found.empty())
        return Fail(UserError("no-such-constraint", fmt::format("{} has no constraint {}{}", target_.name, name, DidYouMean(name, names)))
                        .Hint(names.empty() ? "it has none" : "it has " + Join(names, ", ")));
      asked_.erase(found);
    }
    return Ok();
  }

  Status AddConstraint(const std::string& name, const std::string& condition) {
    const std::string key = std::string(kConstraint) + ToLower(name);  // as Spark writes it
    if (name.empty() || name.find_first_of(" .=") != std::string::npos)
      return Fail(UserError("bad-property", fmt::format("\"{}\" is no name of a constraint", name)).Hint("as positive_amount"));
    for (const auto& [other, value] : asked_)
      if (EqualsIgnoreCase(other, key))
        return Fail(UserError("duplicate-constraint", fmt::format("{} has a constraint {}: {}", target_.name, name, value))
                        .Hint("drop it first: --drop-constraint " + name));
    SLUICE_TRY(const std::string rows, Rows());
    const auto translated = ConditionInDuckDb({name, condition}, plan_.schema);
    if (!translated) {  // whatever else is wrong with it, a column that is not there is the reason to name
      const auto direct = connection_.Describe(fmt::format("SELECT ({}) FROM {}", condition, rows));
      Error error = direct ? translated.error() : BadCondition(name, condition, direct.error().message);
      return Fail(error.code == "unknown-column" ? std::move(error) : translated.error());
    }
    const std::string& sql = *translated;
    const auto bound = connection_.Describe(fmt::format("SELECT ({}) FROM {}", sql, rows));
    if (!bound || bound->front().duckdb_type != "BOOLEAN")
      return Fail(bound ? UserError("bad-expression", fmt::format("constraint {}: \"{}\" is no condition", name, condition))
                        : BadCondition(name, condition, bound.error().message));
    SLUICE_TRY(const auto example, Example(rows, fmt::format("({}) IS NOT TRUE", sql)));
    if (example)
      return Fail(
          DataError("check-constraint", fmt::format("{}: {} {} the constraint {}: {}; for instance {}", target_.name, example->rows,
                                                    example->rows == "1" ? "row breaks" : "rows break", name, condition, example->row))
              .Hint("mend them first: sluice table update, sluice table delete"));
    asked_[key] = condition;
    return Ok();
  }

  // DuckDB's message names more than the condition: its first line is of that.
  Error BadCondition(const std::string& name, const std::string& condition, const std::string& message) const {
    std::string line = message.substr(0, message.find('\n'));
    if (const size_t kind = line.find("Error: "); kind != std::string::npos) line = line.substr(kind + 7);
    constexpr std::string_view kUnknown = "Referenced column \"";
    const size_t at = line.find(kUnknown);
    if (at == std::string::npos)
      return UserError("bad-expression", fmt::format("constraint {}: \"{}\" cannot be evaluated: {}", name, condition, line));
    const size_t from = at + kUnknown.size();
    const std::string column = line.substr(from, line.find('"', from) - from);
    const auto known = plan_.schema.Names();
    return UserError("unknown-column",
                     fmt::format("constraint {}: \"{}\": there is no column \"{}\"{}", name, condition, column, DidYouMean(column, known)))
        .Hint("texts stand in single quotes; the columns are " + Join(known, ", "));
  }

  // The table's rows under its new columns.
  Result<std::string> Rows() {
    std::vector<const delta::Add*> files;
    for (const delta::Add& add : before_.files) files.push_back(&add);
    reads_rows_ = true;
    SLUICE_TRY(Scan scan, ScanFiles(*target_.store, target_.root, {plan_.schema, plan_.partition_columns, Mapping(), std::move(files)}));
    return std::move(scan.sql);
  }

  // As the table will have it.
  delta::ColumnMapping Mapping() const {
    const auto now = delta::ColumnMappingOf(before_.protocol, before_.metadata);
    const auto mode = asked_.find(kMappingMode);
    const bool begins = mode != asked_.end() && EqualsIgnoreCase(mode->second, "name");
    return now == delta::ColumnMapping::kNone && begins ? delta::ColumnMapping::kName : now;
  }

  struct Found {
    std::string rows, row;  // how many, and one of them
  };
  Result<std::optional<Found>> Example(const std::string& rows, const std::string& condition) {
    SLUICE_TRY(const auto count, connection_.Scalar(fmt::format("SELECT count(*) FROM {} WHERE {}", rows, condition)));
    if (count.value_or("0") == "0") return std::optional<Found>();
    SLUICE_TRY(const auto row,
               connection_.Scalar(fmt::format("SELECT CAST(to_json(r) AS VARCHAR) FROM {} AS r WHERE {} LIMIT 1", rows, condition)));
    return std::optional(Found{*count, row.value_or("?")});
  }

  // ---- the commit

  // The change data feed has columns of its own beside the table's.
  Status CheckFeedColumns() const {
    if (!IsOn("delta.enableChangeDataFeed")) return Ok();
    const bool had = delta::IsEnabled(before_.metadata, "delta.enableChangeDataFeed");
    for (const char* name : {"_change_type", "_commit_version", "_commit_timestamp"}) {
      if (plan_.schema.Find(name) == nullptr || (had && before_.schema.Find(name) != nullptr)) continue;
      return Fail(
          UserError("reserved-column", fmt::format("{}: the change data feed has a column {} of its own, and the table would have one, "
                                                   "too",
                                                   target_.name, name))
              .Hint("name the table's another way: --rename-column, or leave the feed off"));
    }
    return Ok();
  }

  Result<StagedChange> Finish() {
    SLUICE_CHECK(CheckFeedColumns());
    SLUICE_TRY(delta::Protocol protocol, delta::ProtocolFor(plan_.schema, asked_, before_.protocol));
    metadata_.configuration = delta::StoredProperties(asked_);
    if (!(plan_.schema == before_.schema)) metadata_.schema_string = delta::ToSchemaString(plan_.schema);
    metadata_.partition_columns = plan_.partition_columns;
    SLUICE_TRY(plan_.rules, CheckedRules(protocol));
    if (!(protocol == before_.protocol)) plan_.protocol = std::move(protocol);
    if (!(metadata_ == before_.metadata)) plan_.metadata = metadata_;
    if (!plan_.protocol && !plan_.metadata) return NoChange(plan_, {});
    if (!plan_.metadata) plan_.metadata = metadata_;
    CommitParts parts;
    parts.reads = reads_rows_ ? delta::ReadScope::kWholeTable : delta::ReadScope::kNothing;
    parts.operation = Operation();
    if (!spec_.set.empty()) parts.parameters = {{"properties", delta::JsonString(nlohmann::json(spec_.set).dump())}};
    return MakeChange(target_, std::move(plan_), std::move(parts), options_);
  }

  // Nobody is left with a table that Sluice itself could not write.
  Result<FileRules> CheckedRules(const delta::Protocol& protocol) {
    SLUICE_CHECK(delta::CheckWritable(protocol, metadata_));
    return RulesOf(protocol, metadata_, &plan_.schema);
  }

  // As Spark names it, where it is one thing.
  std::string Operation() const {
    std::vector<std::string> kinds;
    const auto note = [&](bool is, const char* name) {
      if (is && (kinds.empty() || kinds.back() != name)) kinds.emplace_back(name);
    };
    note(!spec_.drop.empty(), "DROP COLUMNS");
    note(!spec_.rename.empty(), "RENAME COLUMN");
    note(!spec_.add.empty(), "ADD COLUMNS");
    note(!spec_.retype.empty() || !spec_.nullable.empty() || !spec_.not_null.empty() || !spec_.comment.empty(), "CHANGE COLUMN");
    note(!spec_.unset.empty(), "UNSET TBLPROPERTIES");
    note(!spec_.set.empty() || spec_.description, "SET TBLPROPERTIES");
    note(!spec_.drop_constraint.empty(), "DROP CONSTRAINT");
    note(!spec_.add_constraint.empty(), "ADD CONSTRAINT");
    return kinds.size() == 1 ? kinds.front() : "ALTER TABLE";
  }

  static constexpr std::string_view kConstraint = "delta.constraints.";

  const TableTarget& target_;
  engines::Connection& connection_;
  const AlterSpec& spec_;
  const StageOptions& options_;
  const delta::Snapshot& before_;
  TablePlan plan_;
  delta::Metadata metadata_;
  std::map<std::string, std::string> asked_;
  bool widens_ = false, reads_rows_ = false;
};

}  // namespace

Result<StagedChange> StageAlter(const TableTarget& target, engines::Connection& connection, const AlterSpec& spec,
                                const StageOptions& options) {
  if (!target.snapshot) return Fail(BugError(fmt::format("{}: there is no table to alter", target.name)));
  return Alter(target, connection, spec, options).Stage();
}

}  // namespace sluice::tables
