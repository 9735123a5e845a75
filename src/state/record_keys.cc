#include "state/record_keys.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "core/text.h"

namespace sluice::state {
namespace {

template <typename Int>
std::optional<Int> ParseNumber(std::string_view digits) {
  Int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < 1) return std::nullopt;
  return value;
}

}  // namespace

std::string RecordsFolder(const std::string& node) { return "_sluice/batches/" + PercentEncode(node, false) + "/"; }
std::string IndexFolder(const std::string& node) { return "_sluice/index/" + PercentEncode(node, false) + "/"; }
std::string PaddedNumber(int64_t n) { return fmt::format("{:020}", n); }
std::string BatchPrefix(const std::string& node, int64_t n) { return RecordsFolder(node) + PaddedNumber(n); }

std::string OpenKey(const std::string& node, int64_t n, int attempt) { return fmt::format("{}.{}.open", BatchPrefix(node, n), attempt); }

std::string ReadyKey(const std::string& node, int64_t n, int k) {
  return k == 1 ? BatchPrefix(node, n) + ".ready" : fmt::format("{}.ready.{}", BatchPrefix(node, n), k);
}

std::string DoneKey(const std::string& node, int64_t n) { return BatchPrefix(node, n) + ".done"; }

std::optional<RecordName> ParseRecordKey(std::string_view key) {
  const size_t slash = key.rfind('/');
  const std::vector<std::string> parts = Split(slash == std::string_view::npos ? key : key.substr(slash + 1), '.');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  const auto n = ParseNumber<int64_t>(parts[0]);
  if (!n) return std::nullopt;
  if (parts.size() == 2) {
    if (parts[1] == "done") return RecordName{*n, RecordKind::kDone, 0};
    if (parts[1] == "ready") return RecordName{*n, RecordKind::kReady, 1};
    return std::nullopt;
  }
  if (parts[2] == "open") {
    if (const auto attempt = ParseNumber<int>(parts[1])) return RecordName{*n, RecordKind::kOpen, *attempt};
  } else if (parts[1] == "ready") {
    if (const auto k = ParseNumber<int>(parts[2])) return RecordName{*n, RecordKind::kReady, *k};
  }
  return std::nullopt;
}

}  // namespace sluice::state
