#include "engines/sql/tree_json.h"

#include <algorithm>

#include "core/text.h"

namespace sluice::engines {
namespace {

const std::string kEmpty;

void WalkQuery(Json& node, Scope scope, const std::function<bool(Json&, const Scope&)>& visit);

void WalkMembers(Json& value, const Scope& scope, const std::function<bool(Json&, const Scope&)>& visit, const char* except = nullptr) {
  if (value.is_array()) {
    for (Json& item : value) Walk(item, scope, visit);
  } else if (value.is_object()) {
    for (auto& [key, member] : value.items())
      if (!except || key != except) Walk(member, scope, visit);
  }
}

// A CTE sees those before it; only a recursive one sees itself.
void WalkQuery(Json& node, Scope scope, const std::function<bool(Json&, const Scope&)>& visit) {
  if (const auto ctes = node.find("cte_map"); ctes != node.end()) {
    for (Json& entry : (*ctes)["map"]) {
      const std::string name = ToLower(Text(entry, "key"));
      Json& query = entry["value"]["query"]["node"];
      Scope inner = scope;
      if (IsType(query, "RECURSIVE_CTE_NODE")) inner.insert(name);
      Walk(query, inner, visit);
      scope.insert(name);
    }
  }
  WalkMembers(node, scope, visit, "cte_map");
}

// (VALUES …) is printed inside a SELECT * of its own: that SELECT is seen as the list itself.
const Json& ThroughValues(const Json& ref, Json* storage) {
  if (!IsType(ref, "SUBQUERY") || !ref.contains("subquery"))
    return ref;  // NOLINT(bugprone-return-const-ref-from-parameter): callers keep it
  const Json& node = ref["subquery"]["node"];
  if (!IsType(node, "SELECT_NODE") || node["select_list"].size() != 1 || !IsClass(node["select_list"][0], "STAR"))
    return ref;  // NOLINT(bugprone-return-const-ref-from-parameter): callers keep it
  Json inner_storage;
  const Json& from = ThroughValues(node["from_table"], &inner_storage);
  if (!IsType(from, "EXPRESSION_LIST") || !node["where_clause"].is_null() || !node["modifiers"].empty())
    return ref;  // NOLINT(bugprone-return-const-ref-from-parameter): callers keep it
  *storage = {
      {"type", "EXPRESSION_LIST"}, {"alias", ref["alias"]}, {"values", from["values"]}, {"column_name_alias", ref["column_name_alias"]}};
  return *storage;
}

bool IsValues(const Json& a) { return a.is_object() && IsType(a, "EXPRESSION_LIST"); }

// EXCLUDE lists are sets, whose order is not kept; qualified names come with or without their empty parts.
std::set<std::string> Excluded(const Json& list) {
  std::set<std::string> names;
  for (const Json& item : list) names.insert(item.is_string() ? item.get<std::string>() : Text(item, "table") + "." + Text(item, "column"));
  return names;
}

bool SameObject(const Json& a, const Json& b, std::map<uint64_t, uint64_t>* positions) {
  if (a.size() != b.size()) return false;
  for (auto at = a.begin(); at != a.end(); ++at) {
    const auto other = b.find(at.key());
    if (other == b.end()) return false;
    if (at.key() == "exclude_list" || at.key() == "qualified_exclude_list") {
      if (Excluded(*at) != Excluded(*other)) return false;
    } else if (at.key() != "query_location" && !SameTree(*at, *other, positions)) {
      return false;
    }
  }
  if (positions && Position(a) != kNoPosition && Position(b) != kNoPosition) positions->try_emplace(Position(b), Position(a));
  return true;
}

void WriteWithoutPositions(const Json& value, std::string* out) {
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    *out += std::to_string(text.size()) + ":" + text;
  } else if (value.is_structured()) {
    *out += value.is_array() ? '[' : '{';
    for (auto at = value.begin(); at != value.end(); ++at) {
      if (value.is_object()) {
        if (at.key() == "query_location") continue;
        *out += at.key() + "=";
      }
      WriteWithoutPositions(*at, out);
      *out += ',';
    }
    *out += value.is_array() ? ']' : '}';
  } else {
    *out += value.dump();
  }
}

}  // namespace

const std::string& Text(const Json& node, const char* member) {
  if (!node.is_object()) return kEmpty;
  const auto at = node.find(member);
  return at != node.end() && at->is_string() ? at->get_ref<const std::string&>() : kEmpty;
}

