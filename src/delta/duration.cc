#include "delta/duration.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"

namespace sluice::delta {

std::optional<int64_t> ParseDuration(std::string_view text) {
  constexpr std::pair<std::string_view, int64_t> kUnits[] = {{"millisecond", 1},  {"second", 1000},    {"minute", 60'000},
                                                             {"hour", 3'600'000}, {"day", kDayMillis}, {"week", 7 * kDayMillis}};
  int64_t total = 0;
  auto words = Split(ToLower(Trim(text)), ' ');
  std::erase(words, "");
  if (!words.empty() && words.front() == "interval") words.erase(words.begin());
  if (words.empty() || words.size() % 2 != 0) return std::nullopt;
  for (size_t i = 0; i < words.size(); i += 2) {
    int64_t count = 0;
    const auto [end, error] = std::from_chars(words[i].data(), words[i].data() + words[i].size(), count);
    if (error != std::errc() || end != words[i].data() + words[i].size() || count < 0) return std::nullopt;
    if (words[i + 1].ends_with('s')) words[i + 1].pop_back();
    const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const auto& entry) { return entry.first == words[i + 1]; });
    int64_t part = 0;
    if (unit == std::end(kUnits) || __builtin_mul_overflow(count, unit->second, &part) || __builtin_add_overflow(total, part, &total))
      return std::nullopt;
  }
  return total;
}

std::optional<int64_t> DurationOf(const Metadata& metadata, const std::string& property, int64_t otherwise) {
  const auto found = metadata.configuration.find(property);
  return found == metadata.configuration.end() ? std::optional(otherwise) : ParseDuration(found->second);
}

}  // namespace sluice::delta
