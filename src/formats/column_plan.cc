#include "formats/column_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "formats/reader.h"

namespace sluice::formats {
namespace {

using contract::ColumnContract;

int Position(const std::vector<std::string>& names, std::string_view wanted) {
  const auto found =
      std::find_if(names.begin(), names.end(), [&](const std::string& name) { return EqualsIgnoreCase(Trim(name), wanted); });
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

int PositionOf(const ColumnContract& column, const std::vector<std::string>& names) {
  if (column.from.empty()) return Position(names, column.name);
  const int by_from = Position(names, Trim(column.from));
  return by_from >= 0 ? by_from : Position(names, column.name);
}

Status RefuseDuplicates(const ColumnPlan& plan, const std::string& key, const std::vector<std::string>& names) {
  for (const ColumnPlan::Column& column : plan.columns) {
    if (column.file_column < 0) continue;
    const std::string& name = names[static_cast<size_t>(column.file_column)];
    const auto same = [&](const std::string& other) { return EqualsIgnoreCase(Trim(other), Trim(name)); };
    if (std::count_if(names.begin(), names.end(), same) > 1) {
      return Fail(DataError("duplicate-header", fmt::format("{} has several fields named \"{}\"", key, Trim(name)))
                      .Hint("which one is meant cannot be known: rename one of them in the file, or skip its header and name the fields: "
                            "header: false, skip: 1"));
    }
  }
  return Ok();
}

Status RefuseMissing(const ColumnPlan& plan, const std::string& key, const std::vector<std::string>& names) {
  std::string missing;
  size_t count = 0;
  for (const ColumnPlan::Column& column : plan.columns) {
    if (column.file_column >= 0 || column.contract_column < 0) continue;
    missing += fmt::format("{}\"{}\"", count++ == 0 ? "" : ", ", column.field.name);
  }
  if (count == 0) return Ok();
  return Fail(DataError("missing-column", fmt::format("{} lacks {} {} of the contract; it has {}", key,
                                                      count == 1 ? "the column" : "the columns", missing, Join(names, ", ")))
                  .Hint("on_missing_column: null accepts such files; from: names a field that is called otherwise"));
}

}  // namespace

Result<ColumnPlan> PlanColumns(const ReadRequest& request, const std::vector<std::string>& file_names, bool header) {
  ColumnPlan plan;
  plan.file_names = file_names;
  std::vector<bool> used(file_names.size(), false);
  const contract::Schema schema = request.schema();
  const size_t contracted = request.contract->columns.size();
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    ColumnPlan::Column column{schema.fields[i], i < contracted ? static_cast<int>(i) : -1, -1};
    if (!header)
      column.file_column = i < file_names.size() ? static_cast<int>(i) : -1;
    else if (i < contracted)
      column.file_column = PositionOf(request.contract->columns[i], file_names);
    else
      column.file_column = Position(file_names, column.field.name);
    if (column.file_column >= 0) used[static_cast<size_t>(column.file_column)] = true;
    plan.columns.push_back(std::move(column));
  }
  if (header) SLUICE_CHECK(RefuseDuplicates(plan, request.key, file_names));
  if (request.contract->on_missing_column == contract::OnMissingColumn::kFail) SLUICE_CHECK(RefuseMissing(plan, request.key, file_names));
  const bool quarantine = request.contract->on_new_column == contract::OnNewColumn::kQuarantine;
  for (size_t i = 0; i < used.size(); ++i) {
    const bool unnamed = Trim(file_names[i]).empty() && request.contract->on_new_column != contract::OnNewColumn::kFreeze;
    if (!used[i]) (quarantine || unnamed ? plan.refused : plan.ignored).push_back(static_cast<int>(i));
  }
  return plan;
}

Result<contract::TextDecoder> DecoderOf(const ReadRequest& request, const ColumnPlan::Column& column) {
  const contract::Contract& contract = *request.contract;
  if (column.field.type.is_nested())
    return Fail(UserError("nested-in-text", fmt::format("column \"{}\" is a {}, which a field of text cannot hold", column.field.name,
                                                        column.field.type.ToString()))
                    .Hint("use NDJSON or Parquet for nested columns"));
  if (column.contract_column < 0) return contract::TextDecoder::Make(column.field.type, {}, contract.zone, contract.where);
  return contract::TextDecoder::ForColumn(contract.columns[static_cast<size_t>(column.contract_column)], contract);
}

std::vector<std::string> NewColumnNames(const ReadRequest& request, const std::vector<std::string>& file_names) {
  std::set<std::string> known;
  for (const ColumnContract& column : request.contract->columns) known.insert(ToLower(Trim(column.from)));
  const contract::Schema schema = request.schema();
  for (const contract::Field& field : schema.fields) known.insert(ToLower(field.name));
  std::vector<std::string> names;
  for (const std::string& raw : file_names) {
    const std::string name(Trim(raw));
    if (name.empty() || contract::IsMetadataColumn(name) || !known.insert(ToLower(name)).second) continue;
    names.push_back(name);
    if (schema.fields.size() + names.size() > request.max_columns) break;
  }
  return names;
}

}  // namespace sluice::formats
