#include "state/mend.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "state/record_json.h"

namespace sluice::state {
namespace {

Error NotTold(const std::string& node, int64_t n, std::string_view why) {
  return ConflictError("record-missing", fmt::format("{} is damaged or gone, and can't be made again: {}", DoneKey(node, n), why))
      .Hint("put <lake>/_sluice back from a backup");
}

bool IsOurs(const delta::Txn& txn, const std::string& node, int64_t n) { return txn.version == n && txn.app_id.ends_with("/" + node); }

// The first version of the table that shows batch n.
Result<int64_t> VersionOf(store::ObjectStore& lake, const std::string& node, int64_t n, const TableChange& change) {
  SLUICE_TRY(const auto log, delta::ReadCommits(lake, change.root, change.commit.read_version));
  for (const delta::LogCommit& commit : log.commits)
    for (const delta::Action& action : commit.actions)
      if (const auto* txn = std::get_if<delta::Txn>(&action); txn != nullptr && IsOurs(*txn, node, n)) return commit.version;
  SLUICE_TRY(const auto table, delta::LoadSnapshotIfExists(lake, change.root));
  if (table)
    for (const auto& [id, txn] : table->txns)
      if (IsOurs(txn, node, n)) return table->version;
  return Fail(NotTold(node, n, fmt::format("the log of {} does not show batch {}", change.table, n)));
}

Result<DoneRecord> DoneOf(store::ObjectStore& lake, const std::string& node, const BatchRecords& batch,
                          const std::vector<TableVersion>& before) {
  if (batch.highest_k == 0) return Fail(NotTold(node, batch.n, "its decision is gone, too"));
  SLUICE_TRY(const ReadyRecord ready, ReadReady(lake, node, batch.n, batch.highest_k));
  DoneRecord done{.n = batch.n, .k = batch.highest_k, .abandoned = ready.abandoned, .tables = before};
  for (const TableChange& change : ready.changes) {
    SLUICE_TRY(const int64_t version, VersionOf(lake, node, batch.n, change));
    std::erase_if(done.tables, [&](const TableVersion& table) { return table.root == change.root; });
    done.tables.push_back({change.table, change.root, change.commit.table_id, version, batch.n});
  }
  return done;
}

}  // namespace

Status MendDoneRecords(store::ObjectStore& lake, const std::string& node, const std::vector<BatchRecords>& batches) {
  std::vector<TableVersion> tables;
  for (const BatchRecords& batch : batches) {
    const bool must_be_done = batch.done || batch.n < batches.back().n;
    if (!must_be_done) continue;
    auto done = batch.done ? ReadDone(lake, node, batch.n) : Result<DoneRecord>(Fail(NotTold(node, batch.n, "")));
    if (!done) {
      const std::string& code = done.error().code;
      if (code != "bad-record" && code != "record-missing") return Fail(done.error());
      done = DoneOf(lake, node, batch, tables);
      if (!done) return Fail(done.error());
      SLUICE_TRY(const std::string bytes, Render(*done));
      SLUICE_CHECK(lake.Put(DoneKey(node, batch.n), bytes));
    }
    tables = done->tables;
  }
  return Ok();
}

}  // namespace sluice::state
