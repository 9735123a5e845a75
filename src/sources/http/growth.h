#pragma once
// Which records of a list that grows are new? Told by a field that grows with every change, and by the records at its end.
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace sluice::sources::http {

// Where the records taken so far end.
struct End {
  std::string value;              // the greatest of the field, as JSON; "" = there is none yet
  std::set<std::string> seen;     // hashes of the records from `value` less the lookback on
  std::set<std::string> without;  // of those without a value
};

class Growth {
 public:
  // `lookback`: microseconds of a time, else of a number's unit. `began`: before the first request. A date or instant later than that does
  // not move the end beyond it: what is written while lists are read, or in the future, comes before it in another list.
  Growth(std::string field, int64_t lookback, bool lookback_is_time, Instant began, End before);

  // What the API is asked from, as text: the greatest value less the lookback. nullopt: there is none yet. Error kUser "http-cursor": a
  // lookback that does not go with the value.
  Result<std::optional<std::string>> From() const;

  // Is it new? What lies below From() is not: there are APIs that give it all the same. And one that gives what is at the end once more (>=
  // instead of >) gives the same record again, byte for byte. Thread-safe. Errors: kData "http-cursor": a value that cannot be compared
  // with those before it.
  // `own`: what of the record tells it from others.
  Result<bool> Take(std::string_view record, std::string_view own);

  // Errors kData "http-cursor": more records than can be told apart lie at the end; no record has the field.
  Result<End> After() const;

 private:
  Result<std::string> Floor(const std::string& value) const;
  std::string Capped(const std::string& value) const;
  Status Trim();

  const std::string field_;
  const int64_t lookback_;
  const bool lookback_is_time_;
  const Instant began_;
  const End before_;
  std::mutex mutex_;
  std::string greatest_, floor_;                           // "": not known yet
  std::vector<std::pair<std::string, std::string>> near_;  // value, hash; of records that may lie at the end
  std::unordered_set<std::string> without_;                // of those without a value
  size_t trim_at_ = 40'000;
};

}  // namespace sluice::sources::http
