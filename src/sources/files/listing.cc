#include "sources/files/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/text.h"
#include "core/time.h"

namespace sluice::sources {
namespace {

constexpr std::array<std::string_view, 9> kUnfinished = {".tmp",      ".temp",     ".part", ".partial", ".crdownload",
                                                         ".download", ".filepart", ".swp",  "~"};

std::string WhyNotYet(const store::ObjectMeta& object, const Read& read, Instant now) {
  if (read.settle_micros <= 0 || object.modified.micros + read.settle_micros <= now.micros) return "";
  return fmt::format("modified {}, less than the settling time ago", FormatInstant(object.modified));
}

Error ChangedFiles(const std::vector<std::string>& keys, const Location& where) {
  std::vector<std::string> shown(keys.begin(), keys.begin() + std::min<size_t>(keys.size(), 5));
  if (keys.size() > shown.size()) shown.push_back(fmt::format("{} more", keys.size() - shown.size()));
  return DataError("changed-file", fmt::format("{} changed since {} ingested: {}", keys.size() == 1 ? "a file" : "files",
                                               keys.size() == 1 ? "it was" : "they were", Join(shown, ", ")))
      .At(where)
      .Hint("set read.on_changed_file: ingest (its rows are appended once more, as a new batch) or ignore (the old rows stay)");
}

}  // namespace

std::string GlobPrefix(std::string_view glob) {
  const size_t wildcard = std::min(glob.find_first_of("*?[{"), glob.size());
  if (wildcard == glob.size()) return std::string(glob);
  const size_t slash = glob.substr(0, wildcard).rfind('/');
  return slash == std::string_view::npos ? "" : std::string(glob.substr(0, slash + 1));
}

std::string WhyLeftOut(std::string_view key) {
  for (const std::string& part : Split(key, '/')) {
    if (part.starts_with('.')) return "hidden: a name that starts with a dot";
    if (part == "_temporary") return "unfinished: below _temporary";
  }
  const std::string lower = ToLower(key);
  for (const std::string_view ending : kUnfinished)
    if (lower.ends_with(ending)) return fmt::format("unfinished: a name that ends in {}", ending);
  return "";
}

Result<Offer> Select(const std::vector<store::ObjectMeta>& listed, const Read& read, const Ledger& ingested, Instant now) {
  Offer offer;
  std::set<std::string> there;
  std::vector<std::string> refused;
  for (const store::ObjectMeta& object : listed) {
    there.insert(object.key);
    if (!GlobMatch(read.files, object.key)) continue;
    std::string why = WhyLeftOut(object.key);
    const auto before = ingested.find(object.key);
    if (why.empty() && before != ingested.end()) {
      if (before->second == Seen{object.size, object.etag}) {
        ++offer.unchanged;
        continue;
      }
      if (read.on_changed_file == OnChangedFile::kFail) refused.push_back(object.key);
      if (read.on_changed_file == OnChangedFile::kIgnore) why = "changed since it was ingested (on_changed_file: ignore)";
    }
    if (why.empty()) why = WhyNotYet(object, read, now);
    if (!why.empty()) {
      offer.skipped.push_back({object.key, why});
      continue;
    }
    if (before != ingested.end()) offer.changed.push_back(object.key);
    offer.files.push_back({object, "", formats::Compression::kNone, {}});
  }
  if (!refused.empty()) return Fail(ChangedFiles(refused, read.where));
  for (const auto& [key, seen] : ingested)
    if (!there.contains(key) && GlobMatch(read.files, key)) offer.gone.push_back(key);
  return offer;
}

}  // namespace sluice::sources
