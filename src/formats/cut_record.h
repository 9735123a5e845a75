#pragma once
// A record beyond ReadRequest::max_record_bytes is a violation, and so much of it is kept.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/text.h"

namespace sluice::formats {

inline constexpr size_t kKeptOfCutRecord = 64 << 10;

// How much of the record that begins with `text` is kept: no character is cut in two.
inline size_t KeptOfCutRecord(std::string_view text) {
  if (text.size() <= kKeptOfCutRecord) return text.size();
  size_t end = kKeptOfCutRecord;
  for (int i = 0; i < 3 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80; ++i) --end;
  return end;
}

inline std::string CutRecordMessage(int64_t max_record_bytes) {
  return "the record is longer than " + FormatBytes(max_record_bytes) + "; only its beginning is kept";
}

}  // namespace sluice::formats
