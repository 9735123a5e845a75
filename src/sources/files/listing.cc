#include "sources/files/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "core/text.h"
#include "core/time.h"

namespace sluice::sources {
namespace {

constexpr std::array<std::string_view, 9> kUnfinished = {".tmp",      ".temp",     ".part", ".partial", ".crdownload",
                                                         ".download", ".filepart", ".swp",  "~"};

Error ChangedFiles(const std::vector<std::string>& keys, const Location& where) {
  std::vector<std::string> shown(keys.begin(), keys.begin() + std::min<size_t>(keys.size(), 5));
  if (keys.size() > shown.size()) shown.push_back(fmt::format("{} more", keys.size() - shown.size()));
  return DataError("changed-file", fmt::format("{} changed since {} ingested: {}", keys.size() == 1 ? "a file" : "files",
                                               keys.size() == 1 ? "it was" : "they were", Join(shown, ", ")))
      .At(where)
      .Hint(
          "set read.on_changed_file: replace (its rows take the place of those before), ingest (they are appended once more, as a new "
          "batch) or ignore (the old rows stay)");
}

bool ByKey(const store::ObjectMeta& object, std::string_view key) { return object.key < key; }

// One listing against one ledger.
class Selection {
 public:
  Selection(const std::vector<store::ObjectMeta>& listed, const Read& read, const Ledger& ingested, Instant now, const HashOf& hash_of,
            bool again)
      : listed_(listed), read_(read), ingested_(ingested), now_(now), hash_of_(hash_of), again_(again) {}

  Result<Offer> Run() {
    FindMarkers();
    for (const store::ObjectMeta& object : listed_)
      if (GlobMatch(read_.files, object.key) && !markers_.contains(object.key)) SLUICE_CHECK(Judge(object));
    if (!refused_.empty()) return Fail(ChangedFiles(refused_, read_.where));
    TakeStandIns();
    for (const auto& [key, seen] : ingested_)
      if (!again_ && IsGone(key)) offer_.gone.push_back(key);
    if (read_.order == FileOrder::kModified) {
      std::stable_sort(fresh_.begin(), fresh_.end(), [](const auto* a, const auto* b) { return a->modified.micros < b->modified.micros; });
    }
    SLUICE_CHECK(LeaveOutKnown());
    offer_.files.reserve(fresh_.size());
    for (const store::ObjectMeta* object : fresh_) offer_.files.push_back({*object, "", formats::Compression::kNone, {}});
    return std::move(offer_);
  }

 private:
  const store::ObjectMeta* Listed(std::string_view key) const {
    const auto found = std::lower_bound(listed_.begin(), listed_.end(), key, ByKey);
    return found != listed_.end() && found->key == key ? &*found : nullptr;
  }
  bool IsGone(const std::string& key) const { return Listed(key) == nullptr && GlobMatch(read_.files, key); }

  // What marks another file as done is none to ingest, though the glob may match it.
  void FindMarkers() {
    if (read_.done_marker.empty()) return;
    for (const store::ObjectMeta& object : listed_) {
      if (!GlobMatch(read_.files, object.key)) continue;
      const auto* marker = Listed(MarkerOf(read_.done_marker, object.key));
      if (marker != nullptr && marker->key != object.key) markers_.insert(marker->key);
    }
  }

  // `before`: as it was ingested, or null. Of a file that comes again the old marker says nothing.
  std::string WhyNotYet(const store::ObjectMeta& object, const Seen* before) const {
    if (read_.settle_micros > 0 && object.modified.micros + read_.settle_micros > now_.micros)
      return fmt::format("modified {}, less than the settling time ago", FormatInstant(object.modified));
    if (read_.done_marker.empty()) return "";
    const std::string key = MarkerOf(read_.done_marker, object.key);
    const store::ObjectMeta* marker = Listed(key);
    if (key == object.key) return "not done: `done_marker` gives it its own name, and must be that of another file";
    if (marker == nullptr) return fmt::format("not done yet: its marker {} is not there", key);
    if (before != nullptr && marker->modified.micros < object.modified.micros)
      return fmt::format("not done yet: it is newer than its marker {}", key);
    return "";
  }

