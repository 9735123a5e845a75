#include "state/record_store.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::state {
namespace {

constexpr int kSettleTries = 8;
constexpr int64_t kSettleMillis = 20;  // doubled each time: two and a half seconds in all

void Note(BatchRecords& batch, const RecordName& record) {
  switch (record.kind) {
    case RecordKind::kOpen:
      batch.lowest_attempt = batch.lowest_attempt == 0 ? record.part : std::min(batch.lowest_attempt, record.part);
      batch.highest_attempt = std::max(batch.highest_attempt, record.part);
      break;
    case RecordKind::kReady:
      batch.highest_k = std::max(batch.highest_k, record.part);
      break;
    case RecordKind::kDone:
      batch.done = true;
      break;
  }
}

std::vector<BatchRecords> Group(const std::vector<store::ObjectMeta>& objects) {
  std::vector<BatchRecords> batches;
  for (const store::ObjectMeta& object : objects) {
    const auto record = ParseRecordKey(object.key);
    if (!record) continue;
    if (batches.empty() || batches.back().n != record->n) batches.push_back({.n = record->n});
    Note(batches.back(), *record);
  }
  return batches;
}

}  // namespace

Result<std::vector<BatchRecords>> ListBatches(store::ObjectStore& lake, const std::string& node, int64_t from) {
  SLUICE_TRY(const auto objects, lake.List(RecordsFolder(node), from > 0 ? BatchPrefix(node, from) : ""));
  return Group(objects);
}

Result<BatchRecords> ListBatch(store::ObjectStore& lake, const std::string& node, int64_t n) {
  SLUICE_TRY(const auto objects, lake.List(BatchPrefix(node, n) + "."));
  const auto batches = Group(objects);
  return batches.empty() ? BatchRecords{.n = n} : batches.front();
}

Result<OpenRecord> ReadOpen(store::ObjectStore& lake, const std::string& node, int64_t n, int attempt) {
  const std::string key = OpenKey(node, n, attempt);
  SLUICE_TRY(const std::string bytes, lake.Get(key));
  return ParseOpen(bytes, key);
}

Result<ReadyRecord> ReadReady(store::ObjectStore& lake, const std::string& node, int64_t n, int k) {
  const std::string key = ReadyKey(node, n, k);
  SLUICE_TRY(const std::string bytes, lake.Get(key));
  return ParseReady(bytes, key);
}

Result<DoneRecord> ReadDone(store::ObjectStore& lake, const std::string& node, int64_t n) {
  const std::string key = DoneKey(node, n);
  SLUICE_TRY(const std::string bytes, lake.Get(key));
  return ParseDone(bytes, key);
}

Result<std::string> PutOnce(store::ObjectStore& lake, Clock& clock, const std::string& key, const std::string& bytes) {
  for (int tries = 0; tries < kSettleTries; ++tries) {
    SLUICE_TRY(const store::PutOutcome outcome, lake.PutIfAbsent(key, bytes));
    if (outcome == store::PutOutcome::kWritten) return bytes;
    auto standing = lake.Get(key);
    if (standing || standing.error().kind != ErrorKind::kNotFound) return standing;
    clock.SleepMillis(kSettleMillis << tries);
  }
  return Fail(RetryableError("unknown-outcome", fmt::format("cannot tell whether {} was written", key))
                  .Hint("run again: what was decided is finished first, and nothing is done twice"));
}

std::string HeadKey(const std::string& node) { return IndexFolder(node) + "head.json"; }

void WriteHead(store::ObjectStore& lake, const std::string& node, const HeadIndex& head) {
  if (const auto bytes = Render(head)) (void)lake.Put(HeadKey(node), *bytes);
}

std::optional<HeadIndex> ReadHead(store::ObjectStore& lake, const std::string& node) {
  const auto bytes = lake.Get(HeadKey(node));
  if (!bytes) return std::nullopt;
  auto head = ParseHead(*bytes, HeadKey(node));
  return head ? std::optional(*std::move(head)) : std::nullopt;
}

}  // namespace sluice::state
