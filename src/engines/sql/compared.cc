#include "engines/sql/compared.h"

#include <fmt/format.h>

#include <sstream>

#include "core/text.h"
#include "engines/sql/lower.h"

namespace sluice::engines {
namespace {

// One comparison: what stands on its sides, for the message.
struct Site {
  uint64_t position = kNoPosition;
  std::string first;
  std::vector<std::string> others;
};

bool IsGiven(const Json& operand) {
  return IsClass(operand, "PARAMETER") ||
         (IsClass(operand, "CONSTANT") && (Is(operand["value"]["type"], "id", "VARCHAR") || operand["value"].value("is_null", false)));
}

std::string NameOf(const Json& operand) {
  return IsClass(operand, "COLUMN_REF") ? Join(operand["column_names"].get<std::vector<std::string>>(), ".") : "";
}

Json ColumnNode(std::vector<std::string> names) {
  return {
      {"class", "COLUMN_REF"}, {"type", "COLUMN_REF"}, {"alias", ""}, {"query_location", kNoPosition}, {"column_names", std::move(names)}};
}

// How a column of one table in FROM is named; empty: not by one table.
std::vector<std::string> ColumnOf(const Json& ref, const std::string& column) {
  const std::string& alias = Text(ref, "alias");
  if (!alias.empty()) return {alias, column};
  if (!IsType(ref, "BASE_TABLE")) return {};
  if (!Text(ref, "schema_name").empty()) return {Text(ref, "schema_name"), Text(ref, "table_name"), column};
  return {Text(ref, "table_name"), column};
}

bool LooksForEqual(const std::string& comparison) {
  return comparison == "COMPARE_EQUAL" || comparison == "COMPARE_NOTEQUAL" || comparison == "COMPARE_DISTINCT_FROM" ||
         comparison == "COMPARE_NOT_DISTINCT_FROM";
}

// Puts calls of the probe (engines/duckdb/comparison_probe.h) where comparisons stand.
class Prober {
 public:
  void Probe(Json& value) {
    if (value.is_structured())
      for (Json& member : value) Probe(member);
    if (!value.is_object()) return;
    if (IsType(value, "SELECT_NODE")) ProbeUsing(value);
    if (IsClass(value, "COMPARISON") && LooksForEqual(Text(value, "type"))) Replace(value, value["left"], {value["right"]});
    if (IsClass(value, "OPERATOR") && (IsType(value, "COMPARE_IN") || IsType(value, "COMPARE_NOT_IN")))
      Replace(value, value["children"][0], {value["children"].begin() + 1, value["children"].end()});
  }

  const std::vector<Site>& sites() const { return sites_; }

 private:
  void Replace(Json& comparison, const Json& first, const std::vector<Json>& others) {
    if (auto call = Call(Position(comparison), first, others)) {
      (*call)["alias"] = comparison["alias"];
      comparison = *std::move(call);
    }
  }

  // Where a join of this SELECT compares by USING, its WHERE does so once more.
  void ProbeUsing(Json& select) {
    Json calls = Json::array();
    CollectUsing(select["from_table"], &calls);
    if (calls.empty()) return;
    if (!select["where_clause"].is_null()) calls.push_back(select["where_clause"]);
    select["where_clause"] = calls.size() == 1 ? calls[0]
                                               : Json{{"class", "CONJUNCTION"},
                                                      {"type", "CONJUNCTION_AND"},
                                                      {"alias", ""},
                                                      {"query_location", kNoPosition},
                                                      {"children", calls}};
  }

  void CollectUsing(const Json& ref, Json* calls) {
    if (!IsType(ref, "JOIN")) return;
    CollectUsing(ref["left"], calls);
    CollectUsing(ref["right"], calls);
    const std::string& type = Text(ref, "join_type");
    if (type != "INNER" && type != "LEFT") return;
    for (const Json& item : ref["using_columns"]) {
      const auto column = item.get<std::string>();
      // Of a join on the left, the name alone is what its own USING made of it.
      const auto left = IsType(ref["left"], "JOIN") ? std::vector{column} : ColumnOf(ref["left"], column);
      const auto right = ColumnOf(ref["right"], column);
      if (left.empty() || right.empty()) continue;
      if (auto call = Call(Position(ref), ColumnNode(left), {ColumnNode(right)})) calls->push_back(*std::move(call));
    }
  }

