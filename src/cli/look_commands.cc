// ls, show, compile: looking without changing.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/print_batches.h"
#include "core/text.h"
#include "core/time.h"
#include "run/model_plan.h"
#include "run/model_records.h"
#include "run/model_stage.h"
#include "run/report.h"
#include "run/validate.h"
#include "state/batch.h"
#include "state/restore.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;

const char* KindOf(const plan::Node& node) { return node.source ? "source" : node.seed ? "seed" : "model"; }
const char* StoreOf(const plan::Node& node) {
  static constexpr const char* kStores[] = {"view", "table", "append", "merge", "scd2", "interval"};
  if (node.model) return kStores[static_cast<int>(node.model->store)];
  if (node.source && node.source->external) return "external";
  if (node.source && node.source->load == project::Load::kIncremental) return "incremental";
  if (node.source) return node.source->load == project::Load::kFull ? "full" : "append";
  return "seed";
}

Result<int> ListNodes(Context& context, const SelectArgs& args) {
  SLUICE_TRY(const auto session, OpenToLook(context));
  SLUICE_TRY(const auto nodes, SelectNodes(*session, args));
  SLUICE_TRY(const plan::Graph* graph, session->graph());
  ordered_json json = ordered_json::array();
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (const size_t i : nodes) {
    const plan::Node& node = graph->nodes[i];
    const auto& properties = node.properties();
    const std::vector<std::string> tags(properties.tags.begin(), properties.tags.end());
    if (context.globals.json)
      json.push_back({{"table", node.table},
                      {"kind", KindOf(node)},
                      {"store", StoreOf(node)},
                      {"inputs", node.inputs},
                      {"tags", tags},
                      {"owner", properties.owner},
                      {"file", node.where().file},
                      {"description", properties.description}});
    else
      rows.push_back({node.table, KindOf(node), StoreOf(node), Join(tags, ","), node.where().file});
  }
  if (context.globals.json)
    context.io.out << json.dump(2) << "\n";
  else
    context.io.out << RenderTable({"node", "kind", "store", "tags", "file"}, rows);
  return kDone;
}

Result<int> ShowNode(Context& context, const std::string& name) {
  SLUICE_TRY(const auto session, OpenToLook(context));
  SLUICE_TRY(const plan::Node* node, FindNode(*session, name));
  SLUICE_TRY(const plan::Graph* graph, session->graph());
  const auto& properties = node->properties();
  ordered_json json = {{"table", node->table}, {"kind", KindOf(*node)}, {"store", StoreOf(*node)}, {"file", node->where().file}};
  if (!properties.description.empty()) json["description"] = properties.description;
  if (!properties.owner.empty()) json["owner"] = properties.owner;
  if (!properties.tags.empty()) json["tags"] = properties.tags;
  json["reads"] = node->inputs;
  std::vector<std::string> read_by;
  for (const size_t i : graph->Downstream(graph->index.at(node->table))) read_by.push_back(graph->nodes[i].table);
  json["read_by"] = read_by;
  const auto validated = run::Validate(*session, {graph->index.at(node->table)});
  if (validated)
    if (const auto at = validated->schemas.find(node->table); at != validated->schemas.end())
      for (const auto& field : at->second.fields) json["columns"].push_back({{"name", field.name}, {"type", field.type.ToString()}});
  for (const auto& check : node->source ? node->source->checks : node->model ? node->model->checks : std::vector<project::Check>{})
    json["checks"].push_back(check.name);
  SLUICE_TRY(const auto snapshot, session->Pin(node->table));
  if (snapshot) json["version"] = snapshot->version;
  if (node->source && node->source->external) json["location"] = node->source->external->folder;
  SLUICE_TRY(const auto batches, state::History(session->lake(), run::BatchOwner(*node), 5));
  for (const auto& batch : batches) json["batches"].push_back(ToJson(batch));
  if (context.globals.json) {
    context.io.out << json.dump(2) << "\n";
    return kDone;
  }
  for (const auto& [key, value] : json.items()) {
    if (key == "columns" || key == "batches") continue;
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (value.is_array()) {
      std::vector<std::string> parts;
      for (const auto& part : value) parts.push_back(part.is_string() ? part.get<std::string>() : part.dump());
      text = Join(parts, ", ");
    }
    context.io.out << fmt::format("{:<12} {}\n", key, text);
  }
  if (json.contains("columns")) {
    std::vector<std::vector<std::optional<std::string>>> rows;
    for (const auto& column : json["columns"]) rows.push_back({column["name"].get<std::string>(), column["type"].get<std::string>()});
    context.io.out << "\n" << RenderTable({"column", "type"}, rows);
  }
  if (json.contains("batches")) {
    context.io.out << "\n" << RenderBatches(json["batches"]);
  }
  if (!validated) return Report(context, validated.error());
  return kDone;
}

Result<int> CompileNode(Context& context, const std::string& name) {
  SLUICE_TRY(const auto session, OpenToLook(context));
  SLUICE_TRY(const plan::Node* node, FindNode(*session, name));
  if (node->model == nullptr) return Fail(UserError("no-sql", fmt::format("{} is a {}: it has no SQL", node->table, KindOf(*node))));
  SLUICE_TRY(const engines::SqlTree tree, session->sql().Tree(node->model->sql, node->model->sql_file));
  context.io.out << tree.CanonicalSql() << "\n";
  return kDone;
}

int Finish(Context& context, Result<int> result) { return result ? *result : Report(context, result.error()); }

}  // namespace

int List(Context& context, const SelectArgs& args) { return Finish(context, ListNodes(context, args)); }
int Show(Context& context, const std::string& node) { return Finish(context, ShowNode(context, node)); }
int Compile(Context& context, const std::string& node) { return Finish(context, CompileNode(context, node)); }

}  // namespace sluice::cli
