#include "tables/assignments.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;

// One that sets a column, or a field within it.
struct Placed {
  const Assignment* assignment;
  std::vector<const Field*> path;  // the column first
};

class Resolving {
 public:
  Resolving(engines::Connection& connection, const AssignedTable& table, const std::string& from, bool has_target)
      : connection_(connection), table_(table), from_(from), has_target_(has_target) {}

  Result<std::vector<ColumnValue>> Of(const std::vector<Assignment>& set) {
    std::vector<Placed> all;
    for (const Assignment& assignment : set) {
      SLUICE_TRY(Placed placed, Place(assignment));
      for (const Placed& other : all) SLUICE_CHECK(Distinct(other, placed));
      all.push_back(std::move(placed));
    }
    std::vector<ColumnValue> values;
    for (const Placed& placed : all) {
      const Field& column = *placed.path.front();
      if (std::any_of(values.begin(), values.end(), [&](const ColumnValue& value) { return value.column == column.name; })) continue;
      broken_.clear();
      std::vector<const Placed*> within;
      for (const Placed& other : all)
        if (other.path.front() == &column) within.push_back(&other);
      const std::string value = ValueOf(column, 0, within, "target." + QuoteIdentifier(column.name));
      values.push_back({column.name, value, broken_.empty() ? "" : fmt::format("coalesce({})", Join(broken_, ", "))});
    }
    return values;
  }

 private:
  Result<Placed> Place(const Assignment& assignment) const {
    const Field* field = table_.schema.Find(assignment.column);
    if (field == nullptr) return Fail(Unknown(assignment.column, table_.schema.Names()));
    if (std::find(table_.settable.begin(), table_.settable.end(), field->name) == table_.settable.end())
      return Fail(UserError("generated-column",
                            fmt::format("{}: column \"{}\" is computed from others and cannot be set", table_.name, field->name)));
    Placed placed{&assignment, {field}};
    if (!has_target_ && !assignment.fields.empty())
      return Fail(UserError("bad-assignment",
                            fmt::format("{}: {}: an INSERT gives whole columns, not fields of a struct", table_.name, PathOf(assignment)))
                      .Hint(fmt::format("give the struct: {{'{}': …}}", assignment.fields.front())));
    std::string path = field->name;
    for (const std::string& name : assignment.fields) {
      if (field->type.kind != TypeKind::kStruct)
        return Fail(UserError("bad-assignment", fmt::format("{}: {}: \"{}\" is {}, which has no fields to set", table_.name,
                                                            PathOf(assignment), path, field->type.ToString()))
                        .Hint("only fields of structs can be set alone; give a list or map as a whole"));
      const contract::Schema inner{field->type.children};
      const int at = inner.IndexOf(name);
      if (at < 0) return Fail(Unknown(path + "." + name, inner.Names()));
      field = &field->type.children[static_cast<size_t>(at)];
      placed.path.push_back(field);
      path += "." + field->name;
    }
    return placed;
  }

  Error Unknown(const std::string& path, const std::vector<std::string>& known) const {
    const std::string name = path.substr(path.rfind('.') + 1);
    return UserError("unknown-column", fmt::format("{} has no column \"{}\"{}", table_.name, path, DidYouMean(name, known)));
  }

  // Neither may lie within the other.
  Status Distinct(const Placed& a, const Placed& b) const {
    const size_t shared = std::min(a.path.size(), b.path.size());
    if (!std::equal(a.path.begin(), a.path.begin() + static_cast<std::ptrdiff_t>(shared), b.path.begin())) return Ok();
    const std::string one = PathOf(*a.assignment), other = PathOf(*b.assignment);
    const std::string what = a.path.size() == b.path.size()
                                 ? fmt::format("\"{}\" is set twice", one)
                                 : fmt::format("\"{}\" and \"{}\", which is part of it, are both set",
                                               a.path.size() < b.path.size() ? one : other, a.path.size() < b.path.size() ? other : one);
    return Fail(UserError("duplicate-assignment", fmt::format("{}: {}", table_.name, what)).Hint("say once what it becomes"));
  }

  // What `field`, the one at `depth` of the paths of `within`, becomes; `before`: what it is. A struct that is NULL becomes one whose
  // other fields are, as in Spark.
  std::string ValueOf(const Field& field, size_t depth, const std::vector<const Placed*>& within, const std::string& before) {
    if (within.empty()) return before;
    if (within.front()->path.size() == depth + 1) return Leaf(field, *within.front());
    std::vector<std::string> items;
    for (const Field& child : field.type.children) {
      std::vector<const Placed*> inner;
      for (const Placed* placed : within)
        if (placed->path[depth + 1] == &child) inner.push_back(placed);
      items.push_back(
          fmt::format("{} := {}", QuoteIdentifier(child.name),
                      ValueOf(child, depth + 1, inner, fmt::format("struct_extract({}, {})", before, QuoteLiteral(child.name)))));
    }
    return fmt::format("CAST(struct_pack({}) AS {})", Join(items, ", "), field.type.ToDuckDb());
  }

  std::string Leaf(const Field& field, const Placed& placed) {
    const std::string& sql = placed.assignment->value;
    if (field.type.is_integer()) AddFraction(field, placed);
    return fmt::format("CAST(({}) AS {})", sql, field.type.ToDuckDb());
  }

  // DuckDB rounds where it casts to an integer, texts too.
  void AddFraction(const Field& field, const Placed& placed) {
    const std::string& sql = placed.assignment->value;
    const auto described = connection_.Describe(fmt::format("SELECT ({}) FROM {}", sql, from_));
    if (!described || described->size() != 1) return;  // the statement itself will say what is wrong
    const std::string& type = described->front().duckdb_type;
    std::string number;
    if (type == "VARCHAR")
      number = fmt::format("TRY_CAST(({}) AS DOUBLE)", sql);
    else if (type == "FLOAT" || type == "DOUBLE" || (type.starts_with("DECIMAL") && !type.ends_with(",0)")))
      number = "(" + sql + ")";
    if (number.empty()) return;
    broken_.push_back(fmt::format(
        "CASE WHEN {0} <> trunc({0}) THEN {1} || CAST(({2}) AS VARCHAR) END", number,
        QuoteLiteral(fmt::format("\"{}\" is {}, and would be rounded: it is set to ", PathOf(*placed.assignment), field.type.ToString())),
        sql));
  }

  engines::Connection& connection_;
  const AssignedTable& table_;
  const std::string& from_;
  const bool has_target_;
  std::vector<std::string> broken_;
};

}  // namespace

Result<std::vector<ColumnValue>> ResolveAssignments(engines::Connection& connection, const AssignedTable& table,
                                                    const std::vector<Assignment>& set, const std::string& from, bool has_target) {
  return Resolving(connection, table, from, has_target).Of(set);
}

std::string EmptyRelation(const contract::Schema& schema, const std::string& alias) {
  std::vector<std::string> columns;
  for (const Field& field : schema.fields)
    columns.push_back(fmt::format("CAST(NULL AS {}) AS {}", field.type.ToDuckDb(), QuoteIdentifier(field.name)));
  return fmt::format("(SELECT {} WHERE false) {}", Join(columns, ", "), alias);
}

std::string PathOf(const Assignment& assignment) {
  std::string path = assignment.column;
  for (const std::string& field : assignment.fields) path += "." + field;
  return path;
}

}  // namespace sluice::tables
