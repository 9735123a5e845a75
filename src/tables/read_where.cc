#include "tables/read_where.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "core/text.h"
#include "core/time.h"
#include "tables/generated.h"

namespace sluice::tables {
namespace {

using contract::TypeKind;
using delta::PartitionComparison;
using Op = engines::Comparison::Op;
using PartitionOp = PartitionComparison::Op;

constexpr int64_t kDay = 86'400'000'000;
constexpr int64_t kMostZone = 18 * 3'600'000'000LL;  // what a zone can differ from UTC (java.time.ZoneOffset)
constexpr int kMostKeys = 1000;

// A value as a number (integers, days, microseconds) or text.
struct Constant {
  int64_t number = 0;
  std::string text;
};

bool IsInstant(TypeKind kind) { return kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampNtz; }

// The SQL of a value of `type` as Constant has it, as text; "" for types that are not compared.
std::string RawSql(const contract::DataType& type, const std::string& value) {
  if (type.is_integer()) return fmt::format("CAST(CAST({} AS BIGINT) AS VARCHAR)", value);
  if (type.kind == TypeKind::kDate) return fmt::format("CAST(date_diff('day', DATE '1970-01-01', {}) AS VARCHAR)", value);
  if (IsInstant(type.kind)) return fmt::format("CAST(epoch_us({}) AS VARCHAR)", value);
  return type.kind == TypeKind::kString ? value : "";
}

std::optional<Constant> ConstantOf(const contract::DataType& type, const std::string& raw) {
  Constant constant;
  constant.text = raw;
  if (type.kind == TypeKind::kString) return constant;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), constant.number);
  return error == std::errc() && end == raw.data() + raw.size() ? std::optional(constant) : std::nullopt;
}

// The protocol's text.
std::string PartitionText(const contract::DataType& type, const Constant& constant) {
  if (type.kind == TypeKind::kDate) return FormatDate(static_cast<int32_t>(constant.number));
  if (IsInstant(type.kind)) return FormatTimestamp(constant.number);
  return type.kind == TypeKind::kString ? constant.text : std::to_string(constant.number);
}

PartitionOp OpOf(Op op) {
  switch (op) {
    case Op::kEqual:
      return PartitionOp::kEqual;
    case Op::kLess:
      return PartitionOp::kLess;
    case Op::kLessOrEqual:
      return PartitionOp::kLessOrEqual;
    case Op::kGreater:
      return PartitionOp::kGreater;
    case Op::kGreaterOrEqual:
      return PartitionOp::kGreaterOrEqual;
  }
  return PartitionOp::kEqual;
}

// What a comparison implies of the partition columns, by what it says: conditions of one key can be put together by OR.
using Implied = std::map<std::string, delta::PartitionCondition>;

class PartitionReading {
 public:
  static std::optional<PartitionReading> Of(const FileFacts& facts) {
    PartitionReading reading(facts);
    for (const std::string& name : facts.partition_columns) {
      const contract::Field* field = facts.schema.Find(name);
      if (field == nullptr) return std::nullopt;
      const auto generated = GeneratedOf(*field, facts.schema);
      reading.columns_.push_back({field, generated && *generated ? std::optional(**generated) : std::nullopt});
    }
    return reading;
  }

  // Does a comparison of this column say anything of the partitions?
  bool Matters(const contract::Field& field) const {
    if (RawSql(field.type, "x").empty()) return false;
    return std::any_of(columns_.begin(), columns_.end(), [&](const Column& column) {
      return column.field == &field || (column.generated && column.generated->source == field.name);
    });
  }

  Implied Implications(const contract::Field& field, Op op, const Constant& value) const {
    Implied implied;
    for (const Column& column : columns_) {
      if (column.field == &field) implied[field.name] = {Comparison(column, OpOf(op), PartitionText(field.type, value))};
      if (column.generated && column.generated->source == field.name) Derive(column, op, value, &implied);
    }
    return implied;
  }

 private:
  struct Column {
    const contract::Field* field;
    std::optional<Generated> generated;
  };
  explicit PartitionReading(const FileFacts& facts) : facts_(facts) {}

  PartitionComparison Comparison(const Column& column, PartitionOp op, std::string value) const {
    return {delta::PhysicalName(*column.field, facts_.mapping), column.field->type.kind, op, std::move(value)};
  }