  std::optional<Json> Call(uint64_t position, const Json& first, const std::vector<Json>& others) {
    if (IsGiven(first)) return std::nullopt;
    Site site{position == kNoPosition ? FirstPosition(first) : position, NameOf(first), {}};
    Json children = Json::array({Number(0), first});
    for (const Json& other : others) {
      if (IsGiven(other)) continue;
      site.others.push_back(NameOf(other));
      children.push_back(other);
    }
    if (site.others.empty()) return std::nullopt;
    // Equal comparisons stay equal, for GROUP BY.
    const auto [known, is_new] = numbers_.try_emplace(Fingerprint(children), sites_.size());
    if (is_new) sites_.push_back(std::move(site));
    children[0] = Number(known->second);
    return Json{{"class", "FUNCTION"},
                {"type", "FUNCTION"},
                {"alias", ""},
                {"query_location", position},
                {"function_name", "sluice_compared"},
                {"schema", ""},
                {"children", std::move(children)},
                {"filter", nullptr},
                {"order_bys", {{"type", "ORDER_MODIFIER"}, {"orders", Json::array()}}},
                {"distinct", false},
                {"is_operator", false},
                {"export_state", false},
                {"catalog", ""}};
  }

  static Json Number(size_t value) {
    return {{"class", "CONSTANT"},
            {"type", "VALUE_CONSTANT"},
            {"alias", ""},
            {"query_location", kNoPosition},
            {"value", {{"type", {{"id", "INTEGER"}, {"type_info", nullptr}}}, {"is_null", false}, {"value", value}}}};
  }

  std::vector<Site> sites_;
  std::map<uint64_t, size_t> numbers_;  // fingerprint of a comparison's sides → its site
};

std::string Side(const std::string& name, const std::string& type) {
  return name.empty() ? "a " + type : fmt::format("{} (a {})", name, type);
}

std::string CastHint(const std::string& name, const std::string& type) {
  static const std::map<std::string, std::string> kTypes = {
      {"number", "BIGINT"}, {"date", "DATE"}, {"timestamp", "TIMESTAMPTZ"}, {"time", "TIME"}, {"boolean", "BOOLEAN"}};
  return fmt::format("CAST({} AS {})", name.empty() ? "…" : name, kTypes.at(type));
}

Error Mismatch(const SourceText& source, const Site& site, size_t other, const std::string& first_type, const std::string& other_type) {
  const std::string& other_name = other < site.others.size() ? site.others[other] : "";
  const bool first_is_string = first_type == "string";
  return UserError("type-mismatch", fmt::format("{} is compared with {}", Side(site.first, first_type), Side(other_name, other_type)))
      .At(source.At(site.position == kNoPosition ? 0 : site.position))
      .Hint(fmt::format("say what is meant: {}, which fails at a text that is none (TRY_CAST gives NULL)",
                        first_is_string ? CastHint(site.first, other_type) : CastHint(other_name, first_type)));
}

// What the probe said: "sluice_compared SITE INDEX TYPE TYPE", somewhere in the message.
std::optional<Error> Found(const Error& error, const SourceText& source, const std::vector<Site>& sites) {
  static constexpr std::string_view kMark = "sluice_compared ";
  const size_t at = error.message.find(kMark);
  if (at == std::string::npos) return std::nullopt;
  std::istringstream words(error.message.substr(at + kMark.size()));
  size_t site = 0, other = 0;
  std::string first_type, other_type;
  if (!(words >> site >> other >> first_type >> other_type) || site >= sites.size()) return std::nullopt;
  while (!other_type.empty() && !std::isalpha(static_cast<unsigned char>(other_type.back()))) other_type.pop_back();
  return Mismatch(source, sites[site], other, first_type, other_type);
}

}  // namespace

Status CheckCompared(const SqlTree& tree, const std::map<std::string, contract::Schema>& inputs, const std::vector<Parameter>& params) {
  auto probed = std::make_shared<SqlTree::Impl>(*tree.impl);
  Prober prober;
  prober.Probe(probed->statement["node"]);
  if (prober.sites().empty()) return Ok();
  std::map<std::string, std::string> relations;
  for (const TableUse& use : tree.uses()) relations[use.id()] = EmptyRelation(inputs.at(use.id()));
  const auto lowered = LowerTree(SqlTree{std::move(probed)}, relations, inputs);
  if (!lowered) return Ok();  // what can't be printed with the probe is left to the run
  const auto bound = tree.impl->parser->WithConnection([&](Connection& c) { return c.Rows("DESCRIBE " + lowered->sql, params); });
  if (bound) return Ok();
  if (auto error = Found(bound.error(), tree.impl->source, prober.sites())) return Fail(*std::move(error));
  return Ok();
}

}  // namespace sluice::engines
