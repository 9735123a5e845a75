#include "delta/check_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/counted.h"
#include "delta/checksum.h"
#include "delta/commit.h"
#include "delta/compare_snapshots.h"
#include "delta/log_files.h"
#include "delta/segment.h"

namespace sluice::delta {
namespace {

// Files that the commit's own metrics count, and its actions.
struct FileCounts {
  int64_t added = 0, removed = 0;
};

// Texts or numbers; by Sluice a vector that is added is one add and one remove, besides the files that it counts as such.
std::optional<FileCounts> Claimed(const nlohmann::json& info) {
  const auto metrics = info.is_object() ? info.find("operationMetrics") : info.end();
  if (!info.is_object() || metrics == info.end() || !metrics->is_object()) return std::nullopt;
  const auto count = [&](const char* key) -> int64_t {
    const auto at = metrics->find(key);
    if (at == metrics->end()) return 0;
    if (at->is_number_integer()) return at->get<int64_t>();
    return at->is_string() ? std::atoll(at->get_ref<const std::string&>().c_str()) : 0;
  };
  const int64_t vectors = count("numDeletionVectorsAdded");
  return FileCounts{std::max(count("numFiles"), count("numAddedFiles")) + vectors, count("numRemovedFiles") + vectors};
}

FileCounts CountsOf(const LogCommit& commit) {
  FileCounts counts;
  for (const Action& action : commit.actions) {
    counts.added += std::holds_alternative<Add>(action) ? 1 : 0;
    counts.removed += std::holds_alternative<Remove>(action) ? 1 : 0;
  }
  return counts;
}

// What a commit lacks of the files that it says it added and removed; "" if nothing. Of other engines' metrics only as much is known as
// that a number above 0 needs an action.
std::string Lacks(const LogCommit& commit, const CommitInfo& text) {
  const auto info = nlohmann::json::parse(text.json, nullptr, false);
  const auto claimed = Claimed(info);
  if (!claimed) return "";
  const bool own = info.value("engineInfo", nlohmann::json()).is_string() && info["engineInfo"].get<std::string>().starts_with("sluice/");
  const FileCounts counts = CountsOf(commit);
  const auto fewer = [&](int64_t is, int64_t said) { return own ? is < said : is == 0 && said > 0; };
  if (fewer(counts.added, claimed->added))
    return fmt::format("its metrics count {} added, and it has {}: part of it is lost", Counted(claimed->added, "file"), counts.added);
  if (fewer(counts.removed, claimed->removed))
    return fmt::format("its metrics count {} removed, and it has {}: part of it is lost", Counted(claimed->removed, "file"),
                       counts.removed);
  return "";
}

class LogWalk {
 public:
  LogWalk(store::ObjectStore& store, std::string_view root) : store_(store), root_(root) {}

  Result<LogCheck> Run() {
    SLUICE_TRY(const auto objects, store_.List(LogKey(root_, "")));
    listing_ = ReadListing(objects, root_);
    if (listing_.empty())
      return Fail(NotFoundError("no-such-table", fmt::format("there is no table at {}", store_.Uri(std::string(root_)))));
    NoteOtherFiles(objects);
    SLUICE_CHECK(CheckHint());
    SLUICE_CHECK(Begin());
    const int64_t newest = listing_.newest();
    while (out_.snapshot && out_.snapshot->version < newest) SLUICE_CHECK(Step());
    return std::move(out_);
  }

 private:
  void Note(std::string code, std::string where, std::string message) {
    out_.findings.push_back({std::move(code), std::move(where), std::move(message)});
  }
  // What cannot be read is noted; that a table is beyond us ends the check.
  Status NoteOrFail(std::string code, std::string where, Error error) {
    if (error.code == "unsupported-feature" || error.kind == ErrorKind::kRetryable) return Fail(std::move(error));
    Note(std::move(code), std::move(where), std::move(error.message));
    return Ok();
  }

  void NoteOtherFiles(const std::vector<store::ObjectMeta>& objects) {
    const std::string prefix = LogKey(root_, "");
    for (const auto& object : objects) {
      const std::string name = object.key.substr(prefix.size());
      if (name.size() < 24 || name.find('/') != std::string::npos) continue;
      const int64_t version = std::atoll(name.substr(0, 20).c_str());
      if (name.ends_with(".crc") && name.size() == 24) checksums_[version] = object.key;
      if (name.substr(20).starts_with(".checkpoint.") && !listing_.checkpoints.contains(version))
        Note("incomplete-checkpoint", name, "parts of this checkpoint are missing: readers pass it over");
    }
  }

