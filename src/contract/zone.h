#pragma once
// IANA time zones, read from the system's database (TZif, RFC 9636).
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace sluice::contract {

// Immutable; thread-safe.
class Zone {
 public:
  static Zone Utc() { return {}; }
  static Zone Fixed(int32_t offset_seconds);
  // "Europe/Berlin", "UTC", "+01:00". Error: kUser "unknown-zone".
  static Result<Zone> Load(std::string_view name);
  // From the bytes of a TZif file. Error: kUser "unknown-zone".
  static Result<Zone> Parse(std::string_view name, std::string_view tzif);

  int32_t OffsetAt(int64_t utc_seconds) const;  // seconds east of UTC
  // The instant at which clocks there show `local_micros`; the earlier of two where clocks went back; nullopt where they skipped it.
  std::optional<int64_t> ToUtc(int64_t local_micros) const;

 private:
  std::vector<int64_t> changes_;  // UTC seconds, ascending
  std::vector<int32_t> offsets_;  // from changes_[i] on
  int32_t first_offset_ = 0;      // before changes_[0]
};

}  // namespace sluice::contract
