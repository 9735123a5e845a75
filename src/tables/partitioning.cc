#include "tables/partitioning.h"

#include <arrow/array.h>
#include <arrow/util/decimal.h>
#include <fmt/format.h>

#include <array>
#include <cctype>
#include <set>

#include "core/text.h"
#include "core/time.h"
#include "delta/json_text.h"
#include "tables/generated.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;

constexpr std::string_view kExpressionKey = "delta.generationExpression";
constexpr std::string_view kNullFolder = "__HIVE_DEFAULT_PARTITION__";
// A folder's name may have 255 bytes; longer values are cut and told apart by their hash. Only the log decides what they are.
constexpr size_t kMaxFolderBytes = 200;

// What a project may ask for: the calendar units of a date or timestamp in UTC, as texts.
struct UnitName {
  const char *name, *format;
};
constexpr std::array kUnits = {UnitName{"year", "yyyy"}, UnitName{"month", "yyyy-MM"}, UnitName{"day", "yyyy-MM-dd"},
                               UnitName{"hour", "yyyy-MM-dd-HH"}};

struct Transform {
  std::string source;
  const UnitName* unit = nullptr;
  bool is_hour() const { return unit == &kUnits.back(); }
};

std::string Expression(const std::string& source, const UnitName& unit) {
  const bool plain = source.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string::npos &&
                     std::isdigit(static_cast<unsigned char>(source.front())) == 0;
  std::string quoted;
  for (const char c : source) quoted += c == '`' ? "``" : std::string(1, c);
  return fmt::format("date_format({}, '{}')", plain ? source : "`" + quoted + "`", unit.format);
}

Error BadPartition(const std::string& text, const std::string& why) {
  return UserError("bad-partition", fmt::format("partition_by: \"{}\": {}", text, why));
}

// "month(order_date)" → "order_date" and its unit; nullopt if it is a plain column.
Result<std::optional<Transform>> ParseTransform(const std::string& text) {
  const size_t open = text.find('(');
  if (open == std::string::npos || !text.ends_with(')')) return std::nullopt;
  const std::string name(Trim(std::string_view(text).substr(0, open)));
  const std::string column(Trim(std::string_view(text).substr(open + 1, text.size() - open - 2)));
  std::vector<std::string> known;
  for (const auto& unit : kUnits) {
    if (EqualsIgnoreCase(unit.name, name)) return Transform{column, &unit};
    known.emplace_back(unit.name);
  }
  return Fail(BadPartition(text, fmt::format("\"{}\" is none of year, month, day, hour{}", name, DidYouMean(name, known))));
}

Result<const Field*> FindColumn(const contract::Schema& schema, const std::string& name, const std::string& text) {
  if (const Field* field = schema.Find(name)) return field;
  return Fail(UserError("unknown-column",
                        fmt::format("partition_by: \"{}\": there is no column \"{}\"{}", text, name, DidYouMean(name, schema.Names()))));
}

bool IsSame(const Generated& a, const Generated& b) {
  return a.source == b.source && a.type == b.type && a.numbers == b.numbers && a.texts == b.texts;
}

Result<std::string> AddGenerated(const Transform& transform, const std::string& text, contract::Schema* schema) {
  SLUICE_TRY(const Field* source, FindColumn(*schema, transform.source, text));
  const TypeKind kind = source->type.kind;
  const bool timestamp = kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampNtz;
  if (!timestamp && (kind != TypeKind::kDate || transform.is_hour()))
    return Fail(BadPartition(text, fmt::format("column \"{}\" is {}, not a {}", source->name, source->type.ToString(),
                                               transform.is_hour() ? "timestamp" : "date or timestamp")));
  Field field{fmt::format("{}_{}", source->name, transform.unit->name), DataType::Of(TypeKind::kString)};
  field.metadata[std::string(kExpressionKey)] = delta::JsonString(Expression(source->name, *transform.unit));
  const Field* present = schema->Find(field.name);
  if (present == nullptr) {
    schema->fields.push_back(field);
    return field.name;
  }
  const auto have = GeneratedOf(*present, *schema), wanted = GeneratedOf(field, *schema);
  if (have && *have && wanted && IsSame(**have, **wanted)) return present->name;
  return Fail(BadPartition(text, fmt::format("a column \"{}\" is there already", field.name)));
}

// Never cuts a UTF-8 sequence.
std::string CutFolder(const std::string& folder) {
  size_t end = kMaxFolderBytes - 20;
  while (end > 0 && (static_cast<unsigned char>(folder[end]) & 0xC0) == 0x80) --end;
  return folder.substr(0, end) + "~" + Hex(Hash64(folder));
}

