#include "tables/plain_commit.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "delta/clean_log.h"

namespace sluice::tables {
namespace {

constexpr int64_t kCheckpointInterval = 10;  // as other writers do by default

bool IsCheckpointDue(const delta::Metadata& metadata, int64_t version) {
  const auto found = metadata.configuration.find("delta.checkpointInterval");
  int64_t interval = 0;
  if (found != metadata.configuration.end()) std::from_chars(found->second.data(), found->second.data() + found->second.size(), interval);
  return version > 0 && version % (interval > 0 ? interval : kCheckpointInterval) == 0;
}

// "OPTIMIZE", as the commit calls itself; "another writer's commit" where it does not say.
std::string OperationOf(store::ObjectStore& store, const std::string& root, int64_t version) {
  const auto range = delta::ReadCommits(store, root, version - 1, version);
  if (!range) return "another writer's commit";
  for (const delta::LogCommit& commit : range->commits)
    for (const delta::Action& action : commit.actions) {
      const auto* info = std::get_if<delta::CommitInfo>(&action);
      if (commit.version != version || info == nullptr) continue;
      const auto json = nlohmann::json::parse(info->json, nullptr, /*allow_exceptions=*/false);
      if (json.is_object() && json.contains("operation") && json["operation"].is_string()) return json["operation"].get<std::string>();
    }
  return "another writer's commit";
}

// Only after a conflict, which is certain: no log has our commit id, and a put that is still on its way meets a version that is taken.
void DropStaged(store::ObjectStore& store, const std::string& root, const std::string& prefix) {
  const auto objects = store.List(root + "/");
  if (!objects || prefix.empty()) return;
  for (const store::ObjectMeta& object : *objects)
    if (object.key.find("/" + prefix) != std::string::npos) (void)store.Delete(object.key);
}

// A commit that begins in-commit timestamps names its own version and time: it can go nowhere else. Its time; nullopt for others.
std::optional<int64_t> BeginOfTimestamps(const delta::Snapshot* before, const StagedChange& change) {
  if (before == nullptr || delta::IsEnabled(before->metadata, "delta.enableInCommitTimestamps")) return std::nullopt;
  for (const delta::Action& action : change.commit.actions) {
    const auto* metadata = std::get_if<delta::Metadata>(&action);
    if (metadata == nullptr) continue;
    const auto time = metadata->configuration.find("delta.inCommitTimestampEnablementTimestamp");
    if (time == metadata->configuration.end()) continue;
    int64_t millis = 0;
    std::from_chars(time->second.data(), time->second.data() + time->second.size(), millis);
    return millis;
  }
  return std::nullopt;
}

Result<delta::CommitOutcome> Put(const TableTarget& target, const StagedChange& change, delta::CommitStamp stamp, Clock& clock) {
  const delta::Snapshot* before = target.snapshot ? &*target.snapshot : nullptr;
  const auto begin = BeginOfTimestamps(before, change);
  if (!begin) {
    const delta::Isolation isolation = before ? delta::IsolationOf(before->metadata) : delta::Isolation::kSerializable;
    return delta::Commit(*target.store, target.root, change.commit, stamp, clock, isolation);
  }
  stamp.in_commit_timestamp = begin;
  const int64_t version = before->version + 1;
  SLUICE_TRY(const auto put, delta::PutCommit(*target.store, target.root, version, change.commit, stamp, clock));
  if (const auto* committed = std::get_if<delta::Committed>(&put)) return *committed;
  return delta::Conflicted{{version, fmt::format("version {} was written meanwhile", version)}};
}

Error Conflicting(const TableTarget& target, const delta::Conflict& with) {
  const std::string operation = OperationOf(*target.store, target.root, with.version);
  return ConflictError("commit-conflict", fmt::format("{}: {} came first: {}", target.name, operation, with.what))
      .Hint("nothing was changed; run it again, on the table as it is now");
}

// Only for speed and space: where it fails, the next version that is due tries again.
void KeepUp(const TableTarget& target, int64_t version, const PlainWriter& writer, Clock& clock) {
  const auto now = delta::LoadSnapshot(*target.store, target.root, version);
  if (!now || !IsCheckpointDue(now->metadata, version)) return;
  if (!delta::WriteCheckpoint(*target.store, target.root, *now, clock) || !writer.log_floor) return;
  (void)delta::CleanLog(*target.store, target.root, now->metadata, writer.log_floor, clock);
}

}  // namespace

Result<int64_t> CommitPlainly(const TableTarget& target, const StagedChange& change, const PlainWriter& writer) {
  Clock& clock = writer.clock ? *writer.clock : SystemClock();
  const delta::Snapshot* before = target.snapshot ? &*target.snapshot : nullptr;
  delta::CommitStamp stamp;
  stamp.commit_id = NewUuid(clock, writer.random ? *writer.random : SystemRandom());
  stamp.now = clock.Now();
  stamp.engine_info = writer.engine_info;
  stamp.extra = {{"sluiceRunId", nlohmann::json(writer.operation_id).dump()}};
  stamp.in_commit_timestamp = delta::NextInCommitTimestamp(before, change.commit, stamp.now);
  SLUICE_TRY(const delta::CommitOutcome outcome, Put(target, change, stamp, clock));
  if (const auto* conflicted = std::get_if<delta::Conflicted>(&outcome)) {
    DropStaged(*target.store, target.root, writer.staged_prefix);
    return Fail(Conflicting(target, conflicted->with));
  }
  const int64_t version = std::get<delta::Committed>(outcome).version;
  if (before == nullptr || IsCheckpointDue(before->metadata, version)) KeepUp(target, version, writer, clock);
  return version;
}

}  // namespace sluice::tables
