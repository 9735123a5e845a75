#include "tables/prune.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "tables/file_stats.h"
#include "tables/generated.h"
#include "tables/read_where.h"

namespace sluice::tables {
namespace {

using contract::TypeKind;

// Types whose order is the same here and at whoever wrote the statistics, and whose statistics have no exceptions (NaN).
bool HasOrder(const contract::DataType& type) {
  switch (type.kind) {
    case TypeKind::kTinyint:
    case TypeKind::kSmallint:
    case TypeKind::kInteger:
    case TypeKind::kBigint:
    case TypeKind::kDecimal:
    case TypeKind::kString:
    case TypeKind::kDate:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampNtz:
      return true;
    default:
      return false;
  }
}

bool IsInstant(const contract::DataType& type) { return type.kind == TypeKind::kTimestamp || type.kind == TypeKind::kTimestampNtz; }

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& other) { return EqualsIgnoreCase(other, name); });
}

BoundTexts PartitionBounds(const delta::Add& add, const std::string& physical) {
  auto value = std::find_if(add.partition_values.begin(), add.partition_values.end(),
                            [&](const auto& entry) { return EqualsIgnoreCase(entry.first, physical); });
  if (value == add.partition_values.end() || !value->second || value->second->empty()) return {};
  return {value->second, value->second};
}

// A relation of the files' bounds: place, lo, hi, each typed; NULL where unknown.
std::string BoundsRelation(const FileFacts& facts, const contract::Field& field, const std::vector<const delta::Add*>& files) {
  const std::string physical = delta::PhysicalName(field, facts.mapping);
  const bool partition = Contains(facts.partition_columns, field.name);
  std::vector<std::string> lows, highs;
  const auto literal = [](const std::optional<std::string>& text) { return text ? QuoteLiteral(*text) : std::string("NULL"); };
  for (const delta::Add* add : files) {
    const BoundTexts bounds = partition ? PartitionBounds(*add, physical) : BoundTextsOf(*add, physical);
    lows.push_back(literal(bounds.min));
    highs.push_back(literal(bounds.max));
  }
  const std::string type = field.type.ToDuckDb();
  // Statistics cut instants to milliseconds (PROTOCOL.md, "Per-file Statistics").
  const std::string widened = !partition && IsInstant(field.type) ? " + INTERVAL 1 MILLISECOND" : "";
  return fmt::format(
      "(SELECT place, TRY_CAST(lo AS {0}) AS lo, TRY_CAST(hi AS {0}){1} AS hi FROM (SELECT unnest(range({2})) AS place, "
      "unnest(CAST([{3}] AS VARCHAR[])) AS lo, unnest(CAST([{4}] AS VARCHAR[])) AS hi))",
      type, widened, files.size(), Join(lows, ", "), Join(highs, ", "));
}

// One comparison as SQL over the bounds lo_i and hi_i of its column; "true" where it does not tell.
std::string MayHold(const engines::Comparison& comparison, const contract::DataType& type, size_t i) {
  using Op = engines::Comparison::Op;
  // A text compares as a number with a number, and then its bounds say nothing.
  if (type.kind == TypeKind::kString && !comparison.is_text) return "true";
  const std::string& value = comparison.value;
  switch (comparison.op) {
    case Op::kEqual:
      return fmt::format("coalesce(lo_{0} <= {1} AND {1} <= hi_{0}, true)", i, value);
    case Op::kLess:
      return fmt::format("coalesce(lo_{} < {}, true)", i, value);
    case Op::kLessOrEqual:
      return fmt::format("coalesce(lo_{} <= {}, true)", i, value);
    case Op::kGreater:
      return fmt::format("coalesce(hi_{} > {}, true)", i, value);
    case Op::kGreaterOrEqual:
      return fmt::format("coalesce(hi_{} >= {}, true)", i, value);
  }
  return "true";
}

// Conditions as SQL over bounds, and the columns whose bounds it takes.
class ConditionSql {
 public:
  explicit ConditionSql(const FileFacts& facts) : facts_(facts) {}

  std::string Any(const engines::AnyConditions& any) {
    std::vector<std::string> sets;
    for (const engines::Conditions& all : any) sets.push_back(All(all));
    return Join(sets, " OR ");
  }
  const std::vector<const contract::Field*>& columns() const { return columns_; }

 private:
  std::string All(const engines::Conditions& all) {
    std::vector<std::string> items;
    for (const engines::Condition& condition : all) items.push_back("(" + Either(condition) + ")");
    return items.empty() ? "true" : "(" + Join(items, " AND ") + ")";
  }

  std::string Either(const engines::Condition& condition) {
    std::vector<std::string> items;
    for (const engines::Comparison& comparison : condition) {
      const contract::Field* field = facts_.schema.Find(comparison.column);
      if (field == nullptr || !HasOrder(field->type)) return "true";
      items.push_back(MayHold(comparison, field->type, Place(field)));
    }
    return Join(items, " OR ");
  }

  size_t Place(const contract::Field* field) {
    const auto at = std::find(columns_.begin(), columns_.end(), field);
    if (at != columns_.end()) return static_cast<size_t>(at - columns_.begin());
    columns_.push_back(field);
    return columns_.size() - 1;
  }

