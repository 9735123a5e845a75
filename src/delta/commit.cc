#include "delta/commit.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "delta/json_text.h"
#include "delta/log_files.h"

namespace sluice::delta {
namespace {

using nlohmann::json;

// JSON texts that callers give go into the commit as they are, unless they are none: then as a string.
void RawOrText(JsonObject& object, const std::string& key, const std::string& value) {
  if (json::accept(value) && value.find('\n') == std::string::npos)
    object.Raw(key, value);
  else
    object.Text(key, value);
}

bool IsBlindAppend(const PreparedCommit& commit) {
  const bool removes = std::any_of(commit.actions.begin(), commit.actions.end(),
                                   [](const Action& action) { return std::holds_alternative<Remove>(action); });
  return commit.reads == ReadScope::kNothing && !removes;
}

std::string RenderCommitInfo(const PreparedCommit& commit, const CommitStamp& stamp) {
  std::string out;
  JsonObject info(&out);
  info.Int("timestamp", stamp.now.millis());
  if (stamp.in_commit_timestamp) info.Int("inCommitTimestamp", *stamp.in_commit_timestamp);
  info.Text("operation", commit.operation);
  info.Key("operationParameters");
  JsonObject parameters(&out);
  for (const auto& [key, value] : commit.operation_parameters) RawOrText(parameters, key, value);
  parameters.Close();
  if (commit.read_version >= 0) info.Int("readVersion", commit.read_version);
  info.Text("isolationLevel", "Serializable");
  info.Bool("isBlindAppend", IsBlindAppend(commit));
  info.Key("operationMetrics");
  JsonObject metrics(&out);
  for (const auto& [key, value] : commit.operation_metrics) metrics.Text(key, value);
  metrics.Close();
  info.Text("engineInfo", stamp.engine_info);
  info.Text("txnId", stamp.commit_id);
  for (const auto& [key, value] : stamp.extra) RawOrText(info, key, value);
  info.Close();
  return out;
}

json InfoOf(const std::vector<Action>& actions) {
  for (const Action& action : actions)
    if (const auto* info = std::get_if<CommitInfo>(&action)) return json::parse(info->json, nullptr, /*allow_exceptions=*/false);
  return {};
}

// ---- Putting one version

enum class Seen { kOurs, kAnothers, kAbsent };

Result<Seen> LookAt(store::ObjectStore& store, const std::string& key, std::string_view commit_id) {
  auto text = store.Get(key);
  if (!text && text.error().kind == ErrorKind::kNotFound) return Seen::kAbsent;
  if (!text) return Fail(std::move(text).error());
  auto actions = ParseCommit(*text);
  // Whatever cannot be parsed was not written by us: our commits are put whole.
  return actions && HasCommitId(*actions, commit_id) ? Seen::kOurs : Seen::kAnothers;
}

constexpr int kMaxPuts = 12;
constexpr int64_t kFirstPauseMillis = 50, kLongestPauseMillis = 5000;

bool MayPass(const Error& error) { return error.kind == ErrorKind::kRetryable; }

// A full disk says for certain that nothing was written, and does not empty itself while one waits.
bool WroteNothing(const Error& error) { return error.code == "disk-full"; }

// ---- The plain loop

// In-commit timestamps are monotone: after a rebase ours must pass those of the commits now before it.
void RaiseInCommitTimestamp(const std::vector<LogCommit>& since, CommitStamp* stamp) {
  if (!stamp->in_commit_timestamp) return;
  for (const LogCommit& foreign : since)
    if (const auto theirs = InCommitTimestamp(foreign.actions))
      stamp->in_commit_timestamp = std::max(*stamp->in_commit_timestamp, *theirs + 1);
}

}  // namespace

bool HasCommitId(const std::vector<Action>& actions, std::string_view commit_id) {
  const json info = InfoOf(actions);
  if (!info.is_object()) return false;
  const auto id = info.find("txnId");
  return id != info.end() && id->is_string() && id->get_ref<const std::string&>() == commit_id;
}

std::optional<int64_t> InCommitTimestamp(const CommitInfo& text) {
  const json info = json::parse(text.json, nullptr, /*allow_exceptions=*/false);
  if (!info.is_object()) return std::nullopt;
  const auto timestamp = info.find("inCommitTimestamp");
  return timestamp != info.end() && timestamp->is_number_integer() ? std::optional(timestamp->get<int64_t>()) : std::nullopt;
}

std::optional<int64_t> InCommitTimestamp(const std::vector<Action>& actions) {
  for (const Action& action : actions)
    if (const auto* info = std::get_if<CommitInfo>(&action)) return InCommitTimestamp(*info);
  return std::nullopt;
}

std::optional<int64_t> NextInCommitTimestamp(const Snapshot* before, const PreparedCommit& commit, Instant now) {
  const Metadata* metadata = before ? &before->metadata : nullptr;
  for (const Action& action : commit.actions)
    if (const auto* changed = std::get_if<Metadata>(&action)) metadata = changed;
  if (metadata == nullptr || !IsEnabled(*metadata, "delta.enableInCommitTimestamps")) return std::nullopt;
  return before ? std::max(now.millis(), before->timestamp + 1) : now.millis();
}

std::string RenderCommit(const PreparedCommit& commit, const CommitStamp& stamp) {
  std::string text = ToJsonLine(CommitInfo{RenderCommitInfo(commit, stamp)});
  text += '\n';
  if (stamp.txn) text += ToJsonLine(*stamp.txn) + '\n';
  for (const Action& action : commit.actions) text += ToJsonLine(action) + '\n';
  return text;
}

Result<PutCommitOutcome> PutCommit(store::ObjectStore& store, std::string_view table_root, int64_t version, const PreparedCommit& commit,
                                   const CommitStamp& stamp, Clock& clock) {
  const std::string key = LogKey(table_root, CommitFileName(version));
  const std::string bytes = RenderCommit(commit, stamp);
  int64_t pause = kFirstPauseMillis;
  for (int puts = 0; puts < kMaxPuts; ++puts) {
    auto put = store.PutIfAbsent(key, bytes);
    if (put && *put == store::PutOutcome::kWritten) return Committed{version};
    if (!put && !MayPass(put.error())) return Fail(std::move(put).error());
    // It exists, or the answer was lost, or the store failed in a way that tells nothing: what lies there decides. An object that
    // exists may be our own, from a put whose answer came too late or from a process before us.
    auto seen = LookAt(store, key, stamp.commit_id);
    if (!seen && !MayPass(seen.error())) return Fail(std::move(seen).error());
    if (seen && *seen == Seen::kOurs) return Committed{version};
    if (seen && *seen == Seen::kAnothers) return LostRace{version};
    if (!put && seen && WroteNothing(put.error())) return Fail(std::move(put).error());
    clock.SleepMillis(pause);
    pause = std::min(pause * 2, kLongestPauseMillis);
  }
  return Fail(RetryableError("commit-unknown", fmt::format("whether version {} of {} was written could not be settled", version,
                                                           store.Uri(std::string(table_root))))
                  .Hint("the store does not answer; run again, and the same commit is looked for first"));
}

Result<CommitOutcome> Commit(store::ObjectStore& store, std::string_view table_root, const PreparedCommit& commit, const CommitStamp& stamp,
                             Clock& clock, Isolation isolation, int max_tries) {
  CommitStamp rebased = stamp;
  for (int tries = 0; tries < max_tries; ++tries) {
    // Looked at before every put: below a log that was cleaned up, an old version's name is free again.
    SLUICE_TRY(auto range, ReadCommits(store, table_root, commit.read_version));
    if (!range.complete) return Conflicted{{range.head, fmt::format("a part of the log after version {} is gone", commit.read_version)}};
    for (const LogCommit& theirs : range.commits)  // ours, if its answer was lost for so long that others went on
      if (HasCommitId(theirs.actions, stamp.commit_id)) return Committed{theirs.version};
    if (auto conflict = FindConflict(commit, range.commits, isolation, stamp.txn)) return Conflicted{std::move(*conflict)};
    RaiseInCommitTimestamp(range.commits, &rebased);
    SLUICE_TRY(auto outcome, PutCommit(store, table_root, range.head + 1, commit, rebased, clock));
    if (const auto* committed = std::get_if<Committed>(&outcome)) return *committed;
  }
  return Fail(
      RetryableError("commit-contended", fmt::format("{} other commits came first on {}", max_tries, store.Uri(std::string(table_root)))));
}

}  // namespace sluice::delta
