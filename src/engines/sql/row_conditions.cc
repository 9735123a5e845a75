#include "engines/row_conditions.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/text.h"
#include "engines/sql/tree.h"
#include "engines/sql/uses.h"

namespace sluice::engines {
namespace {

using Op = Comparison::Op;

bool IsOneOf(const std::string& text, std::initializer_list<std::string_view> values) {
  return std::find(values.begin(), values.end(), text) != values.end();
}

// "12.50" of a decimal's digits and its scale.
std::optional<std::string> DecimalText(const Json& digits, const Json& info) {
  if (!digits.is_number_integer() || !info.is_object()) return std::nullopt;
  const auto scale = info.value("scale", -1);
  if (scale < 0) return std::nullopt;
  const int64_t value = digits.get<int64_t>();
  std::string text = std::to_string(value < 0 ? -value : value);
  if (text.size() <= static_cast<size_t>(scale)) text.insert(0, static_cast<size_t>(scale) + 1 - text.size(), '0');
  if (scale > 0) text.insert(text.size() - static_cast<size_t>(scale), ".");
  return (value < 0 ? "-" : "") + text;
}

std::optional<std::string> ConstantSql(const Json& value) {
  const std::string& type = Text(value["type"], "id");
  if (value.value("is_null", true)) return std::nullopt;
  const Json& content = value["value"];
  if (type == "VARCHAR" && content.is_string()) return QuoteLiteral(content.get<std::string>());
  if (type == "DECIMAL") return DecimalText(content, value["type"]["type_info"]);
  if (content.is_number()) return content.dump();
  return std::nullopt;
}

// An expression whose value does not depend on the row, nor on chance; nullopt for all that is not surely one.
std::optional<std::string> ValueSql(const Json& node) {
  if (IsClass(node, "CONSTANT")) return ConstantSql(node["value"]);
  if (IsClass(node, "PARAMETER")) return "$" + Text(node, "identifier");
  if (IsClass(node, "CAST") && !node.value("try_cast", true) && node["cast_type"]["type_info"].is_null()) {
    const auto child = ValueSql(node["child"]);
    return child ? std::optional(fmt::format("CAST({} AS {})", *child, Text(node["cast_type"], "id"))) : std::nullopt;
  }
  if (!IsClass(node, "FUNCTION")) return std::nullopt;
  std::vector<std::string> items;
  for (const Json& child : node["children"]) {
    const auto item = ValueSql(child);
    if (!item) return std::nullopt;
    items.push_back(*item);
  }
  const std::string& name = Text(node, "function_name");
  if (IsOneOf(name, {"+", "-"}) && items.size() == 2) return fmt::format("({} {} {})", items[0], name, items[1]);
  if (IsOneOf(name, {"to_days", "to_months", "to_years", "to_hours", "to_minutes", "to_seconds", "trunc"}) && items.size() == 1)
    return fmt::format("{}({})", name, items[0]);
  return std::nullopt;
}

std::optional<Op> OpOf(const std::string& type) {
  if (type == "COMPARE_EQUAL") return Op::kEqual;
  if (type == "COMPARE_LESSTHAN") return Op::kLess;
  if (type == "COMPARE_LESSTHANOREQUALTO") return Op::kLessOrEqual;
  if (type == "COMPARE_GREATERTHAN") return Op::kGreater;
  if (type == "COMPARE_GREATERTHANOREQUALTO") return Op::kGreaterOrEqual;
  return std::nullopt;
}

Op Mirrored(Op op) {
  switch (op) {
    case Op::kLess:
      return Op::kGreater;
    case Op::kLessOrEqual:
      return Op::kGreaterOrEqual;
    case Op::kGreater:
      return Op::kLess;
    case Op::kGreaterOrEqual:
      return Op::kLessOrEqual;
    case Op::kEqual:
      break;
  }
  return op;
}

// A table in the FROM of one SELECT.
struct Place {
  const Json* ref;
  std::string alias, qualified;  // lower-case; qualified: "bronze.orders" where no alias hides it
  bool alone;                    // nothing else stands in that FROM
};

// The conditions that a WHERE clause sets for the rows of one place.
class Reading {
 public:
  explicit Reading(const Place& place) : place_(place) {}

  Conditions Of(const Json& where) const {
    Conditions all;
    Add(where, &all);
    return all;
  }

 private:
  void Add(const Json& node, Conditions* all) const {
    const std::string& type = Text(node, "type");
    if (type == "CONJUNCTION_AND") {
      for (const Json& child : node["children"]) Add(child, all);
    } else if (type == "CONJUNCTION_OR") {
      AddEither(node["children"], all);
    } else if (type == "COMPARE_BETWEEN") {
      AddComparison(node["input"], Op::kGreaterOrEqual, node["lower"], all);
      AddComparison(node["input"], Op::kLessOrEqual, node["upper"], all);
    } else if (type == "COMPARE_IN") {
      AddIn(node["children"], all);
    } else if (const auto op = OpOf(type)) {
      AddComparison(node["left"], *op, node["right"], all);
      AddComparison(node["right"], Mirrored(*op), node["left"], all);
    }
  }