  // What the column has for `value`, moved by as much as the zone of its writer may have moved it.
  static std::string Moved(const Generated& generated, Constant value, int sign) {
    if (!DependsOnZone(generated)) sign = 0;
    value.number += sign * (generated.source_type.kind == TypeKind::kDate ? 1 : kMostZone);
    if (generated.source_type.kind == TypeKind::kString) return GeneratedText(generated, value.text);
    Constant result{GeneratedNumber(generated, value.number), ""};
    if (!generated.texts.empty()) return GeneratedText(generated, result.number);
    if (generated.type.kind == TypeKind::kTimestamp) result.number += sign * kMostZone;
    return PartitionText(generated.type, result);
  }

  void Derive(const Column& column, Op op, Constant value, Implied* implied) const {
    const Generated& generated = *column.generated;
    constexpr int64_t kFar = int64_t{1} << 62;
    if (value.number > kFar || value.number < -kFar) return;
    if (op == Op::kLess) --value.number;  // of texts there is no next one
    if (op == Op::kGreater) ++value.number;
    const std::string& name = column.field->name;
    if (op == Op::kEqual && !DependsOnZone(generated))
      (*implied)[name + " ="] = {Comparison(column, PartitionOp::kEqual, Moved(generated, value, 0))};
    if (!IsMonotone(generated)) return;
    if (op != Op::kLess && op != Op::kLessOrEqual) {
      delta::PartitionCondition& lower = (*implied)[name + " >="];
      lower = {Comparison(column, PartitionOp::kGreaterOrEqual, Moved(generated, value, -1))};
      // Years of more than four digits have a sign before them.
      if (generated.type.kind == TypeKind::kString) lower.push_back(Comparison(column, PartitionOp::kLess, "0"));
    }
    if (op != Op::kGreater && op != Op::kGreaterOrEqual)
      (*implied)[name + " <="] = {Comparison(column, PartitionOp::kLessOrEqual, Moved(generated, value, 1))};
  }

  const FileFacts& facts_;
  std::vector<Column> columns_;
};

void Append(delta::PartitionCondition more, delta::PartitionCondition* to) { std::move(more.begin(), more.end(), std::back_inserter(*to)); }

// (a OR b OR …), each of which implies something: what each implies in the same way, together; else the first of each.
void AddEither(const std::vector<Implied>& items, delta::PartitionConditions* all) {
  if (items.empty() || std::any_of(items.begin(), items.end(), [](const Implied& item) { return item.empty(); })) return;
  bool any = false;
  for (const auto& [key, condition] : items.front()) {
    const bool common = std::all_of(items.begin(), items.end(), [&](const Implied& item) { return item.contains(key); });
    if (!common) continue;
    delta::PartitionCondition either;
    for (const Implied& item : items) Append(item.at(key), &either);
    all->push_back(std::move(either));
    any = true;
  }
  if (any) return;
  delta::PartitionCondition either;
  for (const Implied& item : items) Append(item.begin()->second, &either);
  all->push_back(std::move(either));
}

// The values that comparisons are with, all by one query. A value that its column's type does not have exactly is none: p > 1.5 is not p
// > 2.
class Constants {
 public:
  size_t Ask(const contract::Field& field, const engines::Comparison& comparison) {
    const std::string cast = fmt::format("CAST(({}) AS {})", comparison.value, field.type.ToDuckDb());
    const std::string raw = RawSql(field.type, cast);
    sql_.push_back(comparison.is_text ? raw : fmt::format("CASE WHEN {} = ({}) THEN {} END", cast, comparison.value, raw));
    types_.push_back(field.type);
    return sql_.size() - 1;
  }
  // Where one cannot be computed, none is known.
  void Compute(engines::Connection& connection, const std::vector<engines::Parameter>& params) {
    values_.resize(sql_.size());
    if (sql_.empty()) return;
    const auto rows = connection.Rows("SELECT " + Join(sql_, ", "), params);
    if (!rows || rows->size() != 1) return;
    for (size_t i = 0; i < sql_.size(); ++i)
      if (const auto& raw = rows->front()[i]) values_[i] = ConstantOf(types_[i], *raw);
  }
  const std::optional<Constant>& At(size_t i) const { return values_[i]; }

 private:
  std::vector<std::string> sql_;
  std::vector<contract::DataType> types_;
  std::vector<std::optional<Constant>> values_;
};

// A comparison that says something of the partitions, and the place of its constant.
struct Asked {
  const contract::Field* field;
  Op op;
  size_t constant;
};
using AskedCondition = std::vector<Asked>;

