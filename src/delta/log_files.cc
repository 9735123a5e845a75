#include "delta/log_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "delta/actions.h"

namespace sluice::delta {
namespace {

constexpr size_t kVersionDigits = 20, kPartDigits = 10;

std::optional<int64_t> ParseDigits(std::string_view text, size_t digits) {
  if (text.size() != digits || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// Of one version, the earlier kind is preferred: a v2 checkpoint is the newest format, a multi-part one was not put atomically.
enum class CheckpointKind { kUuid, kClassic, kMultiPart };

struct CheckpointName {
  CheckpointKind kind;
  int64_t part = 1, parts = 1;
};

// "checkpoint.parquet", "checkpoint.0000000001.0000000003.parquet", "checkpoint.UUID.json|parquet": what follows the version.
std::optional<CheckpointName> ParseCheckpointName(const std::vector<std::string>& words) {
  if (words.size() < 3 || words[1] != "checkpoint") return std::nullopt;
  const bool parquet = words.back() == "parquet";
  if (words.size() == 3) return parquet ? std::optional(CheckpointName{CheckpointKind::kClassic}) : std::nullopt;
  if (words.size() == 4) return parquet || words[3] == "json" ? std::optional(CheckpointName{CheckpointKind::kUuid}) : std::nullopt;
  if (words.size() != 5 || !parquet) return std::nullopt;
  const auto part = ParseDigits(words[2], kPartDigits), parts = ParseDigits(words[3], kPartDigits);
  if (!part || !parts || *part < 1 || *part > *parts) return std::nullopt;
  return CheckpointName{CheckpointKind::kMultiPart, *part, *parts};
}

// The checkpoint files of one version, until it is known which of them are complete.
struct Candidates {
  std::map<CheckpointKind, std::vector<store::ObjectMeta>> whole;
  std::map<int64_t, std::vector<store::ObjectMeta>> parts;  // by the number of parts; listed in order, so sorted by part

  void Add(const CheckpointName& name, const store::ObjectMeta& object) {
    if (name.kind == CheckpointKind::kMultiPart)
      parts[name.parts].push_back(object);
    else
      whole[name.kind] = {object};
  }
  std::optional<std::vector<store::ObjectMeta>> Best() const {
    if (!whole.empty()) return whole.begin()->second;
    for (const auto& [count, files] : parts)
      if (static_cast<int64_t>(files.size()) == count) return files;
    return std::nullopt;
  }
};

std::string LogPrefix(std::string_view table_root) { return LogKey(table_root, ""); }

Error NoSuchVersion(std::string_view table, int64_t version, const LogListing& listing) {
  const int64_t oldest = listing.commits.empty() ? listing.newest() : listing.commits.begin()->first;
  return NotFoundError("no-such-version",
                       fmt::format("table {} has no version {}: its log goes from {} to {}", table, version, oldest, listing.newest()));
}

}  // namespace

int64_t LogListing::newest() const {
  return std::max(commits.empty() ? -1 : commits.rbegin()->first, checkpoints.empty() ? -1 : checkpoints.rbegin()->first);
}

std::string LogKey(std::string_view table_root, std::string_view name) {
  return table_root.empty() ? fmt::format("_delta_log/{}", name) : fmt::format("{}/_delta_log/{}", table_root, name);
}

LogListing ReadListing(const std::vector<store::ObjectMeta>& objects, std::string_view table_root) {
  const std::string prefix = LogPrefix(table_root);
  LogListing listing;
  std::map<int64_t, Candidates> checkpoints;
  for (const auto& object : objects) {
    if (!object.key.starts_with(prefix)) continue;
    const std::string_view name = std::string_view(object.key).substr(prefix.size());
    const auto version = ParseDigits(name.substr(0, kVersionDigits), kVersionDigits);
    if (!version || name.find('/') != std::string_view::npos) continue;
    const auto words = Split(name, '.');
    if (words.size() == 2 && words[1] == "json")
      listing.commits[*version] = object;
    else if (const auto checkpoint = ParseCheckpointName(words))
      checkpoints[*version].Add(*checkpoint, object);
  }
  for (const auto& [version, candidates] : checkpoints)
    if (auto files = candidates.Best()) listing.checkpoints[version] = {version, std::move(*files)};
  return listing;
}

namespace {

// A folder is not listed at one instant: of commits that are put meanwhile, a later one may be seen and an earlier one not. What is
// missing below the newest is therefore asked for by name, until one is really gone.
void FillGaps(store::ObjectStore& store, std::string_view table_root, int64_t from, LogListing* listing) {
  const int64_t oldest = from > 0 || listing->commits.empty() ? from : listing->commits.begin()->first;
  for (int64_t version = listing->newest(); version > oldest; --version) {
    if (listing->commits.contains(version)) continue;
    auto found = store.Head(LogKey(table_root, CommitFileName(version)));
    if (!found) return;
    listing->commits[version] = *std::move(found);
  }
}

}  // namespace

Result<LogListing> ListLog(store::ObjectStore& store, std::string_view table_root, int64_t from) {
  // '.' follows the version in every name, so that "<version>" itself sorts before all of them.
  const std::string after = from > 0 ? LogKey(table_root, fmt::format("{:020}", from)) : "";
  SLUICE_TRY(auto objects, store.List(LogPrefix(table_root), after));
  LogListing listing = ReadListing(objects, table_root);
  FillGaps(store, table_root, from, &listing);
  return listing;
}

Result<LogSegment> ChooseSegment(const LogListing& listing, std::string_view table, std::optional<int64_t> version) {
  if (listing.empty()) return Fail(NotFoundError("no-such-table", fmt::format("there is no table at {}", table)));
  LogSegment segment;
  segment.version = version.value_or(listing.newest());
  if (segment.version < 0 || segment.version > listing.newest()) return Fail(NoSuchVersion(table, segment.version, listing));

  auto after = listing.checkpoints.upper_bound(segment.version);
  if (after != listing.checkpoints.begin()) segment.checkpoint = std::prev(after)->second;
  const int64_t first = segment.checkpoint ? segment.checkpoint->version + 1 : 0;
  for (int64_t v = first; v <= segment.version; ++v) {
    const auto commit = listing.commits.find(v);
    if (commit != listing.commits.end()) {
      segment.commits.push_back(commit->second);
      continue;
    }
    // The start of the log is gone, up to a checkpoint that is newer than what was asked for: clean-up, nothing broken.
    if (version && v == 0 && !listing.checkpoints.empty()) return Fail(NoSuchVersion(table, segment.version, listing));
    return Fail(BadLog(fmt::format("the log of {} has no version {}, which version {} needs", table, v, segment.version)));
  }
  if (const auto head = listing.commits.find(segment.version); head != listing.commits.end()) segment.head = head->second;
  return segment;
}

Result<LogSegment> FindSegment(store::ObjectStore& store, std::string_view table_root, std::optional<int64_t> version) {
  const std::string table = store.Uri(std::string(table_root));
  const auto hint = LastCheckpointHint(store, table_root);
  if (hint && *hint > 0 && *hint <= version.value_or(INT64_MAX)) {
    SLUICE_TRY(auto tail, ListLog(store, table_root, *hint));
    if (!tail.checkpoints.empty() && tail.checkpoints.begin()->first <= version.value_or(INT64_MAX))
      return ChooseSegment(tail, table, version);
  }
  SLUICE_TRY(auto whole, ListLog(store, table_root, 0));
  return ChooseSegment(whole, table, version);
}

std::optional<int64_t> LastCheckpointHint(store::ObjectStore& store, std::string_view table_root) {
  const auto text = store.Get(LogKey(table_root, "_last_checkpoint"));
  if (!text) return std::nullopt;
  const auto hint = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto version = hint.is_object() ? hint.find("version") : hint.end();
  if (!hint.is_object() || version == hint.end() || !version->is_number_integer() || *version < 0) return std::nullopt;
  return version->get<int64_t>();
}

std::map<int64_t, int64_t> FileTimes(const LogListing& listing, int64_t upto) {
  std::map<int64_t, int64_t> times;
  int64_t last = INT64_MIN;
  for (const auto& [version, file] : listing.commits) {
    if (version > upto) break;
    last = std::max(file.modified.millis(), last == INT64_MIN ? last : last + 1);
    times.emplace_hint(times.end(), version, last);
  }
  return times;
}

}  // namespace sluice::delta
