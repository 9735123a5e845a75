// A prepared commit as it lies in a batch record: the actions are the log's own lines, so that one reader serves both.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "delta/commit.h"

namespace sluice::delta {
namespace {

using nlohmann::json;

constexpr std::string_view kScopes[] = {"nothing", "partitions", "table"};

constexpr std::string_view kOps[] = {"=", "<", "<=", ">", ">="};

json ToJson(const PartitionComparison& one) {
  return {{"column", one.column},
          {"type", contract::DataType::Of(one.type).ToString()},
          {"op", kOps[static_cast<size_t>(one.op)]},
          {"value", one.value}};
}

template <typename T>
json ToJson(const std::vector<T>& items) {
  json array = json::array();
  for (const T& item : items) array.push_back(ToJson(item));
  return array;
}

Status FromJson(const json& object, PartitionComparison* one) {
  object.at("column").get_to(one->column);
  object.at("value").get_to(one->value);
  SLUICE_TRY(const auto type, contract::ParseType(object.at("type").get<std::string>()));
  one->type = type.kind;
  const auto op = std::find(std::begin(kOps), std::end(kOps), object.at("op").get<std::string>());
  if (op == std::end(kOps)) return Fail(BugError(fmt::format("a prepared commit compares by {}", object.at("op").dump())));
  one->op = static_cast<PartitionComparison::Op>(op - std::begin(kOps));
  return Ok();
}

template <typename T>
Status FromJson(const json& array, std::vector<T>* items) {
  for (const json& item : array) SLUICE_CHECK(FromJson(item, &items->emplace_back()));
  return Ok();
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
  json lines = json::array();
  for (const Action& action : commit.actions) lines.push_back(ToJsonLine(action));
  return {{"table_id", commit.table_id},
          {"read_version", commit.read_version},
          {"actions", std::move(lines)},
          {"reads", kScopes[static_cast<size_t>(commit.reads)]},
          {"read_where", ToJson(commit.read_where)},
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
  if (const auto where = object.find("read_where"); where != object.end()) SLUICE_CHECK(FromJson(*where, &commit.read_where));
  object.at("operation").get_to(commit.operation);
  object.at("operation_parameters").get_to(commit.operation_parameters);
  object.at("operation_metrics").get_to(commit.operation_metrics);
  return commit;
} catch (const json::exception& error) {
  return Fail(BugError(fmt::format("a prepared commit cannot be read back: {}", error.what())));
}

}  // namespace sluice::delta