  Status Judge(const store::ObjectMeta& object) {
    const auto found = ingested_.find(object.key);
    const Seen* before = found == ingested_.end() ? nullptr : &found->second;
    std::string why = WhyLeftOut(object.key);
    const bool same = before != nullptr && before->size == object.size && before->etag == object.etag;
    if (why.empty() && same && !again_) return ++offer_.unchanged, Ok();
    if (why.empty() && !(why = WhyNotYet(object, same ? nullptr : before)).empty()) ++offer_.waiting;
    if (!why.empty()) return offer_.skipped.push_back({object.key, std::move(why)}), Ok();
    if (before == nullptr || again_) return fresh_.push_back(&object), Ok();
    return JudgeAgain(object, *before);
  }

  // A file that was ingested before and has another size, time or etag since.
  Status JudgeAgain(const store::ObjectMeta& object, const Seen& before) {
    if (before.size == object.size && !before.hash.empty()) {
      SLUICE_TRY(const std::string hash, hash_of_(object));
      if (hash == before.hash) {
        ++offer_.unchanged;
        offer_.known.push_back({object.key, {object.size, object.etag, hash, before.rows_of}});
        return Ok();
      }
    }
    if (read_.on_changed_file == OnChangedFile::kFail) return refused_.push_back(object.key), Ok();
    if (read_.on_changed_file == OnChangedFile::kIgnore)
      return offer_.skipped.push_back({object.key, "changed since it was ingested (on_changed_file: ignore)"}), Ok();
    offer_.changed.push_back(object.key);
    if (read_.on_changed_file == OnChangedFile::kReplace) {
      offer_.replaced.push_back(object.key);
      if (StandsAloneFor(before.rows_of, object.key)) offer_.replaced.push_back(before.rows_of);
    }
    fresh_.push_back(&object);
    return Ok();
  }

  // A file whose rows stand under the name of one that is replaced (it was renamed from it, or is a copy) brings them itself from now on.
  void TakeStandIns() {
    if (offer_.replaced.empty()) return;
    const std::unordered_set<std::string_view> replaced(offer_.replaced.begin(), offer_.replaced.end());
    const std::unordered_set<const store::ObjectMeta*> taken(fresh_.begin(), fresh_.end());
    for (const auto& [key, seen] : ingested_) {
      const store::ObjectMeta* object = replaced.contains(seen.rows_of) ? Listed(key) : nullptr;
      if (object == nullptr || taken.contains(object) || !GlobMatch(read_.files, key)) continue;
      fresh_.push_back(object);
      --offer_.unchanged;
    }
    std::sort(fresh_.begin(), fresh_.end(), [](const auto* a, const auto* b) { return a->key < b->key; });
  }

  // Was `name` renamed to `key`, and stands no other file for its rows?
  bool StandsAloneFor(const std::string& name, const std::string& key) const {
    if (name.empty() || Listed(name) != nullptr) return false;
    return std::none_of(ingested_.begin(), ingested_.end(), [&](const auto& entry) {
      return entry.second.rows_of == name && entry.first != key && Listed(entry.first) != nullptr;
    });
  }

  // Contents of one size that are known: what a new file may have once more.
  struct SameSize {
    struct Contents {
      std::string key;  // whose rows they are
      bool gone = false;
    };
    std::unordered_map<std::string, Contents> by_hash;
    const store::ObjectMeta* unhashed = nullptr;  // the first of this batch, as long as no other is of its size
  };
  using BySize = std::unordered_map<int64_t, SameSize>;

  BySize ContentsIngested() const {
    std::unordered_set<int64_t> sizes;
    for (const auto* object : fresh_) sizes.insert(object->size);
    const std::unordered_set<std::string_view> changed(offer_.changed.begin(), offer_.changed.end());  // these contents go
    BySize known;
    for (const auto& [key, seen] : ingested_) {
      if (seen.hash.empty() || seen.size == 0 || !sizes.contains(seen.size) || changed.contains(key)) continue;
      const bool gone = Listed(key) == nullptr;
      if ((gone ? read_.on_renamed_file : read_.on_copied_file) != OnKnownContents::kSkip) continue;
      auto& contents = known[seen.size].by_hash[seen.hash];
      if (contents.key.empty() || (gone && !contents.gone)) contents = {seen.rows_of.empty() ? key : seen.rows_of, gone};
    }
    return known;
  }