template <typename ArrayType>
std::string NumberAt(const arrow::Array& array, int64_t row) {
  return fmt::format("{}", static_cast<const ArrayType&>(array).Value(row));
}

template <typename ArrayType>
std::string FloatAt(const arrow::Array& array, int64_t row) {
  const auto value = static_cast<const ArrayType&>(array).Value(row);
  if (value != value) return "NaN";
  if (value > std::numeric_limits<decltype(value)>::max()) return "Infinity";
  if (value < std::numeric_limits<decltype(value)>::lowest()) return "-Infinity";
  return fmt::format("{}", value);
}

}  // namespace

Result<std::vector<std::string>> ResolvePartitioning(const std::vector<std::string>& partition_by, contract::Schema* schema) {
  std::vector<std::string> columns;
  std::set<std::string> seen;
  for (const std::string& text : partition_by) {
    SLUICE_TRY(const auto generated, ParseTransform(text));
    std::string name;
    if (generated) {
      SLUICE_TRY(name, AddGenerated(*generated, text, schema));
    } else {
      SLUICE_TRY(const Field* field, FindColumn(*schema, text, text));
      if (field->type.is_nested()) return Fail(BadPartition(text, fmt::format("it is a {}", field->type.ToString())));
      name = field->name;
    }
    if (!seen.insert(ToLower(name)).second) return Fail(BadPartition(text, "it is listed twice"));
    columns.push_back(std::move(name));
  }
  if (!columns.empty() && columns.size() >= schema->fields.size())
    return Fail(BadPartition(partition_by.back(), "a table cannot be partitioned by all its columns"));
  return columns;
}

std::string DecimalText(const std::string& unscaled_digits, int scale) {
  if (scale == 0) return unscaled_digits;
  const bool negative = unscaled_digits.starts_with('-');
  std::string digits = unscaled_digits.substr(negative ? 1 : 0);
  if (static_cast<int>(digits.size()) <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
  digits.insert(digits.size() - scale, ".");
  return negative ? "-" + digits : digits;
}

Result<std::optional<std::string>> PartitionTextAt(const arrow::Array& array, int64_t row) {
  using Text = std::optional<std::string>;
  if (array.IsNull(row)) return Text();
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return Text(static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false");
    case arrow::Type::INT8:
      return Text(NumberAt<arrow::Int8Array>(array, row));
    case arrow::Type::INT16:
      return Text(NumberAt<arrow::Int16Array>(array, row));
    case arrow::Type::INT32:
      return Text(NumberAt<arrow::Int32Array>(array, row));
    case arrow::Type::INT64:
      return Text(NumberAt<arrow::Int64Array>(array, row));
    case arrow::Type::FLOAT:
      return Text(FloatAt<arrow::FloatArray>(array, row));
    case arrow::Type::DOUBLE:
      return Text(FloatAt<arrow::DoubleArray>(array, row));
    case arrow::Type::DATE32:
      return Text(FormatDate(static_cast<const arrow::Date32Array&>(array).Value(row)));
    case arrow::Type::TIMESTAMP:
      return Text(FormatTimestamp(static_cast<const arrow::TimestampArray&>(array).Value(row)));
    case arrow::Type::DECIMAL128: {
      const auto& decimals = static_cast<const arrow::Decimal128Array&>(array);
      const int scale = static_cast<const arrow::Decimal128Type&>(*array.type()).scale();
      return Text(DecimalText(arrow::Decimal128(decimals.GetValue(row)).ToIntegerString(), scale));
    }
    case arrow::Type::STRING:
    case arrow::Type::BINARY: {
      const std::string_view bytes = static_cast<const arrow::BinaryArray&>(array).GetView(row);
      if (bytes.empty()) return Text();
      if (!IsValidUtf8(bytes)) return Fail(DataError("bad-partition", "a partition value is binary that is no UTF-8 text"));
      return Text(std::string(bytes));
    }
    default:
      return Fail(BugError(fmt::format("a partition column of type {}", array.type()->ToString())));
  }
}

std::string PartitionFolder(const std::vector<std::string>& columns, const delta::PartitionValues& values) {
  std::string path;
  for (const std::string& column : columns) {
    std::string folder;
    folder += PercentEncode(column, /*keep_slash=*/false);
    folder += '=';
    const auto value = values.find(column);
    if (value == values.end() || !value->second)
      folder += kNullFolder;
    else
      folder += PercentEncode(*value->second, /*keep_slash=*/false);
    if (!path.empty()) path += '/';
    path += folder.size() > kMaxFolderBytes ? CutFolder(folder) : folder;
  }
  return path;
}

}  // namespace sluice::tables
