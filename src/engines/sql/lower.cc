#include "engines/sql/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "engines/sql/counts.h"
#include "engines/sql/uses.h"

namespace sluice::engines {
namespace {

constexpr std::string_view kMark = "sluice:";  // begins the names that stand for relations until the text is printed

using Names = std::set<std::string>;

void AddIfMetadata(const Json& name, Names* names) {
  if (!name.is_string()) return;
  const auto& text = name.get_ref<const std::string&>();
  if (contract::IsMetadataColumn(text) || contract::IsChangeColumn(text)) names->insert(ToLower(text));
}

// Columns that are there when named, and no part of *: metadata, and what changes(t) adds to the table's own.
bool IsHidden(const std::string& use, const std::string& column) {
  return contract::IsMetadataColumn(column) || (use.starts_with("changes(") && contract::IsChangeColumn(column));
}

// Metadata columns that the statement names anywhere: only these are kept in its inputs.
Names NamedMetadata(const Json& statement) {
  Names names;
  Walk(statement, [&](const Json& node, const Scope&) {
    if (IsClass(node, "COLUMN_REF"))
      for (const Json& name : node["column_names"]) AddIfMetadata(name, &names);
    if (IsClass(node, "STAR")) {
      for (const Json& name : node["exclude_list"]) AddIfMetadata(name, &names);
      for (const Json& item : node["qualified_exclude_list"]) AddIfMetadata(item["column"], &names);
      for (const Json& item : node["replace_list"]) AddIfMetadata(item["key"], &names);
      for (const Json& item : node["rename_list"]) AddIfMetadata(item.value("key", Json()), &names);
    }
    if (IsType(node, "JOIN"))
      for (const Json& name : node["using_columns"]) AddIfMetadata(name, &names);
    return true;
  });
  return names;
}

// The relation without the metadata columns that nobody names, so that neither * nor NATURAL JOIN sees them.
std::string Shown(const std::string& use, const std::string& relation, const contract::Schema* schema, const Names& named) {
  if (!schema) return relation;
  std::vector<std::string> columns;
  for (const contract::Field& field : schema->fields)
    if (!IsHidden(use, field.name) || named.contains(ToLower(field.name))) columns.push_back(QuoteIdentifier(field.name));
  if (columns.size() == schema->fields.size() || columns.empty()) return relation;
  return fmt::format("(SELECT {} FROM {})", Join(columns, ", "), relation);
}

// A use that stands in the FROM of one SELECT.
struct Source {
  Json* ref;
  std::string id, qualified, alias;  // qualified: "bronze.orders" where the user gave no alias
  bool in_star;                      // not on the right of a SEMI or ANTI join
};

void Collect(Json& ref, bool in_star, std::vector<Source>* sources) {
  if (IsType(ref, "JOIN")) {
    const std::string& type = Text(ref, "join_type");
    Collect(ref["left"], in_star, sources);
    Collect(ref["right"], in_star && type != "SEMI" && type != "ANTI", sources);
  } else if (ref.contains("source")) {
    Collect(ref["source"], false, sources);
  } else if (IsType(ref, "BASE_TABLE") && Text(ref, "table_name").starts_with(kMark)) {
    sources->push_back({&ref, Text(ref, "table_name").substr(kMark.size()), Text(ref, "schema_name"), Text(ref, "alias"), in_star});
  }
}

class Lowering {
 public:
  Lowering(const Names& named, const std::map<std::string, contract::Schema>& inputs) : named_(named), inputs_(inputs) {}

  // `visible`: lower-case "schema.table" → the alias that columns are qualified with.
  void Lower(Json& value, const std::map<std::string, std::string>& visible) {
    if (value.is_object() && IsType(value, "SELECT_NODE")) {
      auto inner = visible;
      std::vector<Source> sources;
      Collect(value["from_table"], true, &sources);
      NameSources(&sources, &inner);
      HideMetadata(value, sources);
      for (Json& member : value) Lower(member, inner);
    } else if (value.is_object() && IsClass(value, "COLUMN_REF")) {
      Requalify(value, visible);
    } else if (value.is_structured()) {
      for (Json& member : value) Lower(member, visible);
    }
  }

 private:
  // `bronze.orders` stays addressable as orders.x and bronze.orders.x; beside a `silver.orders` only the latter is unambiguous.
  static void NameSources(std::vector<Source>* sources, std::map<std::string, std::string>* visible) {
    std::map<std::string, int> taken;
    for (const Source& source : *sources) ++taken[ToLower(source.alias)];
    for (Source& source : *sources) {
      (*source.ref)["schema_name"] = "";
      if (source.qualified.empty()) continue;
      if (taken[ToLower(source.alias)] > 1) source.alias = source.qualified;
      (*source.ref)["alias"] = source.alias;
      visible->insert_or_assign(ToLower(source.qualified), source.alias);
    }
  }

  static void Requalify(Json& column, const std::map<std::string, std::string>& visible) {
    Json& names = column["column_names"];
    if (names.size() < 3) return;
    const auto found = visible.find(ToLower(names[0].get<std::string>() + "." + names[1].get<std::string>()));
    if (found == visible.end()) return;
    names.erase(0);
    names[0] = found->second;
  }

