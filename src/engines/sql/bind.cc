#include "engines/sql/bind.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "engines/sql/bind_errors.h"
#include "engines/sql/compared.h"
#include "engines/sql/inline_ctes.h"
#include "engines/sql/lower.h"

namespace sluice::engines {
namespace {

using Columns = std::vector<Connection::Column>;
using Relations = std::map<std::string, std::string>;  // by TableUse::id()
using Rows = std::vector<std::vector<std::optional<std::string>>>;

Error UnknownTable(const TableUse& use, const std::map<std::string, contract::Schema>& inputs) {
  if (use.mode == UseMode::kThis || use.mode == UseMode::kBatch)
    return UserError("unknown-table", fmt::format("there is no `{}` here", use.id()))
        .At(use.where)
        .Hint(use.mode == UseMode::kThis ? "a model that reads itself declares `columns:` in its .yml" : "`batch` is known in checks only");
  std::vector<std::string> known;
  for (const auto& [id, schema] : inputs)
    if (id.find('(') == std::string::npos) known.push_back(id);
  const std::string table = use.schema + "." + use.name;
  return UserError("unknown-table", fmt::format("there is no table {}{}", table, DidYouMean(table, known))).At(use.where);
}

Status CheckTables(const SqlTree& tree, const std::map<std::string, contract::Schema>& inputs) {
  Diagnostics diagnostics;
  for (const TableUse& use : tree.uses())
    if (!inputs.contains(use.id())) diagnostics.Add(UnknownTable(use, inputs));
  if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
  return Ok();
}

Status CheckParameters(const SqlTree& tree, const std::vector<Parameter>& params) {
  std::vector<std::string> known;
  for (const Parameter& p : params) known.push_back(p.name);
  Diagnostics diagnostics;
  for (const std::string& name : tree.parameters()) {
    if (std::any_of(known.begin(), known.end(), [&](const std::string& k) { return EqualsIgnoreCase(k, name); })) continue;
    const size_t at = tree.impl->source.Find(name);
    diagnostics.Add(UserError("unknown-parameter", fmt::format("there is no parameter ${}{}", name, DidYouMean(name, known)))
                        .At(tree.impl->source.At(at == std::string::npos ? 0 : at))
                        .Hint("define it under vars: in sluice.yml"));
  }
  if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
  return Ok();
}

// The SELECT that names the output columns: the left-most of a set operation.
const Json* FirstSelect(const Json& node) {
  if (IsType(node, "SELECT_NODE")) return &node;
  if (node.contains("left")) return FirstSelect(node["left"]);
  if (node.contains("children") && !node["children"].empty()) return FirstSelect(node["children"][0]);
  return nullptr;
}

std::string NameOf(const Json& item) {
  if (!Text(item, "alias").empty()) return Text(item, "alias");
  return IsClass(item, "COLUMN_REF") ? item["column_names"].back().get<std::string>() : "";
}

// The select item that gives output column `index` called `name`: by its place as long as no star stands before it, else by its name,
// else the star.
const Json* ItemOf(const SqlTree& tree, size_t index, const std::string& name) {
  const Json* select = FirstSelect(tree.impl->statement["node"]);
  if (!select) return nullptr;
  const Json* last_by_name = nullptr;
  const Json* star = nullptr;
  for (size_t i = 0; i < (*select)["select_list"].size(); ++i) {
    const Json& item = (*select)["select_list"][i];
    if (!star && IsClass(item, "STAR")) star = &item;
    if (!star && i == index) return &item;
    if (EqualsIgnoreCase(NameOf(item), name)) last_by_name = &item;
  }
  return last_by_name ? last_by_name : star;
}

Location PlaceOf(const SqlTree& tree, size_t index, const std::string& name) {
  const Json* item = ItemOf(tree, index, name);
  uint64_t position = item ? FirstPosition(*item) : kNoPosition;
  if (position == kNoPosition) position = tree.impl->source.Find(name);
  return tree.impl->source.At(position == std::string::npos ? 0 : position);
}

// DuckDB calls an untyped NULL an INTEGER once it leaves the statement or one of its WITH queries; typeof inside tells. Asked only where a
// NULL, [] or MAP {} stands.
bool MayHoldUntypedNull(const Json& statement) {
  bool found = false;
  Walk(statement, [&](const Json& node, const Scope&) {
    found |= IsClass(node, "CONSTANT") && node["value"].value("is_null", false);
    found |= IsClass(node, "FUNCTION") && (node["children"].empty() || Is(node, "function_name", "map")) &&
             (Is(node, "function_name", "list_value") || Is(node, "function_name", "map"));
    return !found;
  });
  return found;
}

Result<Rows> TypesInside(SqlParser& parser, const std::string& sql, const std::vector<Parameter>& params) {
  return parser.WithConnection([&](Connection& c) {
    return c.Rows(fmt::format("SELECT typeof(COLUMNS(*)) FROM (SELECT * FROM ({}\n) LIMIT 0) RIGHT JOIN (SELECT 1) ON true", sql), params);
  });
}

// The types as they are without WITH; nullopt where that can't be asked.
std::optional<Rows> TypesWithoutCtes(const SqlTree& tree, const Relations& relations, const std::map<std::string, contract::Schema>& inputs,
                                     const std::vector<Parameter>& params) {
  auto flat = std::make_shared<SqlTree::Impl>(*tree.impl);
  auto statement = WithoutCtes(flat->statement);
  if (!statement) return std::nullopt;
  flat->statement = *std::move(statement);
  const auto lowered = LowerTree(SqlTree{flat}, relations, inputs);
  if (!lowered) return std::nullopt;
  auto rows = TypesInside(*flat->parser, lowered->sql, params);
  return rows ? std::optional(*std::move(rows)) : std::nullopt;
}

Status FindUntypedNulls(const SqlTree& tree, const std::string& sql, const Relations& relations,
                        const std::map<std::string, contract::Schema>& inputs, const std::vector<Parameter>& params, Columns* columns) {
  if (!MayHoldUntypedNull(tree.impl->statement)) return Ok();
  auto flat = TypesWithoutCtes(tree, relations, inputs, params);
  SLUICE_TRY(const Rows rows, flat ? Result<Rows>(*std::move(flat)) : TypesInside(*tree.impl->parser, sql, params));
  for (size_t i = 0; i < columns->size() && !rows.empty() && i < rows[0].size(); ++i)
    if (rows[0][i] && rows[0][i]->find("\"NULL\"") != std::string::npos) (*columns)[i].duckdb_type = *rows[0][i];
  return Ok();
}

// Delta's column names without column mapping.
bool IsStorableName(const std::string& name) { return !name.empty() && name.find_first_of(" ,;{}()\n\t=") == std::string::npos; }

Error UnnamedColumn(const SqlTree& tree, size_t index, const std::string& name) {
  const Json* item = ItemOf(tree, index, name);
  const bool is_computed = item && NameOf(*item).empty();
  return UserError("unnamed-column", is_computed
                                         ? fmt::format("the expression {} needs a name", name)
                                         : fmt::format("\"{}\" cannot be a column's name: Delta allows none of ' ,;{{}}()=' in it", name))
      .Hint("name it: … AS total");
}

Result<contract::Schema> ToSchema(const SqlTree& tree, const Columns& columns, const BindOptions& options) {
  contract::Schema schema;
  Diagnostics diagnostics;
  std::set<std::string> seen;
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto& [name, type] = columns[i];
    auto normalised = NormaliseType(type);
    if (!normalised) {
      Error error = std::move(normalised).error();
      error.message = fmt::format("column \"{}\": {}", name, error.message);
      diagnostics.Add(std::move(error).At(PlaceOf(tree, i, name)));
    }
    if (options.named_output && !IsStorableName(name)) diagnostics.Add(UnnamedColumn(tree, i, name).At(PlaceOf(tree, i, name)));
    if (options.named_output && !seen.insert(ToLower(name)).second)
      diagnostics.Add(UserError("duplicate-column", fmt::format("two columns are called \"{}\"", name))
                          .At(PlaceOf(tree, i, name))
                          .Hint("give one another name with AS, or leave it out with EXCLUDE"));
    if (normalised) schema.fields.push_back({name, *std::move(normalised), true, {}});
  }
  if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
  return schema;
}

constexpr std::string_view kDescribe = "DESCRIBE ";

}  // namespace

