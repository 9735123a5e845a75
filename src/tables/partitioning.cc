#include "tables/partitioning.h"

#include <arrow/array.h>
#include <arrow/util/decimal.h>
#include <fmt/format.h>

#include <array>
#include <set>

#include "core/text.h"
#include "core/time.h"
#include "delta/json_text.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;

constexpr std::string_view kExpressionKey = "delta.generationExpression";
constexpr std::string_view kNullFolder = "__HIVE_DEFAULT_PARTITION__";
// A folder's name may have 255 bytes; longer values are cut and told apart by their hash. Only the log decides what they are.
constexpr size_t kMaxFolderBytes = 200;

struct UnitName {
  DateUnit unit;
  const char *name, *format;
};
constexpr std::array kUnits = {UnitName{DateUnit::kYear, "year", "yyyy"}, UnitName{DateUnit::kMonth, "month", "yyyy-MM"},
                               UnitName{DateUnit::kDay, "day", "yyyy-MM-dd"}, UnitName{DateUnit::kHour, "hour", "yyyy-MM-dd-HH"}};

const UnitName& NameOf(DateUnit unit) { return kUnits[static_cast<size_t>(unit)]; }

std::string Expression(const Generated& generated) {
  const bool plain =
      generated.source.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string::npos;
  return fmt::format("date_format({}, '{}')", plain ? generated.source : "`" + generated.source + "`", NameOf(generated.unit).format);
}

Error BadPartition(const std::string& text, const std::string& why) {
  return UserError("bad-partition", fmt::format("partition_by: \"{}\": {}", text, why));
}

// "month(order_date)" → kMonth, "order_date"; nullopt if it is a plain column.
Result<std::optional<Generated>> ParseTransform(const std::string& text) {
  const size_t open = text.find('(');
  if (open == std::string::npos || !text.ends_with(')')) return std::optional<Generated>();
  const std::string name(Trim(std::string_view(text).substr(0, open)));
  const std::string column(Trim(std::string_view(text).substr(open + 1, text.size() - open - 2)));
  std::vector<std::string> known;
  for (const auto& unit : kUnits) {
    if (EqualsIgnoreCase(unit.name, name)) return Generated{column, unit.unit};
    known.emplace_back(unit.name);
  }
  return Fail(BadPartition(text, fmt::format("\"{}\" is none of year, month, day, hour{}", name, DidYouMean(name, known))));
}

Result<const Field*> FindColumn(const contract::Schema& schema, const std::string& name, const std::string& text) {
  if (const Field* field = schema.Find(name)) return field;
  return Fail(UserError("unknown-column",
                        fmt::format("partition_by: \"{}\": there is no column \"{}\"{}", text, name, DidYouMean(name, schema.Names()))));
}

Result<std::string> AddGenerated(const Generated& generated, const std::string& text, contract::Schema* schema) {
  SLUICE_TRY(const Field* source, FindColumn(*schema, generated.source, text));
  const TypeKind kind = source->type.kind;
  const bool timestamp = kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampNtz;
  if (!timestamp && (kind != TypeKind::kDate || generated.unit == DateUnit::kHour))
    return Fail(BadPartition(text, fmt::format("column \"{}\" is {}, not a {}", source->name, source->type.ToString(),
                                               generated.unit == DateUnit::kHour ? "timestamp" : "date or timestamp")));
  Field field{fmt::format("{}_{}", source->name, NameOf(generated.unit).name), DataType::Of(TypeKind::kString)};
  const std::string expression = delta::JsonString(Expression({source->name, generated.unit}));
  field.metadata[std::string(kExpressionKey)] = expression;
  if (const Field* present = schema->Find(field.name)) {
    const auto have = present->metadata.find(std::string(kExpressionKey));
    if (have != present->metadata.end() && have->second == expression) return present->name;
    return Fail(BadPartition(text, fmt::format("a column \"{}\" is there already", field.name)));
  }
  schema->fields.push_back(field);
  return field.name;
}

void AppendEscaped(std::string_view text, std::string* out) {
  constexpr std::string_view kEscaped = "\"#%'*/:=?\\\x7F{[]^";
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || kEscaped.find(c) != std::string_view::npos)
      *out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    else
      *out += c;
  }
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

Result<std::optional<Generated>> GeneratedOf(const Field& field) {
  const auto entry = field.metadata.find(std::string(kExpressionKey));
  if (entry == field.metadata.end()) return std::optional<Generated>();
  const std::string& json = entry->second;
  for (const auto& unit : kUnits) {
    const std::string head = "\"date_format(", tail = fmt::format(", '{}')\"", unit.format);
    if (!json.starts_with(head) || !json.ends_with(tail) || json.size() <= head.size() + tail.size()) continue;
    std::string source = json.substr(head.size(), json.size() - head.size() - tail.size());
    if (source.size() > 2 && source.front() == '`') source = source.substr(1, source.size() - 2);
    if (delta::JsonString(Expression({source, unit.unit})) == json) return Generated{source, unit.unit};
  }
  return Fail(UnsupportedError("unsupported-feature",
                               fmt::format("column \"{}\" is generated by {}, which cannot be computed yet", field.name, json)));
}

Result<std::vector<std::string>> ResolvePartitioning(const std::vector<std::string>& partition_by, contract::Schema* schema) {
  std::vector<std::string> columns;
  std::set<std::string> seen;
  for (const std::string& text : partition_by) {
    SLUICE_TRY(auto generated, ParseTransform(text));
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

int64_t UnitOfDays(DateUnit unit, int32_t days) {
  if (unit == DateUnit::kDay) return days;
  if (unit == DateUnit::kHour) return static_cast<int64_t>(days) * 24;
  const CivilDate date = CivilFromDays(days);
  return unit == DateUnit::kYear ? date.year - 1970 : (date.year - 1970) * 12LL + date.month - 1;
}

int64_t UnitOfMicros(DateUnit unit, int64_t micros) {
  constexpr int64_t kHour = 3600000000LL;
  const int64_t hour = micros >= 0 ? micros / kHour : -((-micros + kHour - 1) / kHour);
  if (unit == DateUnit::kHour) return hour;
  return UnitOfDays(unit, static_cast<int32_t>(hour >= 0 ? hour / 24 : -((-hour + 23) / 24)));
}

std::string UnitText(DateUnit unit, int64_t number) {
  const auto floor_div = [](int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); };
  switch (unit) {
    case DateUnit::kYear:
      return fmt::format("{:04}", 1970 + number);
    case DateUnit::kMonth: {
      const int64_t year = floor_div(number, 12);
      return fmt::format("{:04}-{:02}", 1970 + year, number - year * 12 + 1);
    }
    case DateUnit::kDay:
      return FormatDate(static_cast<int32_t>(number));
    case DateUnit::kHour: {
      const int64_t day = floor_div(number, 24);
      return fmt::format("{}-{:02}", FormatDate(static_cast<int32_t>(day)), number - day * 24);
    }
  }
  return "";
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
    AppendEscaped(column, &folder);
    folder += '=';
    const auto value = values.find(column);
    if (value == values.end() || !value->second)
      folder += kNullFolder;
    else
      AppendEscaped(*value->second, &folder);
    if (!path.empty()) path += '/';
    path += folder.size() > kMaxFolderBytes ? CutFolder(folder) : folder;
  }
  return path;
}

}  // namespace sluice::tables
