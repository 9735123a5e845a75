#include "engines/sql/inline_ctes.h"

#include <map>

#include "core/text.h"

namespace sluice::engines {
namespace {

constexpr size_t kMaxNodes = 20000;  // beyond that the chain of WITH queries doubles at each step

// What a name stands for; a null query: a recursive one, left as it is.
struct Cte {
  Json query, aliases;
  size_t nodes = 0;
};
using Ctes = std::map<std::string, Cte>;  // by lower-case name

size_t CountNodes(const Json& root) {
  size_t nodes = 0;
  Walk(root, [&](const Json&, const Scope&) { return ++nodes, true; });
  return nodes;
}

class Inliner {
 public:
  void Inline(Json& value, const Ctes& visible) {
    if (nodes_ > kMaxNodes) return;
    if (value.is_object() && IsQueryNode(value)) return InlineQuery(value, visible);
    if (IsType(value, "BASE_TABLE") && Text(value, "schema_name").empty()) {
      const auto cte = visible.find(ToLower(Text(value, "table_name")));
      if (cte != visible.end() && !cte->second.query.is_null()) value = Subquery(value, cte->second);
      return;
    }
    if (value.is_structured())
      for (Json& member : value) Inline(member, visible);
  }

  bool inlined() const { return inlined_ && nodes_ <= kMaxNodes; }

 private:
  void InlineQuery(Json& node, Ctes visible) {
    Json kept = Json::array();
    for (Json& entry : node["cte_map"]["map"]) {
      const std::string name = ToLower(Text(entry, "key"));
      Json& query = entry["value"]["query"];
      const bool recursive = IsType(query["node"], "RECURSIVE_CTE_NODE");
      if (recursive) visible[name] = {};  // it sees itself
      Inline(query["node"], visible);
      if (recursive) {
        kept.push_back(entry);
        continue;
      }
      const size_t nodes = CountNodes(query);
      visible[name] = {std::move(query), entry["value"]["aliases"], nodes};
    }
    node["cte_map"]["map"] = std::move(kept);
    for (auto& [key, member] : node.items())
      if (key != "cte_map") Inline(member, visible);
  }

  Json Subquery(const Json& ref, const Cte& cte) {
    inlined_ = true;
    nodes_ += cte.nodes;
    Json aliases = cte.aliases;  // the reference may rename the first ones again
    for (size_t i = 0; i < ref["column_name_alias"].size(); ++i) aliases[i] = ref["column_name_alias"][i];
    return {{"type", "SUBQUERY"},      {"alias", Text(ref, "alias").empty() ? ref["table_name"] : ref["alias"]},
            {"sample", ref["sample"]}, {"query_location", kNoPosition},
            {"subquery", cte.query},   {"column_name_alias", std::move(aliases)}};
  }

  size_t nodes_ = 0;
  bool inlined_ = false;
};

}  // namespace

std::optional<Json> WithoutCtes(const Json& statement) {
  Json out = statement;
  Inliner inliner;
  inliner.Inline(out["node"], {});
  if (!inliner.inlined()) return std::nullopt;
  return out;
}

}  // namespace sluice::engines