bool Is(const Json& node, const char* member, std::string_view value) { return Text(node, member) == value; }

uint64_t Position(const Json& node) {
  const auto at = node.find("query_location");
  return at != node.end() && at->is_number_unsigned() ? at->get<uint64_t>() : kNoPosition;
}

bool IsQueryNode(const Json& value) {
  const std::string& type = Text(value, "type");
  return value.contains("cte_map") &&
         (type == "SELECT_NODE" || type == "SET_OPERATION_NODE" || type == "RECURSIVE_CTE_NODE" || type == "CTE_NODE");
}

void Walk(Json& value, const Scope& scope, const std::function<bool(Json&, const Scope&)>& visit) {
  if (value.is_object() && (value.contains("type") || value.contains("class")) && !visit(value, scope)) return;
  if (value.is_object() && IsQueryNode(value)) return WalkQuery(value, scope, visit);
  WalkMembers(value, scope, visit);
}

void Walk(const Json& root, const std::function<bool(const Json&, const Scope&)>& visit) {
  // The walk itself changes nothing, and this visitor cannot.
  Walk(const_cast<Json&>(root), {}, [&](Json& node, const Scope& scope) { return visit(node, scope); });
}

uint64_t FirstPosition(const Json& root) {
  uint64_t first = kNoPosition;
  Walk(root, [&](const Json& node, const Scope&) {
    first = std::min(first, Position(node));
    return true;
  });
  return first;
}

bool SameTree(const Json& a, const Json& b, std::map<uint64_t, uint64_t>* positions) {
  if (a.type() != b.type()) return a.is_number() && b.is_number() && a == b;
  if (a.is_object()) {
    Json a_values, b_values;
    const Json& left = ThroughValues(a, &a_values);
    const Json& right = ThroughValues(b, &b_values);
    if (IsValues(left) && IsValues(right))
      return Text(left, "alias") == Text(right, "alias") && SameTree(left["values"], right["values"], positions);
    return SameObject(a, b, positions);
  }
  if (a.is_array()) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
      if (!SameTree(a[i], b[i], positions)) return false;
    return true;
  }
  return a == b;
}

uint64_t Fingerprint(const Json& root) {
  std::string text;
  text.reserve(1 << 14);
  WriteWithoutPositions(root, &text);
  return Hash64(text);
}

void SetPositions(Json& root, uint64_t position) {
  Walk(root, {}, [&](Json& node, const Scope&) {
    if (node.contains("query_location")) node["query_location"] = position;
    return true;
  });
}

void ForEachSource(Json& table_ref, const std::function<void(Json&)>& visit) {
  if (IsType(table_ref, "JOIN")) {
    ForEachSource(table_ref["left"], visit);
    ForEachSource(table_ref["right"], visit);
  } else if (table_ref.contains("source")) {  // PIVOT, UNPIVOT
    ForEachSource(table_ref["source"], visit);
  } else {
    visit(table_ref);
  }
}

Json BaseTable(const std::string& name, const std::string& alias, uint64_t position) {
  return {{"type", "BASE_TABLE"},
          {"alias", alias},
          {"sample", nullptr},
          {"query_location", position},
          {"schema_name", ""},
          {"table_name", name},
          {"column_name_alias", Json::array()},
          {"catalog_name", ""},
          {"at_clause", nullptr}};
}

Json ParameterNode(const std::string& name, uint64_t position) {
  return {{"class", "PARAMETER"}, {"type", "VALUE_PARAMETER"}, {"alias", ""}, {"query_location", position}, {"identifier", name}};
}

Json CastNode(Json child, const std::string& type_id, uint64_t position) {
  return {{"class", "CAST"},
          {"type", "OPERATOR_CAST"},
          {"alias", ""},
          {"query_location", position},
          {"child", std::move(child)},
          {"cast_type", {{"id", type_id}, {"type_info", nullptr}}},
          {"try_cast", false}};
}

Json TextConstant(const std::string& text, uint64_t position) {
  return {{"class", "CONSTANT"},
          {"type", "VALUE_CONSTANT"},
          {"alias", ""},
          {"query_location", position},
          {"value", {{"type", {{"id", "VARCHAR"}, {"type_info", nullptr}}}, {"is_null", false}, {"value", text}}}};
}

}  // namespace sluice::engines
