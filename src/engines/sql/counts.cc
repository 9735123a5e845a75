#include "engines/sql/counts.h"

#include <algorithm>

#include "core/text.h"
#include "engines/sql/uses.h"

namespace sluice::engines {
namespace {

bool IsEmpty(const Json& node, const char* member) {
  const auto at = node.find(member);
  return at == node.end() || at->is_null() || (at->is_array() && at->empty());
}

bool IsCount(const Json& node) {
  return IsClass(node, "FUNCTION") && Text(node, "function_name") == "count_star" && IsEmpty(node, "filter") && IsEmpty(node, "children");
}

// Counts, constants and what is computed of them; at least one count, else there is a row for each of the table's.
bool OnlyCounts(const Json& node, bool* counts) {
  if (IsCount(node)) return *counts = true;
  if (IsClass(node, "CONSTANT") || IsClass(node, "PARAMETER")) return true;
  if (IsClass(node, "CAST")) return OnlyCounts(node["child"], counts);
  if (!IsClass(node, "FUNCTION") || !node.value("is_operator", false)) return false;
  return std::all_of(node["children"].begin(), node["children"].end(), [&](const Json& child) { return OnlyCounts(child, counts); });
}

bool AsksOnlyForCounts(const Json& select) {
  for (const char* member : {"where_clause", "group_expressions", "group_sets", "having", "sample", "qualify", "modifiers"})
    if (!IsEmpty(select, member)) return false;
  if (Text(select, "aggregate_handling") != "STANDARD_HANDLING") return false;
  bool counts = false;
  const Json& list = select["select_list"];
  // An expression without a name is called by its text, which would be another.
  const auto named = [](const Json& item) { return IsCount(item) || IsClass(item, "CONSTANT") || !Text(item, "alias").empty(); };
  return std::all_of(list.begin(), list.end(), [&](const Json& item) { return named(item) && OnlyCounts(item, &counts); }) && counts;
}

void Replace(int64_t rows, Json* node) {
  if (IsCount(*node)) {
    *node = CastNode(TextConstant(std::to_string(rows), Position(*node)), "BIGINT", Position(*node));
  } else if (node->is_structured()) {
    for (Json& member : *node) Replace(rows, &member);
  }
}

}  // namespace

void AnswerCounts(const std::map<std::string, int64_t>& known_rows, Json* statement) {
  if (known_rows.empty()) return;
  Walk(*statement, {}, [&](Json& node, const Scope& scope) {
    if (!IsType(node, "SELECT_NODE") || !AsksOnlyForCounts(node)) return true;
    const Json& from = node["from_table"];
    const auto use = UseOf(from, scope);
    const auto rows = use && IsEmpty(from, "sample") ? known_rows.find(use->id()) : known_rows.end();
    if (rows == known_rows.end() || rows->second < 0) return true;
    for (Json& item : node["select_list"]) {
      const std::string alias = IsCount(item) && Text(item, "alias").empty() ? "count_star()" : Text(item, "alias");
      Replace(rows->second, &item);
      item["alias"] = alias;
    }
    node["from_table"] = {{"type", "EMPTY"}, {"alias", ""}, {"sample", nullptr}, {"query_location", kNoPosition}};
    return true;
  });
}

}  // namespace sluice::engines