  Status CheckHint() {
    const std::string key = LogKey(root_, "_last_checkpoint");
    const auto text = store_.Get(key);
    if (!text) return text.error().kind == ErrorKind::kNotFound ? Ok() : Status(Fail(text.error()));
    const auto hint = LastCheckpointHint(store_, root_);
    if (!hint)
      Note("bad-hint", "_last_checkpoint", "it cannot be read: readers list the log instead");
    else if (!listing_.checkpoints.contains(*hint))
      Note("bad-hint", "_last_checkpoint", fmt::format("it names a checkpoint of version {}, and there is none", *hint));
    return Ok();
  }

  // The oldest version that the log can make.
  Status Begin() {
    if (listing_.commits.contains(0)) return Restart(0);
    if (listing_.checkpoints.empty()) {
      Note("log-gap", CommitFileName(0),
           fmt::format("the log begins with version {}, without a checkpoint", listing_.commits.begin()->first));
      return Ok();
    }
    return Restart(listing_.checkpoints.begin()->first);
  }

  // Goes on from commit 0 or from the checkpoint of this version; from the next checkpoint where it cannot be read.
  Status Restart(int64_t version) {
    out_.snapshot.reset();
    LogSegment segment;
    segment.version = version;
    if (const auto head = listing_.commits.find(version); head != listing_.commits.end()) segment.head = head->second;
    const auto checkpoint = listing_.checkpoints.find(version);
    const bool from_commit = version == 0 && segment.head;
    if (from_commit)
      segment.commits.push_back(*segment.head);
    else
      segment.checkpoint = checkpoint->second;
    auto snapshot = LoadSegment(store_, root_, segment);
    if (!snapshot) {
      SLUICE_CHECK(NoteOrFail(from_commit ? "bad-commit" : "bad-checkpoint", NameOf(segment), std::move(snapshot).error()));
      return Resume(version);
    }
    ++(from_commit ? out_.commits : out_.checkpoints);
    out_.snapshot = std::move(*snapshot);
    if (from_commit) {
      SLUICE_TRY(auto actions, ReadCommitFile(store_, segment.head->key));
      CheckWhole({version, std::move(actions)});
    }
    if (from_commit && checkpoint != listing_.checkpoints.end()) SLUICE_CHECK(CompareCheckpoint(checkpoint->second));
    return CompareChecksumFile();
  }

  Status Resume(int64_t after) {
    const auto next = listing_.checkpoints.upper_bound(after);
    if (next != listing_.checkpoints.end()) return Restart(next->first);
    out_.snapshot.reset();
    return Ok();
  }

  std::string NameOf(const LogSegment& segment) const {
    const std::string& key = segment.checkpoint ? segment.checkpoint->files.front().key : segment.commits.front().key;
    return key.substr(key.rfind('/') + 1);
  }

  // Up to the next version at which there is something to compare.
  Status Step() {
    std::vector<LogCommit> commits;
    int64_t version = out_.snapshot->version;
    const int64_t newest = listing_.newest();
    do {
      const auto commit = listing_.commits.find(++version);
      if (commit == listing_.commits.end()) {
        Note("log-gap", CommitFileName(version), fmt::format("version {} is missing, and the log goes on to {}", version, newest));
        return Resume(version - 1);
      }
      auto actions = ReadCommitFile(store_, commit->second.key);
      if (!actions) {
        SLUICE_CHECK(NoteOrFail("bad-commit", CommitFileName(version), std::move(actions).error()));
        return Resume(version);
      }
      ++out_.commits;
      commits.push_back({version, std::move(*actions)});
    } while (version < newest && !listing_.checkpoints.contains(version) && !checksums_.contains(version));

    has_timestamps_ = IsEnabled(out_.snapshot->metadata, "delta.enableInCommitTimestamps");
    for (const LogCommit& commit : commits) CheckCommit(commit);
    auto applied = ApplyCommits(*out_.snapshot, std::move(commits), listing_.commits.at(version));
    if (!applied) {
      SLUICE_CHECK(NoteOrFail("bad-commit", CommitFileName(version), std::move(applied).error()));
      return Resume(version);
    }
    out_.snapshot = std::move(*applied);
    CheckFilesOnce();
    if (const auto checkpoint = listing_.checkpoints.find(version); checkpoint != listing_.checkpoints.end())
      SLUICE_CHECK(CompareCheckpoint(checkpoint->second));
    return CompareChecksumFile();
  }

