// PostgreSQL's binary rows: whatever a server may send is read, or refused; a decimal is the number that its exact text is.
#include <arrow/api.h>

#include "core/text.h"
#include "input.h"
#include "sources/postgres/decode.h"

namespace sluice::fuzz {
namespace {

using namespace sources::postgres;  // NOLINT: all of it is about this

constexpr Wire kWires[] = {Wire::kBoolean, Wire::kInt2,    Wire::kInt4,      Wire::kInt8,       Wire::kOid,   Wire::kFloat4,
                           Wire::kFloat8,  Wire::kDecimal, Wire::kNumeric,   Wire::kText,       Wire::kJsonb, Wire::kBytea,
                           Wire::kUuid,    Wire::kDate,    Wire::kTimestamp, Wire::kTimestampTz};

WireType TypeOf(Settings& settings) {
  WireType type{kWires[settings.Next(std::size(kWires))]};
  type.precision = 1 + static_cast<int>(settings.Next(38));
  type.scale = static_cast<int>(settings.Next(static_cast<unsigned>(type.precision) + 1));
  if (settings.Next(3) > 0) return type;
  return {Wire::kArray, Ask::kAsIs, 0, 0, std::make_shared<const WireType>(type)};
}

// Has the text, whatever zeros end it, this value?
bool IsTheNumber(std::string text, const arrow::Decimal128& value, int32_t scale) {
  if (text.find('.') != std::string::npos) {
    while (text.ends_with('0')) text.pop_back();
    if (text.ends_with('.')) text.pop_back();
  }
  arrow::Decimal128 number;
  int32_t precision = 0, own_scale = 0;
  if (!arrow::Decimal128::FromString(text, &number, &precision, &own_scale).ok()) return false;
  const auto rescaled = number.Rescale(own_scale, scale);
  return rescaled.ok() && *rescaled == value;
}

void CompareDecimals(const WireType& type, const arrow::Array& array, std::span<const Value> values) {
  if (type.wire != Wire::kDecimal || array.type_id() != arrow::Type::DECIMAL128) return;
  const auto& decimals = static_cast<const arrow::Decimal128Array&>(array);
  for (int64_t i = 0; i < array.length(); ++i) {
    if (array.IsNull(i)) continue;
    const auto text = NumericText(values[static_cast<size_t>(i)]);
    const arrow::Decimal128 value(decimals.GetValue(i));
    Require(text && IsTheNumber(*text, value, type.scale), "a decimal is its text",
            text.value_or("an error") + " " + value.ToString(type.scale));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Settings settings(data, size);
  const WireType types[] = {TypeOf(settings), TypeOf(settings)};
  const std::string_view bytes = settings.text();
  (void)CopyHeaderSize(bytes);
  std::string shortened(bytes);
  (void)ShortenRow(&shortened, 0, settings.Next(64));
  const auto rows = SplitCopyRows(bytes, std::size(types));
  if (!rows) return 0;
  for (size_t i = 0; i < std::size(types); ++i) {
    std::vector<Unfit> unfit;
    const auto array = DecodeValues(types[i], rows->column(i), &unfit);
    if (!array) continue;
    Require((*array)->length() == static_cast<int64_t>(rows->rows), "as many values as rows", "");
    Require((*array)->ValidateFull().ok() || (*array)->type_id() == arrow::Type::STRING || types[i].wire == Wire::kArray, "a valid array",
            (*array)->ValidateFull().ToString());
    CompareDecimals(types[i], **array, rows->column(i));
  }
  return 0;
}

}  // namespace sluice::fuzz