  const FileFacts& facts_;
  std::vector<const contract::Field*> columns_;
};

bool HasGenerated(const FileFacts& facts) {
  return std::any_of(facts.partition_columns.begin(), facts.partition_columns.end(), [&](const std::string& name) {
    const contract::Field* field = facts.schema.Find(name);
    return field != nullptr && IsGenerated(*field);
  });
}

}  // namespace

Result<std::vector<const delta::Add*>> FilesWithRows(engines::Connection& connection, const FileFacts& facts,
                                                     std::vector<const delta::Add*> files, const engines::AnyConditions& any,
                                                     const std::vector<engines::Parameter>& params) {
  // What the columns say from which partition columns are generated: where their files have no statistics, too.
  if (!any.empty() && HasGenerated(facts)) files = FilesThere(PartitionsOf(connection, facts, any, params), std::move(files));
  ConditionSql conditions(facts);
  const std::string sql = conditions.Any(any);
  if (conditions.columns().empty() || files.empty()) return files;
  std::string from;
  for (size_t i = 0; i < conditions.columns().size(); ++i)
    from += fmt::format("{}(SELECT place, lo AS lo_{}, hi AS hi_{} FROM {})", i ? " JOIN " : "", i, i,
                        BoundsRelation(facts, *conditions.columns()[i], files)) +
            (i ? " USING (place)" : "");
  const auto rows = connection.Rows(fmt::format("SELECT place FROM {} WHERE {} ORDER BY place", from, sql), params);
  if (!rows) return files;  // a value that is none of its type: the statement itself will say so
  std::vector<const delta::Add*> left;
  for (const auto& row : *rows) left.push_back(files[std::stoul(*row[0])]);
  return left;
}

Result<std::vector<const delta::Add*>> FilesWithKeys(engines::Connection& connection, const FileFacts& facts,
                                                     std::vector<const delta::Add*> files, const std::vector<std::string>& key,
                                                     const std::string& keys) {
  for (const std::string& name : key) {
    const contract::Field* field = facts.schema.Find(name);
    if (files.empty() || field == nullptr || !HasOrder(field->type)) continue;
    // The least key that is not below the file's bounds decides.
    const std::string sql = fmt::format(
        "WITH b AS MATERIALIZED {0} SELECT place FROM b WHERE lo IS NULL OR hi IS NULL UNION ALL SELECT b.place FROM (FROM b WHERE lo "
        "IS NOT NULL AND hi IS NOT NULL) b ASOF JOIN (SELECT DISTINCT {1} AS k FROM {2} WHERE {1} IS NOT NULL) k ON b.lo <= k.k WHERE "
        "k.k <= b.hi",
        BoundsRelation(facts, *field, files), QuoteIdentifier(name), keys);
    SLUICE_TRY(const auto rows, connection.Rows(sql));
    std::vector<bool> kept(files.size(), false);
    for (const auto& row : rows) kept[std::stoul(*row[0])] = true;
    std::vector<const delta::Add*> left;
    for (size_t i = 0; i < files.size(); ++i)
      if (kept[i]) left.push_back(files[i]);
    files = std::move(left);
  }
  return files;
}

Result<std::vector<bool>> MatchingPartitions(engines::Connection& connection, const FileFacts& facts, const std::string& where,
                                             const std::vector<const delta::PartitionValues*>& tuples) {
  std::vector<bool> out(tuples.size(), false);
  if (tuples.empty()) return out;
  std::vector<std::string> values, columns, typed;
  for (const std::string& name : facts.partition_columns) columns.push_back(QuoteIdentifier(name));
  for (size_t i = 0; i < tuples.size(); ++i) {
    std::vector<std::string> row = {std::to_string(i)};
    for (const std::string& name : facts.partition_columns) {
      const auto value = tuples[i]->find(delta::PhysicalName(*facts.schema.Find(name), facts.mapping));
      row.push_back(value == tuples[i]->end() || !value->second ? "NULL" : QuoteLiteral(*value->second));
    }
    values.push_back("(" + Join(row, ", ") + ")");
  }
  for (const std::string& name : facts.partition_columns)
    typed.push_back(fmt::format("CAST({0} AS {1}) AS {0}", QuoteIdentifier(name), facts.schema.Find(name)->type.ToDuckDb()));
  SLUICE_TRY(const auto rows,
             connection.Rows(fmt::format("SELECT __tuple FROM (SELECT __tuple, {} FROM (VALUES {}) v(__tuple, {})) WHERE {}",
                                         Join(typed, ", "), Join(values, ", "), Join(columns, ", "), where)));
  for (const auto& row : rows) out[std::stoul(*row[0])] = true;
  return out;
}

Result<std::vector<const delta::Add*>> FilesInPartitions(engines::Connection& connection, const FileFacts& facts,
                                                         const std::vector<const delta::Add*>& files, const std::string& where) {
  std::vector<const delta::PartitionValues*> tuples;
  for (const delta::Add* add : files) tuples.push_back(&add->partition_values);
  SLUICE_TRY(const auto matches, MatchingPartitions(connection, facts, where, tuples));
  std::vector<const delta::Add*> chosen;
  for (size_t i = 0; i < files.size(); ++i)
    if (matches[i]) chosen.push_back(files[i]);
  return chosen;
}

}  // namespace sluice::tables