  // A file cut at the end of a line reads well, and says too little.
  void CheckWhole(const LogCommit& commit) {
    const CommitInfo* info = nullptr;
    for (const Action& action : commit.actions)
      if (const auto* found = std::get_if<CommitInfo>(&action)) info = found;
    if (info != nullptr) {
      if (std::string lacks = Lacks(commit, *info); !lacks.empty()) Note("incomplete-commit", CommitFileName(commit.version), lacks);
    } else if (had_info_) {
      Note("incomplete-commit", CommitFileName(commit.version),
           "it has no commitInfo, which the one before has: it may have been cut short, or another program wrote it");
      out_.findings.back().is_doubt = true;
    }
    had_info_ = info != nullptr;
  }

  // In-commit timestamps: on the first action, and later than the one before.
  void CheckCommit(const LogCommit& commit) {
    CheckWhole(commit);
    for (const Action& action : commit.actions)
      if (const auto* metadata = std::get_if<Metadata>(&action)) has_timestamps_ = IsEnabled(*metadata, "delta.enableInCommitTimestamps");
    if (!has_timestamps_) return;
    const auto* first = commit.actions.empty() ? nullptr : std::get_if<CommitInfo>(&commit.actions.front());
    const auto timestamp = first ? InCommitTimestamp(*first) : std::nullopt;
    if (!timestamp)
      Note("bad-commit", CommitFileName(commit.version),
           "its first action carries no inCommitTimestamp, though the table has them enabled");
    else if (last_timestamp_ && *timestamp <= *last_timestamp_)
      Note("bad-commit", CommitFileName(commit.version), "its inCommitTimestamp is not later than that of the commit before");
    if (timestamp) last_timestamp_ = timestamp;
  }

  void CheckFilesOnce() {
    const Add* before = nullptr;
    for (const Add& add : out_.snapshot->files) {
      if (before != nullptr && before->path == add.path)
        Note("file-twice", add.path, fmt::format("at version {} it is live with two deletion vectors at once", out_.snapshot->version));
      before = &add;
    }
  }

  Status CompareCheckpoint(const CheckpointFiles& checkpoint) {
    LogSegment segment;
    segment.version = checkpoint.version;
    segment.checkpoint = checkpoint;
    if (const auto head = listing_.commits.find(checkpoint.version); head != listing_.commits.end()) segment.head = head->second;
    auto theirs = LoadSegment(store_, root_, segment);
    if (!theirs) return NoteOrFail("bad-checkpoint", NameOf(segment), std::move(theirs).error());
    ++out_.checkpoints;
    for (std::string& what : CompareSnapshots(*theirs, *out_.snapshot, checkpoint.files.front().modified))
      Note("checkpoint-differs", NameOf(segment), std::move(what));
    return Ok();
  }

  Status CompareChecksumFile() {
    const auto found = checksums_.find(out_.snapshot->version);
    if (found == checksums_.end()) return Ok();
    const std::string name = found->second.substr(found->second.rfind('/') + 1);
    SLUICE_TRY(const auto text, store_.Get(found->second));
    auto differences = CompareChecksum(text, *out_.snapshot);
    if (!differences) return NoteOrFail("bad-checksum-file", name, std::move(differences).error());
    ++out_.checksums;
    for (std::string& what : *differences) Note("checksum-differs", name, std::move(what));
    return Ok();
  }

  store::ObjectStore& store_;
  const std::string_view root_;
  LogListing listing_;
  std::map<int64_t, std::string> checksums_;  // version → key
  bool had_info_ = false;                     // the commit before has a commitInfo
  bool has_timestamps_ = false;               // the table has in-commit timestamps enabled by now
  std::optional<int64_t> last_timestamp_;
  LogCheck out_;
};

}  // namespace

Result<LogCheck> CheckLog(store::ObjectStore& store, std::string_view table_root) { return LogWalk(store, table_root).Run(); }

}  // namespace sluice::delta