  // If `object` has contents that are known: their hash and whose rows they are. If not, they are known from now on.
  Result<std::optional<Known>> Find(const store::ObjectMeta& object, bool copies, BySize* known) const {
    const auto found = known->find(object.size);
    if (object.size == 0 || (found == known->end() && !copies)) return std::nullopt;
    if (found == known->end()) {
      (*known)[object.size].unhashed = &object;
      return std::nullopt;
    }
    SameSize& same = found->second;
    if (same.unhashed != nullptr) {
      SLUICE_TRY(const std::string first, hash_of_(*same.unhashed));
      same.by_hash[first] = {same.unhashed->key, false};
      same.unhashed = nullptr;
    }
    SLUICE_TRY(const std::string hash, hash_of_(object));
    if (const auto contents = same.by_hash.find(hash); contents != same.by_hash.end())
      return std::optional(Known{object.key, {object.size, object.etag, hash, contents->second.key}});
    if (copies) same.by_hash[hash] = {object.key, false};
    return std::nullopt;
  }

  // New names of known contents, in the batch's order: the first of several copies is taken.
  Status LeaveOutKnown() {
    const bool copies = read_.on_copied_file == OnKnownContents::kSkip;
    if (fresh_.empty() || (!copies && read_.on_renamed_file == OnKnownContents::kIngest)) return Ok();
    BySize known = again_ ? BySize{} : ContentsIngested();
    if (known.empty() && !copies) return Ok();
    std::vector<const store::ObjectMeta*> left;
    for (const auto* object : fresh_) {
      std::optional<Known> same;
      if (again_ || !ingested_.contains(object->key)) {
        SLUICE_TRY(same, Find(*object, copies, &known));
      }
      if (same) {
        offer_.known.push_back(*std::move(same));
      } else {
        left.push_back(object);
      }
    }
    fresh_ = std::move(left);
    return Ok();
  }

  const std::vector<store::ObjectMeta>& listed_;
  const Read& read_;
  const Ledger& ingested_;
  const Instant now_;
  const HashOf& hash_of_;
  const bool again_;
  Offer offer_;
  std::unordered_set<std::string_view> markers_;
  std::vector<const store::ObjectMeta*> fresh_;
  std::vector<std::string> refused_;
};

}  // namespace

std::string GlobPrefix(std::string_view glob) {
  const size_t wildcard = std::min(glob.find_first_of("*?[{"), glob.size());
  if (wildcard == glob.size()) return std::string(glob);
  const size_t slash = glob.substr(0, wildcard).rfind('/');
  return slash == std::string_view::npos ? "" : std::string(glob.substr(0, slash + 1));
}

std::string WhyLeftOut(std::string_view key) {
  for (size_t begin = 0; begin <= key.size();) {
    const size_t end = std::min(key.find('/', begin), key.size());
    const std::string_view part = key.substr(begin, end - begin);
    if (part.starts_with('.')) return "hidden: a name that starts with a dot";
    if (part == "_temporary") return "unfinished: below _temporary";
    begin = end + 1;
  }
  for (const std::string_view ending : kUnfinished)
    if (key.size() >= ending.size() && EqualsIgnoreCase(key.substr(key.size() - ending.size()), ending))
      return fmt::format("unfinished: a name that ends in {}", ending);
  return "";
}

std::string MarkerOf(std::string_view marker, std::string_view key) {
  const size_t slash = key.rfind('/');
  const std::string_view folder = slash == std::string_view::npos ? "" : key.substr(0, slash + 1);
  const std::string_view name = key.substr(folder.size());
  const size_t dot = name.rfind('.');
  const std::string_view stem = dot == std::string_view::npos || dot == 0 ? name : name.substr(0, dot);
  std::string made(folder);
  for (size_t at = 0; at < marker.size();) {
    if (marker.substr(at).starts_with("{name}") || marker.substr(at).starts_with("{stem}")) {
      made += marker[at + 1] == 'n' ? name : stem;
      at += 6;
    } else {
      made += marker[at++];
    }
  }
  return made;
}

Result<Offer> Select(const std::vector<store::ObjectMeta>& listed, const Read& read, const Ledger& ingested, Instant now,
                     const HashOf& hash_of, bool again) {
  return Selection(listed, read, ingested, now, hash_of, again).Run();
}

}  // namespace sluice::sources