std::string EmptyRelation(const contract::Schema& schema) {
  std::vector<std::string> columns;
  for (const contract::Field& field : schema.fields)
    columns.push_back(fmt::format("CAST(NULL AS {}) AS {}", field.type.ToDuckDb(), QuoteIdentifier(field.name)));
  return fmt::format("(SELECT {} WHERE false)", Join(columns, ", "));
}

Result<contract::Schema> BindTree(const SqlTree& tree, const std::map<std::string, contract::Schema>& inputs,
                                  const std::vector<Parameter>& params, const BindOptions& options) {
  SLUICE_CHECK(CheckTables(tree, inputs));
  SLUICE_CHECK(CheckParameters(tree, params));
  Relations relations;
  for (const TableUse& use : tree.uses()) relations[use.id()] = EmptyRelation(inputs.at(use.id()));
  SLUICE_TRY(const Lowered lowered, LowerTree(tree, relations, inputs));
  SqlParser& parser = *tree.impl->parser;
  auto described = parser.WithConnection([&](Connection& c) { return c.Rows(std::string(kDescribe) + lowered.sql, params); });
  Columns columns;
  if (described)
    for (const auto& row : *described) columns.push_back({row.at(0).value_or(""), row.at(1).value_or("")});
  Status nulls = described ? FindUntypedNulls(tree, lowered.sql, relations, inputs, params, &columns) : Status(Fail(described.error()));
  if (!described) {
    const auto original = [&](uint64_t offset) {
      return offset < kDescribe.size() ? kNoPosition : lowered.Original(offset - kDescribe.size());
    };
    return Fail(TranslateBindError(nulls.error(), {tree.impl->source, inputs, tree.uses(), original}));
  }
  if (!nulls)
    return Fail(TranslateBindError(nulls.error(), {tree.impl->source, inputs, tree.uses(), [](uint64_t) { return kNoPosition; }}));
  SLUICE_CHECK(CheckCompared(tree, inputs, params));
  return ToSchema(tree, columns, options);
}

}  // namespace sluice::engines
