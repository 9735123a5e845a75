// A prepared commit as it lies in a batch record: the actions are the log's own lines, so that one reader serves both.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "delta/commit.h"

namespace sluice::delta {
namespace {

using nlohmann::json;

constexpr std::string_view kScopes[] = {"nothing", "partitions", "table"};

json ToJson(const PartitionValues& values) {
  json object = json::object();
  for (const auto& [column, value] : values) object[column] = value ? json(*value) : json();
  return object;
}

PartitionValues PartitionValuesFromJson(const json& object) {
  PartitionValues values;
  for (const auto& [column, value] : object.items())
    values[column] = value.is_null() ? std::nullopt : std::optional(value.get<std::string>());
  return values;
}

Result<ReadScope> ScopeFromName(const std::string& name) {
  for (size_t i = 0; i < std::size(kScopes); ++i)
    if (kScopes[i] == name) return static_cast<ReadScope>(i);
  return Fail(BugError(fmt::format("a prepared commit reads \"{}\", which is no scope", name)));
}

Result<std::vector<Action>> ActionsFromJson(const json& lines) {
  std::vector<Action> actions;
  for (const json& line : lines) {
    SLUICE_TRY(auto action, ParseAction(line.get<std::string>()));
    if (!action) return Fail(BugError("a prepared commit holds an action of an unknown kind"));
    actions.push_back(std::move(*action));
  }
  return actions;
}

}  // namespace

json ToJson(const PreparedCommit& commit) {
  json lines = json::array(), partitions = json::array();
  for (const Action& action : commit.actions) lines.push_back(ToJsonLine(action));
  for (const PartitionValues& values : commit.read_partitions) partitions.push_back(ToJson(values));
  return {{"table_id", commit.table_id},
          {"read_version", commit.read_version},
          {"actions", std::move(lines)},
          {"reads", kScopes[static_cast<size_t>(commit.reads)]},
          {"read_partitions", std::move(partitions)},
          {"operation", commit.operation},
          {"operation_parameters", commit.operation_parameters},
          {"operation_metrics", commit.operation_metrics}};
}

Result<PreparedCommit> PreparedCommitFromJson(const json& object) try {
  PreparedCommit commit;
  object.at("table_id").get_to(commit.table_id);
  object.at("read_version").get_to(commit.read_version);
  SLUICE_TRY(commit.actions, ActionsFromJson(object.at("actions")));
  SLUICE_TRY(commit.reads, ScopeFromName(object.at("reads").get<std::string>()));
  for (const json& values : object.at("read_partitions")) commit.read_partitions.push_back(PartitionValuesFromJson(values));
  object.at("operation").get_to(commit.operation);
  object.at("operation_parameters").get_to(commit.operation_parameters);
  object.at("operation_metrics").get_to(commit.operation_metrics);
  return commit;
} catch (const json::exception& error) {
  return Fail(BugError(fmt::format("a prepared commit cannot be read back: {}", error.what())));
}

}  // namespace sluice::delta