  // Stars of this SELECT, not those of the queries inside it, leave out the metadata columns kept in its inputs.
  void HideMetadata(Json& select, const std::vector<Source>& sources) const {
    if (named_.empty() || sources.empty()) return;
    for (const char* member : {"select_list", "qualify", "having"}) HideIn(select[member], sources);
    for (Json& modifier : select["modifiers"]) {
      if (Text(modifier, "type") != "ORDER_MODIFIER") {
        HideIn(modifier, sources);
        continue;
      }
      for (Json& order : modifier["orders"])  // ORDER BY ALL is by what is selected, not by the columns of the inputs
        if (!IsClass(order["expression"], "STAR")) HideIn(order["expression"], sources);
    }
  }

  void HideIn(Json& value, const std::vector<Source>& sources) const {
    if (value.is_object() && IsQueryNode(value)) return;
    if (value.is_object() && IsClass(value, "STAR")) Exclude(value, sources);
    if (value.is_structured())
      for (Json& member : value) HideIn(member, sources);
  }

  void Exclude(Json& star, const std::vector<Source>& sources) const {
    const std::string& relation = Text(star, "relation_name");
    Names excluded;
    for (const Json& name : star["exclude_list"]) excluded.insert(ToLower(name.get<std::string>()));
    for (const Source& source : sources) {
      if (!source.in_star || (!relation.empty() && !EqualsIgnoreCase(relation, source.alias))) continue;
      const auto input = inputs_.find(source.id);
      if (input == inputs_.end()) continue;
      for (const contract::Field& field : input->second.fields) {
        if (!IsHidden(source.id, field.name) || !named_.contains(ToLower(field.name)) || excluded.contains(ToLower(field.name))) continue;
        const Json entry = {{"table", source.alias}, {"column", field.name}};
        Json& list = star["qualified_exclude_list"];
        if (!relation.empty())
          star["exclude_list"].push_back(field.name);
        else if (std::none_of(list.begin(), list.end(), [&](const Json& other) { return SameColumn(other, entry); }))
          list.push_back(entry);
      }
    }
  }

  static bool SameColumn(const Json& a, const Json& b) {
    return EqualsIgnoreCase(Text(a, "table"), Text(b, "table")) && EqualsIgnoreCase(Text(a, "column"), Text(b, "column"));
  }

  const Names& named_;
  const std::map<std::string, contract::Schema>& inputs_;
};

// Every use becomes a table named by its id; the user's qualified name is kept in schema_name until aliases are chosen.
void MarkUses(Json* statement) {
  Walk(*statement, {}, [](Json& node, const Scope& scope) {
    const auto use = UseOf(node, scope);
    if (!use) return true;
    const std::string bare = use->mode == UseMode::kPlace ? "delta_scan" : use->name.empty() ? use->id() : use->name;
    const std::string& alias = Text(node, "alias");
    Json marked = BaseTable(std::string(kMark) + use->id(), alias.empty() ? bare : alias, Position(node));
    if (alias.empty()) marked["schema_name"] = use->schema.empty() ? "" : use->schema + "." + use->name;
    marked["column_name_alias"] = node["column_name_alias"];
    node = std::move(marked);
    return false;
  });
}

Result<Lowered> Place(const std::string& printed, const std::map<std::string, std::string>& relations) {
  Lowered lowered;
  size_t copied = 0;
  for (const Token& token : Tokenize(printed)) {
    if (token.kind != Token::Kind::kQuotedName || !token.text.starts_with(kMark)) continue;
    const auto relation = relations.find(token.text.substr(kMark.size()));
    if (relation == relations.end()) return Fail(BugError("no relation for " + token.text.substr(kMark.size())));
    lowered.sql += printed.substr(copied, token.begin - copied);
    const size_t begin = lowered.sql.size();
    lowered.sql += relation->second;
    lowered.placed.push_back({begin, lowered.sql.size(), token.begin, token.end});
    copied = token.end;
  }
  lowered.sql += printed.substr(copied);
  return lowered;
}

}  // namespace

uint64_t Lowered::Original(size_t offset) const {
  size_t printed = offset;
  for (const Placed& p : placed) {
    if (offset < p.begin) break;
    printed = offset < p.end ? p.printed_begin : offset - p.end + p.printed_end;
  }
  auto at = positions.upper_bound(printed);
  return at == positions.begin() ? kNoPosition : std::prev(at)->second;
}

Result<Lowered> LowerTree(const SqlTree& tree, const std::map<std::string, std::string>& relations,
                          const std::map<std::string, contract::Schema>& inputs, const std::map<std::string, int64_t>& known_rows) {
  const Names named = NamedMetadata(tree.impl->statement);
  Json statement = tree.impl->statement;
  AnswerCounts(known_rows, &statement);
  MarkUses(&statement);
  Lowering(named, inputs).Lower(statement["node"], {});
  std::map<uint64_t, uint64_t> positions;
  SLUICE_TRY(const std::string printed, tree.impl->parser->Print(statement, &positions));
  std::map<std::string, std::string> shown;
  for (const TableUse& use : tree.uses()) {
    const auto relation = relations.find(use.id());
    if (relation == relations.end()) return Fail(BugError("no relation for " + use.id()));
    const auto input = inputs.find(use.id());
    shown[use.id()] = Shown(use.id(), relation->second, input == inputs.end() ? nullptr : &input->second, named);
  }
  SLUICE_TRY(Lowered lowered, Place(printed, shown));
  lowered.positions = std::move(positions);
  return lowered;
}

}  // namespace sluice::engines
