#include "contract/text_decoder.h"

#include "contract/number_style.h"

namespace sluice::contract {

Result<TextDecoder> TextDecoder::Make(const DataType& type, const std::vector<std::string>& formats, std::string_view zone,
                                      const Location& where) {
  TextDecoder decoder;
  decoder.type_ = type;
  for (const std::string& text : formats) {
    auto format = TimeFormat::Compile(text);
    if (!format) return Fail(std::move(format.error()).At(where));
    decoder.formats_.push_back(std::move(*format));
  }
  if (type.kind == TypeKind::kTimestamp && !zone.empty()) {
    auto loaded = Zone::Load(zone);
    if (!loaded) return Fail(std::move(loaded.error()).At(where));
    decoder.zone_ = std::move(*loaded);
    decoder.has_zone_ = true;
  }
  return decoder;
}

Result<TextDecoder> TextDecoder::ForColumn(const ColumnContract& column, const Contract& contract) {
  SLUICE_TRY(TextDecoder decoder, Make(column.type, column.formats, column.zone ? *column.zone : contract.zone, column.where));
  if (column.type.is_number()) decoder.style_ = StyleOf(column, contract);
  return decoder;
}

TextDecoder TextDecoder::WithoutStyle() const {
  TextDecoder plain = *this;
  plain.style_ = {};
  return plain;
}

Decoded TextDecoder::ParseTime(std::string_view text, TimeText* out) const {
  if (formats_.empty()) return DecodeIsoTime(text, out);
  // What the nearest format says is the better reason: one that reads the text but finds no such day.
  Decoded reason = Decoded::kSyntax;
  for (const TimeFormat& format : formats_) {
    const Decoded outcome = format.Parse(text, out);
    if (outcome == Decoded::kOk) return outcome;
    if (reason == Decoded::kSyntax) reason = outcome;
  }
  return reason;
}

Decoded TextDecoder::Date(std::string_view text, int32_t* days) const {
  if (formats_.empty()) return DecodeIsoDate(text, days);
  TimeText time;
  if (const Decoded outcome = ParseTime(text, &time); outcome != Decoded::kOk) return outcome;
  if (time.local_micros % 86400000000LL != 0) return Decoded::kInexact;
  *days = static_cast<int32_t>(time.local_micros / 86400000000LL);
  return Decoded::kOk;
}

Decoded TextDecoder::Timestamp(std::string_view text, int64_t* micros) const {
  TimeText time;
  if (const Decoded outcome = ParseTime(text, &time); outcome != Decoded::kOk) return outcome;
  if (type_.kind == TypeKind::kTimestampNtz) {
    if (time.has_zone) return Decoded::kHasZone;
    *micros = time.local_micros;
    return Decoded::kOk;
  }
  if (time.has_zone) {
    *micros = time.local_micros - time.offset_seconds * 1000000LL;
    return Decoded::kOk;
  }
  if (!has_zone_) return Decoded::kNoZone;
  const auto utc = zone_.ToUtc(time.local_micros);
  if (!utc) return Decoded::kNoSuchTime;
  *micros = *utc;
  return Decoded::kOk;
}

}  // namespace sluice::contract
