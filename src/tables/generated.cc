#include "tables/generated.h"

#include <arrow/array.h>
#include <arrow/array/builder_base.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/builder.h>
#include <arrow/scalar.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "contract/arrow_types.h"
#include "core/counted.h"
#include "core/time.h"
#include "tables/conform.h"

namespace sluice::tables {
namespace {

using contract::TypeKind;
using Kind = GenerationStep::Kind;

constexpr int64_t kSecond = 1'000'000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
int32_t DaysOf(int64_t micros) { return static_cast<int32_t>(FloorDiv(micros, kDay)); }

int64_t TruncateDays(TimeUnit unit, int64_t number) {
  const auto days = static_cast<int32_t>(number);
  const CivilDate date = CivilFromDays(days);
  switch (unit) {
    case TimeUnit::kYear:
      return DaysFromCivil(date.year, 1, 1);
    case TimeUnit::kQuarter:
      return DaysFromCivil(date.year, (date.month - 1) / 3 * 3 + 1, 1);
    case TimeUnit::kMonth:
      return DaysFromCivil(date.year, date.month, 1);
    case TimeUnit::kWeek:  // begins on Monday; 1970-01-01 was a Thursday
      return days - (number + 3 - FloorDiv(number + 3, 7) * 7);
    default:
      return days;
  }
}

int64_t TruncateMicros(TimeUnit unit, int64_t micros) {
  const auto to = [&](int64_t step) { return FloorDiv(micros, step) * step; };
  switch (unit) {
    case TimeUnit::kHour:
      return to(kHour);
    case TimeUnit::kMinute:
      return to(kMinute);
    case TimeUnit::kSecond:
      return to(kSecond);
    case TimeUnit::kMillisecond:
      return to(1000);
    case TimeUnit::kMicrosecond:
      return micros;
    default:
      return TruncateDays(unit, DaysOf(micros)) * kDay;
  }
}

int64_t PartOfDays(TimeUnit unit, int64_t days) {
  const CivilDate date = CivilFromDays(static_cast<int32_t>(days));
  if (unit == TimeUnit::kYear) return date.year;
  return unit == TimeUnit::kMonth ? date.month : date.day;
}

// Years as Java's "y" has them: of their era, with a sign where they need more digits than the pattern says.
void AppendYear(int year, int width, std::string* out) {
  const int of_era = year > 0 ? year : 1 - year;
  if (width == 2) {
    *out += fmt::format("{:02}", of_era % 100);
    return;
  }
  if (width == 4 && of_era > 9999) *out += '+';
  *out += fmt::format("{:0{}}", of_era, width);
}

std::string FormatMicros(const TimePattern& pattern, int64_t micros) {
  const CivilDate date = CivilFromDays(DaysOf(micros));
  const int64_t of_day = micros - int64_t{DaysOf(micros)} * kDay;
  std::string out;
  const auto number = [&](int64_t value, int width) { out += fmt::format("{:0{}}", value, width); };
  for (const TimePattern::Part& part : pattern.parts) {
    switch (part.field) {
      case 'y':
        AppendYear(date.year, part.width, &out);
        break;
      case 'M':
        number(date.month, part.width);
        break;
      case 'd':
        number(date.day, part.width);
        break;
      case 'H':
        number(of_day / kHour, part.width);
        break;
      case 'm':
        number(of_day / kMinute % 60, part.width);
        break;
      case 's':
        number(of_day / kSecond % 60, part.width);
        break;
      default:
        out += part.literal;
    }
  }
  return out;
}

int64_t CharactersIn(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

// Spark's: positions before the text count towards the length.
std::string_view Substring(std::string_view text, int64_t begin, int64_t length) {
  const int64_t from = begin > 0 ? begin - 1 : begin < 0 ? CharactersIn(text) + begin : 0;
  const int64_t until = length > std::numeric_limits<int32_t>::max() ? length : from + length;
  if (until <= from) return {};
  size_t at = 0;
  int64_t characters = 0;
  const auto skip_to = [&](int64_t place) {
    while (at < text.size() && characters < place) {
      ++at;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
      ++characters;
    }
    return at;
  };
  const size_t first = skip_to(from);
  return text.substr(first, skip_to(until) - first);
}

std::string TextOfNumber(const GenerationStep& step, int64_t number) {
  switch (step.kind) {
    case Kind::kFormatMicros:
      return FormatMicros(step.pattern, number);
    case Kind::kDateText:
      return FormatDate(static_cast<int32_t>(number));
    case Kind::kBooleanText:
      return number != 0 ? "true" : "false";
    default:
      return std::to_string(number);
  }
}

template <typename Fill>
Result<std::shared_ptr<arrow::Array>> Build(const contract::DataType& type, int64_t rows, Fill fill) {
  const auto wrapped = [&]() -> arrow::Result<std::shared_ptr<arrow::Array>> {
    ARROW_ASSIGN_OR_RAISE(auto builder, arrow::MakeBuilder(contract::ToArrow(type)));
    ARROW_RETURN_NOT_OK(builder->Reserve(rows));
    ARROW_RETURN_NOT_OK(fill(builder.get()));
    return builder->Finish();
  };
  auto built = wrapped();
  if (!built.ok()) return Fail(BugError("arrow: " + built.status().ToString()));
  return *std::move(built);
}

template <typename Builder>
arrow::Status AppendNumbers(const Generated& generated, const std::vector<std::optional<int64_t>>& numbers, arrow::ArrayBuilder* builder) {
  auto& typed = static_cast<Builder&>(*builder);
  for (const auto& number : numbers) {
    if (number)
      ARROW_RETURN_NOT_OK(typed.Append(static_cast<typename Builder::value_type>(GeneratedNumber(generated, *number))));
    else
      ARROW_RETURN_NOT_OK(typed.AppendNull());
  }
  return arrow::Status::OK();
}

arrow::Status AppendTexts(const Generated& generated, const std::vector<std::optional<int64_t>>& numbers, arrow::ArrayBuilder* builder) {
  auto& typed = static_cast<arrow::StringBuilder&>(*builder);
  std::optional<int64_t> last;
  std::string text;
  for (const auto& number : numbers) {
    if (!number) {
      ARROW_RETURN_NOT_OK(typed.AppendNull());
      continue;
    }
    const int64_t key = GeneratedNumber(generated, *number);
    if (last != key) text = GeneratedText(generated, key);
    last = key;
    ARROW_RETURN_NOT_OK(typed.Append(text));
  }
  return arrow::Status::OK();
}

template <typename ArrayType>
void Read(const arrow::Array& array, std::vector<std::optional<int64_t>>* out) {
  const auto& values = static_cast<const ArrayType&>(array);
  for (int64_t i = 0; i < values.length(); ++i)
    (*out)[static_cast<size_t>(i)] = values.IsNull(i) ? std::nullopt : std::optional<int64_t>(values.Value(i));
}

Result<std::vector<std::optional<int64_t>>> NumbersOf(const arrow::Array& array) {
  std::vector<std::optional<int64_t>> out(static_cast<size_t>(array.length()));
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      Read<arrow::BooleanArray>(array, &out);
      break;
    case arrow::Type::INT8:
      Read<arrow::Int8Array>(array, &out);
      break;
    case arrow::Type::INT16:
      Read<arrow::Int16Array>(array, &out);
      break;
    case arrow::Type::INT32:
      Read<arrow::Int32Array>(array, &out);
      break;
    case arrow::Type::INT64:
      Read<arrow::Int64Array>(array, &out);
      break;
    case arrow::Type::DATE32:
      Read<arrow::Date32Array>(array, &out);
      break;
    case arrow::Type::TIMESTAMP:
      Read<arrow::TimestampArray>(array, &out);
      break;
    default:
      return Fail(BugError(fmt::format("a generated column of a {}", array.type()->ToString())));
  }
  return out;
}

Result<std::shared_ptr<arrow::Array>> GenerateFromTexts(const Generated& generated, const arrow::Array& source) {
  const auto& texts = static_cast<const arrow::StringArray&>(source);
  return Build(generated.type, source.length(), [&](arrow::ArrayBuilder* builder) {
    auto& typed = static_cast<arrow::StringBuilder&>(*builder);
    for (int64_t i = 0; i < texts.length(); ++i)
      ARROW_RETURN_NOT_OK(texts.IsNull(i) ? typed.AppendNull() : typed.Append(GeneratedText(generated, texts.GetView(i))));
    return arrow::Status::OK();
  });
}

std::string CellText(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "NULL";
  const auto scalar = array.GetScalar(row);
  return scalar.ok() ? (*scalar)->ToString() : "?";
}

bool IsEmptyText(const arrow::Array& array, int64_t row) {
  return array.type_id() == arrow::Type::STRING && array.IsValid(row) && static_cast<const arrow::StringArray&>(array).GetView(row).empty();
}

}  // namespace

int64_t GeneratedNumber(const Generated& generated, int64_t number) {
  for (const GenerationStep& step : generated.numbers) {
    switch (step.kind) {
      case Kind::kDaysOfMicros:
        number = DaysOf(number);
        break;
      case Kind::kMicrosOfDays:
        number *= kDay;
        break;
      case Kind::kPartOfDays:
        number = PartOfDays(step.unit, number);
        break;
      case Kind::kHourOfMicros:
        number = (number - DaysOf(number) * kDay) / kHour;
        break;
      case Kind::kTruncateDays:
        number = TruncateDays(step.unit, number);
        break;
      case Kind::kTruncateMicros:
        number = TruncateMicros(step.unit, number);
        break;
      default:
        break;
    }
  }
  return number;
}

std::string GeneratedText(const Generated& generated, int64_t number) {
  std::string text = TextOfNumber(generated.texts.front(), number);
  for (size_t i = 1; i < generated.texts.size(); ++i)
    text = std::string(Substring(text, generated.texts[i].begin, generated.texts[i].length));
  return text;
}

std::string GeneratedText(const Generated& generated, std::string_view text) {
  for (const GenerationStep& step : generated.texts) text = Substring(text, step.begin, step.length);
  return std::string(text);
}

bool IsMonotone(const Generated& generated) {
  for (size_t i = 0; i < generated.numbers.size(); ++i) {
    const GenerationStep& step = generated.numbers[i];
    if (step.kind == Kind::kHourOfMicros || (step.kind == Kind::kPartOfDays && step.unit != TimeUnit::kYear)) return false;
  }
  for (const GenerationStep& step : generated.texts) {
    if (step.kind == Kind::kIntegerText || step.kind == Kind::kBooleanText) return false;
    if (step.kind == Kind::kSubstring && (step.begin < 0 || step.begin > 1 || step.length < 1)) return false;
    if (step.kind != Kind::kFormatMicros) continue;
    // Each field of full width, the larger before the smaller, none left out.
    constexpr std::string_view kOrder = "yMdHms";
    size_t next = 0;
    for (const TimePattern::Part& part : step.pattern.parts) {
      if (part.field == 0) continue;
      if (next >= kOrder.size() || part.field != kOrder[next] || part.width != (part.field == 'y' ? 4 : 2)) return false;
      ++next;
    }
  }
  return true;
}

bool DependsOnZone(const Generated& generated) {
  const bool instant = generated.source_type.kind == TypeKind::kTimestamp;
  const auto crosses = [](const GenerationStep& step) { return step.kind == Kind::kMicrosOfDays; };
  const bool becomes_instant =
      generated.type.kind == TypeKind::kTimestamp &&
      (generated.source_type.kind == TypeKind::kTimestampNtz || std::any_of(generated.numbers.begin(), generated.numbers.end(), crosses));
  return (instant && !(generated.is_copy() && generated.type == generated.source_type)) || becomes_instant;
}

Result<std::shared_ptr<arrow::Array>> Generate(const Generated& generated, const arrow::Array& source) {
  const auto type = contract::ToArrow(generated.type);
  if (generated.is_copy() && generated.type == generated.source_type) return arrow::MakeArray(source.data());
  if (source.type_id() == arrow::Type::STRING) return GenerateFromTexts(generated, source);
  SLUICE_TRY(const auto numbers, NumbersOf(source));
  return Build(generated.type, source.length(), [&](arrow::ArrayBuilder* builder) {
    switch (type->id()) {
      case arrow::Type::INT8:
        return AppendNumbers<arrow::Int8Builder>(generated, numbers, builder);
      case arrow::Type::INT16:
        return AppendNumbers<arrow::Int16Builder>(generated, numbers, builder);
      case arrow::Type::INT32:
        return AppendNumbers<arrow::Int32Builder>(generated, numbers, builder);
      case arrow::Type::INT64:
        return AppendNumbers<arrow::Int64Builder>(generated, numbers, builder);
      case arrow::Type::DATE32:
        return AppendNumbers<arrow::Date32Builder>(generated, numbers, builder);
      case arrow::Type::TIMESTAMP:
        return AppendNumbers<arrow::TimestampBuilder>(generated, numbers, builder);
      case arrow::Type::STRING:
        return AppendTexts(generated, numbers, builder);
      default:
        return arrow::Status::TypeError(type->ToString());
    }
  });
}

Status CheckGenerated(const Generated& generated, const arrow::Array& source, const arrow::Array& given, bool empty_is_null) {
  SLUICE_TRY(const auto computed, Generate(generated, source));
  const auto options = arrow::EqualOptions().nans_equal(true);
  if (computed->Equals(given, options)) return Ok();
  const auto is_null = [&](const arrow::Array& array, int64_t row) {
    return array.IsNull(row) || (empty_is_null && IsEmptyText(array, row));
  };
  int64_t wrong = 0, first = 0;
  for (int64_t row = 0; row < given.length(); ++row) {
    const bool null = is_null(*computed, row);
    if (null == is_null(given, row) && (null || computed->RangeEquals(given, row, row + 1, row, options))) continue;
    if (wrong++ == 0) first = row;
  }
  if (wrong == 0) return Ok();
  return Fail(DataError("generated-value",
                        fmt::format("column \"{}\" is generated by {}: {} another value, the first {} where {} = {} gives {}",
                                    generated.column, generated.expression, Counted(wrong, "row has", "rows have"), CellText(given, first),
                                    generated.source, CellText(source, first), CellText(*computed, first)))
                  .Hint("leave the column out: it is computed, in UTC"));
}

}  // namespace sluice::tables