  std::optional<Comparison> Compared(const Json& column, Op op, const Json& value) const {
    const auto name = ColumnOf(column);
    const auto sql = name ? ValueSql(value) : std::nullopt;
    if (!sql) return std::nullopt;
    return Comparison{*name, op, *sql, IsClass(value, "CONSTANT") && Text(value["value"]["type"], "id") == "VARCHAR"};
  }

  void AddComparison(const Json& column, Op op, const Json& value, Conditions* all) const {
    if (auto compared = Compared(column, op, value)) all->push_back({*std::move(compared)});
  }

  void AddIn(const Json& items, Conditions* all) const {
    Condition any;
    for (size_t i = 1; i < items.size(); ++i) {
      auto compared = Compared(items[0], Op::kEqual, items[i]);
      if (!compared) return;
      any.push_back(*std::move(compared));
    }
    if (!any.empty()) all->push_back(std::move(any));
  }

  // Of each side one condition is enough to be told of: (a AND b) OR c holds only where a OR c does.
  void AddEither(const Json& sides, Conditions* all) const {
    Condition any;
    for (const Json& side : sides) {
      Conditions of_side;
      Add(side, &of_side);
      if (of_side.empty()) return;
      any.insert(any.end(), of_side.front().begin(), of_side.front().end());
    }
    all->push_back(std::move(any));
  }

  std::optional<std::string> ColumnOf(const Json& node) const {
    if (!IsClass(node, "COLUMN_REF")) return std::nullopt;
    const Json& names = node["column_names"];
    const auto name = [&](size_t i) { return ToLower(names[i].get<std::string>()); };
    const bool ours = (names.size() == 1 && place_.alone) || (names.size() == 2 && name(0) == place_.alias) ||
                      (names.size() == 3 && name(0) + "." + name(1) == place_.qualified);
    return ours ? std::optional(names.back().get<std::string>()) : std::nullopt;
  }

  const Place& place_;
};

// The places whose rows a FROM only pairs or passes on; joins that look for the nearest row, or count rows, are not among them.
void Collect(const Json& ref, bool alone, std::vector<Place>* places) {
  if (IsType(ref, "JOIN")) {
    const std::string& join = Text(ref, "join_type");
    const bool pairs = IsOneOf(Text(ref, "ref_type"), {"REGULAR", "CROSS", "NATURAL"});
    if (!pairs) return;
    Collect(ref["left"], false, places);
    if (IsOneOf(join, {"INNER", "LEFT", "RIGHT", "OUTER"})) Collect(ref["right"], false, places);
    return;
  }
  const bool table = IsType(ref, "BASE_TABLE") || IsType(ref, "TABLE_FUNCTION");
  if (!table || !ref["sample"].is_null() || !ref.value("column_name_alias", Json::array()).empty()) return;
  Place place{&ref, ToLower(Text(ref, "alias")), "", alone};
  if (place.alias.empty() && IsType(ref, "BASE_TABLE")) {
    place.alias = ToLower(Text(ref, "table_name"));
    if (!Text(ref, "schema_name").empty()) place.qualified = ToLower(Text(ref, "schema_name")) + "." + place.alias;
  }
  places->push_back(std::move(place));
}

// `orders` beside another `orders` is neither's name.
void DropAmbiguousNames(std::vector<Place>* places) {
  for (Place& place : *places) {
    const auto same = std::count_if(places->begin(), places->end(), [&](const Place& other) { return other.alias == place.alias; });
    if (same > 1) place.alias.clear();
  }
}

}  // namespace

std::map<std::string, AnyConditions> RowConditions(const SqlTree& tree) {
  std::map<const Json*, Conditions> by_ref;
  std::map<std::string, AnyConditions> found;
  std::set<std::string> unrestricted;
  Walk(std::as_const(tree.impl->statement), [&](const Json& node, const Scope& scope) {
    if (IsType(node, "SELECT_NODE") && node["sample"].is_null() && !node["where_clause"].is_null()) {
      std::vector<Place> places;
      Collect(node["from_table"], true, &places);
      DropAmbiguousNames(&places);
      for (const Place& place : places) by_ref[place.ref] = Reading(place).Of(node["where_clause"]);
    }
    if (const auto use = UseOf(node, scope)) {
      const auto conditions = by_ref.find(&node);
      if (conditions == by_ref.end() || conditions->second.empty())
        unrestricted.insert(use->id());
      else
        found[use->id()].push_back(conditions->second);
    }
    return true;
  });
  for (const std::string& id : unrestricted) found.erase(id);
  return found;
}

Conditions ConditionsOf(Connection& connection, const std::string& where, const std::string& relation, bool qualified) {
  const std::string sql = fmt::format("SELECT 1 FROM {} WHERE (\n{}\n)", QuoteIdentifier(relation), where);
  const auto text = connection.PreparedScalar("SELECT json_serialize_sql(CAST($q AS VARCHAR))", {{"q", "string", sql}});
  if (!text || !*text) return {};
  const Json json = Json::parse(**text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || json.value("error", true) || json["statements"].size() != 1) return {};
  const Json& node = json["statements"][0]["node"];
  // Whoever closes the bracket writes another statement.
  if (!IsType(node, "SELECT_NODE") || !node["modifiers"].empty() || !IsType(node["from_table"], "BASE_TABLE")) return {};
  return Reading({&node["from_table"], ToLower(relation), "", !qualified}).Of(node["where_clause"]);
}

}  // namespace sluice::engines
