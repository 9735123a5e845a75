#pragma once
// The one type system between rooms (design section 4): contract spelling ↔ Arrow ↔ Delta ↔ DuckDB ↔ Spark.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace sluice::contract {

enum class TypeKind {
  kBoolean,
  kTinyint,
  kSmallint,
  kInteger,
  kBigint,
  kFloat,
  kDouble,
  kDecimal,
  kString,
  kBinary,
  kDate,
  kTimestamp,     // an instant, microseconds UTC
  kTimestampNtz,  // a wall clock, microseconds
  kStruct,
  kList,
  kMap,
};

struct Field;

struct DataType {
  TypeKind kind = TypeKind::kString;
  int precision = 0, scale = 0;  // kDecimal: 1 ≤ precision ≤ 38, 0 ≤ scale ≤ precision
  std::vector<Field> children;   // kStruct: its fields; kList: one, "element"; kMap: two, "key" and "value"

  static DataType Of(TypeKind kind);
  static DataType Decimal(int precision, int scale);
  static DataType Struct(std::vector<Field> fields);
  static DataType List(DataType element, bool element_nullable = true);
  static DataType Map(DataType key, DataType value, bool value_nullable = true);

  bool is_nested() const { return kind == TypeKind::kStruct || kind == TypeKind::kList || kind == TypeKind::kMap; }
  bool is_integer() const { return kind >= TypeKind::kTinyint && kind <= TypeKind::kBigint; }
  bool is_number() const { return is_integer() || kind == TypeKind::kFloat || kind == TypeKind::kDouble || kind == TypeKind::kDecimal; }
  // Contract spelling: "decimal(12,2)", "list<string>", "map<string, bigint>", "struct<a: bigint, b: list<date>>".
  std::string ToString() const;
  // DuckDB spelling: "DECIMAL(12,2)", "VARCHAR[]", "STRUCT(\"a\" BIGINT)".
  std::string ToDuckDb() const;
  // Shape only: names, types, nullability; not the metadata of nested fields.
  bool operator==(const DataType& other) const;
};

struct Field {
  std::string name;
  DataType type;
  bool nullable = true;
  // Delta's field metadata: key → JSON text of the value ("delta.generationExpression" → "\"date_format(…)\"").
  std::map<std::string, std::string> metadata;
  bool operator==(const Field&) const = default;
};

inline DataType DataType::Of(TypeKind kind) { return {kind, 0, 0, {}}; }
inline DataType DataType::Decimal(int precision, int scale) { return {TypeKind::kDecimal, precision, scale, {}}; }

struct Schema {
  std::vector<Field> fields;
  // Names compare case-insensitively; -1 if absent.
  int IndexOf(std::string_view name) const;
  const Field* Find(std::string_view name) const;
  std::vector<std::string> Names() const;
  bool operator==(const Schema&) const = default;
};

// Parses the contract spelling, case-insensitive; accepts the aliases int, long, bigint, text, varchar, bool, real, numeric(p,s),
// timestamptz, array<…>. Errors: code "unknown-type" with a suggestion, "bad-decimal".
Result<DataType> ParseType(std::string_view text);

// May a column of type `from` become `to` without losing a value? (int → bigint, float → double, decimal growing on both
// sides, date → timestamp_ntz; struct by added nullable fields; never anything → string.)
bool IsWidening(const DataType& from, const DataType& to);

// Columns every bronze row carries, in this order, after the contract's (design section 2): _run_id string, _batch_id bigint,
// _source string, _file string, _row bigint (1-based record number in the file), _ingested_at timestamp, _execution_date date.
const std::vector<Field>& BronzeMetadataColumns();
// Columns every stored model carries: _run_id string, _batch_id bigint.
const std::vector<Field>& ModelMetadataColumns();
bool IsMetadataColumn(std::string_view name);  // any of the names above
// What a row of changes(t) has beside the table's columns, as Delta's change data feed names it: _change_type string, _commit_version
// bigint, _commit_timestamp timestamp. A table that keeps its changes can have no column of these names.
const std::vector<Field>& ChangeColumns();
bool IsChangeColumn(std::string_view name);

}  // namespace sluice::contract
