#include "state/fence.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace sluice::state {
namespace {

constexpr std::string_view kRetentionProperty = "delta.setTransactionRetentionDuration";

bool CarriesTxn(const delta::LogCommit& commit, const std::string& app_id, int64_t n) {
  return std::any_of(commit.actions.begin(), commit.actions.end(), [&](const delta::Action& action) {
    const auto* txn = std::get_if<delta::Txn>(&action);
    return txn != nullptr && txn->app_id == app_id && txn->version == n;
  });
}

// Does the table show what this commit did? A commit file that lies before the newest checkpoint need not be part of the log: put
// into a slot that had been cleaned away, it is read by nobody.
bool IsInTable(const delta::LogCommit& commit, const delta::Snapshot& table) {
  std::set<std::string_view> live, known;
  for (const delta::Add& file : table.files) live.insert(file.path);
  known = live;
  for (const delta::Remove& gone : table.tombstones) known.insert(gone.path);
  bool adds = false;
  for (const delta::Action& action : commit.actions) {
    if (const auto* add = std::get_if<delta::Add>(&action)) {
      adds = true;
      if (known.contains(add->path)) return true;
    }
  }
  if (adds) return false;
  return std::none_of(commit.actions.begin(), commit.actions.end(), [&](const delta::Action& action) {
    const auto* remove = std::get_if<delta::Remove>(&action);
    return remove != nullptr && live.contains(remove->path);
  });
}

// The node's txn and what the log says beside it.
struct Trace {
  bool committed = false;  // batch n is in the table
  bool log_whole = false;  // every commit since the prepared version was seen
};

Trace FollowLog(const TableChange& change, const std::string& app_id, int64_t n, const TableLook& look, std::optional<int64_t> txn) {
  if (txn == n) return {.committed = true, .log_whole = look.since.complete};
  const auto& since = look.since.commits;
  const auto ours = std::find_if(since.begin(), since.end(), [&](const auto& one) { return CarriesTxn(one, app_id, n); });
  const bool whole = look.since.complete && look.snapshot->version >= change.commit.read_version;
  if (ours == since.end()) return {.committed = false, .log_whole = whole};
  // An older txn in the table says that ours never came after it; without one it has expired, and the files tell.
  if (!txn && IsInTable(*ours, *look.snapshot)) return {.committed = true, .log_whole = whole};
  return {.committed = false, .log_whole = false};  // what really stood in that slot is gone
}

Stopped Stop(std::string code, std::string message, std::string hint) {
  return {ConflictError(std::move(code), std::move(message)).Hint(std::move(hint))};
}

Stopped Replaced(const TableChange& change, const std::string& id) {
  return Stop("table-replaced",
              fmt::format("{} is not the table that this batch was prepared on: it was dropped and made again (id {} instead of {})",
                          change.table, id, change.commit.table_id),
              "if that was meant, rebuild the node with --full-refresh");
}

Stopped LogGone(const TableChange& change, int64_t n) {
  return Stop("log-gone",
              fmt::format("the log of {} after version {} was cleaned away, so nobody can tell whether batch {} is in it", change.table,
                          change.commit.read_version, n),
              "compare the table with its source, then rebuild the node with --full-refresh");
}

Stopped FenceRefused(const TableChange& change, int64_t n, std::optional<int64_t> txn) {
  const auto text = [](std::optional<int64_t> version) { return version ? fmt::format("batch {}", *version) : std::string("no batch"); };
  return Stop("fence-refused",
              fmt::format("{} holds {} of this node, but batch {} was prepared when it held {}", change.table, text(txn), n,
                          text(change.expected_txn)),
              "somebody changed the table's transaction, or restored it; rebuild the node with --full-refresh");
}

}  // namespace

Status CheckKeepsTransactions(const std::string& table, const delta::Metadata& metadata) {
  if (!metadata.configuration.contains(std::string(kRetentionProperty))) return Ok();
  return Fail(UnsupportedError("transaction-retention",
                               fmt::format("{} has the property {}: it would forget which batches it holds", table, kRetentionProperty))
                  .Hint("unset it: ALTER TABLE … UNSET TBLPROPERTIES ('" + std::string(kRetentionProperty) + "')"));
}

Verdict Judge(const TableChange& change, const std::string& app_id, int64_t n, const TableLook& look) {
  const delta::PreparedCommit& commit = change.commit;
  const bool creation = commit.read_version < 0;
  if (!look.snapshot) {
    if (creation) return PutAt{0};
    return Stop("table-dropped", fmt::format("{} was dropped since this batch was prepared", change.table),
                "if that was meant, rebuild the node with --full-refresh");
  }
  const delta::Snapshot& table = *look.snapshot;
  if (!creation && table.metadata.id != commit.table_id) return Replaced(change, table.metadata.id);

  const std::optional<int64_t> txn = table.TxnVersion(app_id);
  const Trace trace = FollowLog(change, app_id, n, look, txn);
  if (trace.committed) return AlreadyCommitted{table.version};
  if (txn && *txn > n)
    return Stop("batch-overtaken", fmt::format("{} already holds batch {}, this run is finishing batch {}", change.table, *txn, n),
                "another run went on meanwhile: run again");
  // A txn that is gone has expired: the commits since tell, as long as they are all there.
  if (!trace.log_whole && !txn) return LogGone(change, n);
  if (txn != change.expected_txn && txn.has_value()) return FenceRefused(change, n, txn);
  if (auto kept = CheckKeepsTransactions(change.table, table.metadata); !kept) return Stopped{kept.error()};

  if (creation) return Voided{fmt::format("{} was created by someone else, as version 0", change.table)};
  if (!trace.log_whole) return Voided{fmt::format("the log of {} after version {} was cleaned away", change.table, commit.read_version)};
  if (const auto conflict = delta::FindConflict(commit, look.since.commits, delta::IsolationOf(look.snapshot->metadata)))
    return Voided{conflict->what};
  return PutAt{table.version + 1};
}

}  // namespace sluice::state