// nullopt: one of them says nothing, and neither does the whole then.
std::optional<AskedCondition> AskAll(const FileFacts& facts, const PartitionReading& reading, const engines::Condition& condition,
                                     Constants* constants) {
  AskedCondition asked;
  std::vector<const contract::Field*> fields;
  for (const engines::Comparison& comparison : condition) {
    const contract::Field* field = facts.schema.Find(comparison.column);
    // A text compares as a number with a number.
    if (field == nullptr || !reading.Matters(*field) || (field->type.kind == TypeKind::kString && !comparison.is_text)) return std::nullopt;
    fields.push_back(field);
  }
  for (size_t i = 0; i < condition.size(); ++i) asked.push_back({fields[i], condition[i].op, constants->Ask(*fields[i], condition[i])});
  return asked;
}

}  // namespace

ReadWhere PartitionsOf(engines::Connection& connection, const FileFacts& facts, const engines::AnyConditions& any,
                       const std::vector<engines::Parameter>& params) {
  const auto reading = PartitionReading::Of(facts);
  if (!reading || facts.partition_columns.empty()) return std::nullopt;
  Constants constants;
  std::vector<std::vector<AskedCondition>> sets;
  for (const engines::Conditions& all : any) {
    auto& set = sets.emplace_back();
    for (const engines::Condition& condition : all)
      if (auto asked = AskAll(facts, *reading, condition, &constants)) set.push_back(*std::move(asked));
    if (set.empty()) return std::nullopt;
  }
  constants.Compute(connection, params);
  delta::AnyPartitionConditions where;
  for (const auto& set : sets) {
    delta::PartitionConditions all;
    for (const AskedCondition& condition : set) {
      std::vector<Implied> items;
      for (const Asked& asked : condition) {
        const auto& value = constants.At(asked.constant);
        items.push_back(value ? reading->Implications(*asked.field, asked.op, *value) : Implied());
      }
      AddEither(items, &all);
    }
    if (all.empty()) return std::nullopt;
    where.push_back(std::move(all));
  }
  return where;
}

ReadWhere PartitionsOf(engines::Connection& connection, const FileFacts& facts, const std::string& where, bool qualified) {
  if (where.empty() || facts.partition_columns.empty()) return std::nullopt;
  const engines::Conditions conditions = engines::ConditionsOf(connection, where, "target", qualified);
  return conditions.empty() ? std::nullopt : PartitionsOf(connection, facts, engines::AnyConditions{conditions});
}

ReadWhere PartitionsOfKeys(engines::Connection& connection, const FileFacts& facts, const std::vector<std::string>& key,
                           const std::string& keys) {
  const auto reading = PartitionReading::Of(facts);
  if (!reading) return std::nullopt;
  delta::PartitionConditions all;
  for (const std::string& name : key) {
    const contract::Field* field = facts.schema.Find(name);
    if (field == nullptr || !reading->Matters(*field)) continue;
    // Values of another type may equal several of this one: '1' and '01' are both 1.
    const auto type = connection.Describe(fmt::format("SELECT {} FROM {}", QuoteIdentifier(name), keys));
    const auto as = type ? engines::NormaliseType(type->front().duckdb_type) : Fail(type.error());
    if (!as || !(*as == field->type || (as->is_integer() && field->type.is_integer()))) continue;
    const std::string typed = fmt::format("CAST({} AS {})", QuoteIdentifier(name), field->type.ToDuckDb());
    const auto rows = connection.Rows(fmt::format("SELECT DISTINCT {} FROM {} WHERE {} IS NOT NULL LIMIT {}", RawSql(field->type, typed),
                                                  keys, QuoteIdentifier(name), kMostKeys + 1));
    if (!rows || rows->size() > kMostKeys) continue;
    std::vector<Implied> items;
    for (const auto& row : *rows) {
      const auto value = row[0] ? ConstantOf(field->type, *row[0]) : std::nullopt;
      items.push_back(value ? reading->Implications(*field, Op::kEqual, *value) : Implied());
    }
    AddEither(items, &all);
  }
  return all.empty() ? std::nullopt : ReadWhere({std::move(all)});
}

std::vector<const delta::Add*> FilesThere(const ReadWhere& where, std::vector<const delta::Add*> files) {
  if (where) std::erase_if(files, [&](const delta::Add* add) { return !delta::MayMeet(*where, add->partition_values); });
  return files;
}

}  // namespace sluice::tables
