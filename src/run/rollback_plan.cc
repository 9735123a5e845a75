#include "run/rollback_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <set>

#include "core/counted.h"
#include "core/text.h"
#include "run/cursor.h"
#include "run/model_records.h"

namespace sluice::run {
namespace {

Error NoSuchBatch(const std::string& owner, std::string why) {
  return UserError("no-such-batch", fmt::format("{}: {}", owner, why)).Hint(fmt::format("`sluice show` lists the batches of {}", owner));
}

Error NoBatchOf(const BatchHistory& history, const RollbackWhat& what) {
  return ConflictError("restore-impossible", fmt::format("{}: this was before the first batch of {}", what.table, history.owner()))
      .Hint(fmt::format("without any of its batches: sluice rollback {} --to-batch 0", what.table));
}

std::vector<const plan::Node*> MembersOf(const plan::Graph& graph, size_t node) {
  std::vector<const plan::Node*> members;
  for (const size_t i : graph.BatchOf(node)) members.push_back(&graph.nodes[i]);
  return members;
}

// What a batch had read of tables that are not its own.
Result<ConsumedInputs> ReadBy(const std::vector<const plan::Node*>& members, const PastBatch& batch) {
  ConsumedInputs read;
  for (const plan::Node* node : members) {
    if (node->model == nullptr) continue;
    SLUICE_TRY(const ModelCursor cursor, CursorOfModel(*node, batch.ready.cursor));
    for (const auto& [table, consumed] : cursor.inputs) {
      const bool own = std::any_of(members.begin(), members.end(), [&, name = table](const plan::Node* one) { return one->table == name; });
      if (own || consumed.version < 0) continue;
      const auto [at, is_new] = read.emplace(table, consumed);
      if (!is_new) at->second.version = std::max(at->second.version, consumed.version);
    }
  }
  return read;
}

}  // namespace

BatchHistory& RollbackPlanner::HistoryOf(const std::string& owner) {
  auto& history = histories_[owner];
  if (!history) history = std::make_unique<BatchHistory>(session_, owner);
  return *history;
}

// Did a commit of no batch change the table's rows since this version? Where the log is cut, it cannot be told.
Result<bool> RollbackPlanner::ChangedSince(const state::TableVersion& table) {
  SLUICE_TRY(const auto now, session_.Pin(table.table));
  if (!now || now->version <= table.version || now->metadata.id != table.id) return false;
  SLUICE_TRY(const auto log, delta::ReadCommits(session_.lake(), table.root, table.version, now->version));
  const auto moves_rows = [](const delta::Action& action) {
    const auto* add = std::get_if<delta::Add>(&action);
    const auto* remove = std::get_if<delta::Remove>(&action);
    return (add != nullptr && add->data_change) || (remove != nullptr && remove->data_change);
  };
  return std::any_of(log.commits.begin(), log.commits.end(),
                     [&](const auto& commit) { return std::any_of(commit.actions.begin(), commit.actions.end(), moves_rows); });
}

// The tables that batches after n changed, or a commit of no batch on top of it, as n left them.
Result<state::RestoreTarget> RollbackPlanner::StateAfter(BatchHistory& history, int64_t n) {
  SLUICE_TRY(const int64_t last, history.LastDone());
  SLUICE_TRY(const PastBatch* newest, history.At(last));
  SLUICE_TRY(const PastBatch* then, history.At(n));
  state::RestoreTarget target{.batch = n, .tables = {}};
  for (const state::TableVersion& table : newest->done.tables) {
    bool goes = table.batch > n;
    if (!goes) {
      SLUICE_TRY(goes, ChangedSince(table));
    }
    if (goes) target.tables.push_back({table.table, table.root, then ? then->VersionOf(table.table).value_or(-1) : -1});
  }
  return target;
}

// Whose state the newest batch changed: it may itself have brought back an older one.
Result<int64_t> RollbackPlanner::BatchBefore(BatchHistory& history) {
  SLUICE_TRY(int64_t n, history.LastDone());
  while (n > 0) {
    SLUICE_TRY(const PastBatch* batch, history.At(n));
    if (const auto target = state::RestoreTargetOf(batch->ready))
      n = target->batch;
    else if (batch->ready.kind == state::kClosedKind)
      --n;
    else if (batch->ready.kind == "rollback")
      n -= 2;  // of the abandoned one before it
    else
      break;
  }
  if (n <= 0) return Fail(NoSuchBatch(history.owner(), "there is no batch to be taken back"));
  return n - 1;
}

Result<RollbackPlanner::Shown> RollbackPlanner::ShownAt(const BatchHistory& history, const std::string& table, int64_t version) {
  SLUICE_TRY(const auto snapshot, delta::LoadSnapshot(session_.lake(), Session::RootOf(table), version));
  const state::NodeIdentity owner{.project = session_.project().name, .node = history.owner(), .run_id = ""};
  return Shown{version, snapshot.TxnVersion(owner.app_id()).value_or(0)};
}

// The versions that are asked for.
Result<std::map<std::string, RollbackPlanner::Shown>> RollbackPlanner::Wanted(BatchHistory& history, const RollbackWhat& what) {
  std::map<std::string, Shown> wanted;
  if (what.to_version) {
    SLUICE_TRY(wanted[what.table], ShownAt(history, what.table, *what.to_version));
    return wanted;
  }
  SLUICE_TRY(const int64_t last, history.LastDone());
  SLUICE_TRY(const PastBatch* newest, history.At(last));
  for (const state::TableVersion& table : newest->done.tables) {
    const auto version = delta::VersionAt(session_.lake(), table.root, *what.to_time);
    if (!version && (version.error().kind != ErrorKind::kNotFound || table.table == what.table)) return Fail(version.error());
    wanted[table.table] = Shown{};
    if (version) {
      SLUICE_TRY(wanted[table.table], ShownAt(history, table.table, *version));
    }
  }
  return wanted;
}

// As batch n left the tables; but exactly the versions that are wanted, where they show no later batch.
Result<state::RestoreTarget> RollbackPlanner::TargetAt(BatchHistory& history, int64_t n, const std::map<std::string, Shown>& wanted) {
  SLUICE_TRY(const PastBatch* batch, history.At(n));
  SLUICE_TRY(state::RestoreTarget target, StateAfter(history, n));
  for (const auto& [table, shown] : wanted) {
    SLUICE_TRY(const auto snapshot, session_.Pin(table));
    if (!snapshot || snapshot->version == shown.version || batch->LastChangeOf(table) != shown.batch) continue;
    const auto at =
        std::find_if(target.tables.begin(), target.tables.end(), [&, name = table](const auto& one) { return one.table == name; });
    if (at != target.tables.end())
      at->version = shown.version;
    else
      target.tables.push_back({table, Session::RootOf(table), shown.version});
  }
  return target;
}

Result<state::RestoreTarget> RollbackPlanner::TargetOf(BatchHistory& history, const RollbackWhat& what) {
  SLUICE_TRY(const int64_t last, history.LastDone());
  if (last == 0) return Fail(NoSuchBatch(history.owner(), "it has no batch yet"));
  if (what.to_batch || !(what.to_version || what.to_time)) {
    SLUICE_TRY(const int64_t n, what.to_batch ? Result<int64_t>(*what.to_batch) : BatchBefore(history));
    if (n < 0 || n > last) return Fail(NoSuchBatch(history.owner(), fmt::format("there is no batch {}, the last one is {}", n, last)));
    SLUICE_TRY(const PastBatch* batch, history.At(n));
    if (batch != nullptr && batch->done.abandoned)
      return Fail(NoSuchBatch(history.owner(), fmt::format("batch {} was abandoned: nothing of it counts", n)));
    return StateAfter(history, n);
  }
  SLUICE_TRY(const auto present, session_.Pin(what.table));
  if (what.to_version && (*what.to_version < 0 || (present && *what.to_version > present->version)))
    return Fail(NotFoundError("no-such-version", fmt::format("{} has no version {}, its newest is {}", what.table, *what.to_version,
                                                             present ? present->version : -1)));
  SLUICE_TRY(const auto wanted, Wanted(history, what));
  // Of a time in the midst of a batch's commits: the one before it.
  const auto fits = [&](const PastBatch& batch) {
    if (batch.done.abandoned || batch.LastChangeOf(what.table) == 0) return false;
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& one) { return batch.LastChangeOf(one.first) <= one.second.batch; });
  };
  for (int64_t n = last; n >= 1; --n) {
    SLUICE_TRY(const PastBatch* batch, history.At(n));
    if (batch->ready.kind == kCursorKind) continue;  // a cursor that was moved by hand is of no version and no time
    if (fits(*batch)) return TargetAt(history, n, wanted);
  }
  return Fail(NoBatchOf(history, what));
}

// What a batch had read must still be what its inputs are, or will be when they have gone back. "" = it is.
Result<std::string> RollbackPlanner::TakenBack(const std::vector<const plan::Node*>& members, const PastBatch& batch) {
  SLUICE_TRY(const ConsumedInputs read, ReadBy(members, batch));
  for (const auto& [table, consumed] : read) {
    const auto top = tops_.find(table);
    if (top == tops_.end()) continue;
    SLUICE_TRY(const auto snapshot, session_.Pin(table));
    if (!snapshot || snapshot->metadata.id != consumed.table_id) continue;  // it will be read anew
    SLUICE_TRY(const auto kept, HistoryOf(BatchOwner(*graph_.Find(table))).OnTheWayTo(table, top->second, consumed.version));
    if (!kept) return fmt::format("batch {} read {} version {}", batch.n, table, consumed.version);
  }
  return std::string();
}

// A batch that read what an earlier rollback of an input has taken back would bring rows that its inputs do not have.
Status RollbackPlanner::CheckInputs(const WayBackOf& way) {
  SLUICE_TRY(const PastBatch* batch, HistoryOf(way.owner).At(way.target.batch));
  if (batch == nullptr) return Ok();
  SLUICE_TRY(const ConsumedInputs read, ReadBy(way.members, *batch));
  for (const auto& [table, consumed] : read) {
    const plan::Node* input = graph_.Find(table);
    SLUICE_TRY(const auto snapshot, session_.Pin(table));
    if (input == nullptr || !snapshot || snapshot->metadata.id != consumed.table_id) continue;
    constexpr int64_t kNow = std::numeric_limits<int64_t>::max();
    SLUICE_TRY(const auto kept, HistoryOf(BatchOwner(*input)).OnTheWayTo(table, kNow, consumed.version));
    if (!kept)
      return Fail(
          ConflictError("inputs-taken-back", fmt::format("batch {} of {} was built on {} version {}, which was taken back since", batch->n,
                                                         way.owner, table, consumed.version))
              .Hint(fmt::format("bring that back first: sluice table restore {} --to {}; or go back further", table, consumed.version)));
  }
  return Ok();
}

// Does the owner go back, or further back, since an input of it does?
Result<bool> RollbackPlanner::GoesAlong(const std::string& owner, std::map<std::string, WayBackOf>& ways) {
  BatchHistory& history = HistoryOf(owner);
  WayBackOf& way = ways[owner];
  SLUICE_TRY(int64_t n, way.because.empty() ? history.LastDone() : Result<int64_t>(way.target.batch));
  SLUICE_TRY(const PastBatch* batch, history.At(n));
  if (batch == nullptr) return false;
  SLUICE_TRY(const std::string because, TakenBack(way.members, *batch));
  if (because.empty()) return false;
  for (--n; n >= 1; --n) {
    SLUICE_TRY(batch, history.At(n));
    if (batch->done.abandoned) continue;
    SLUICE_TRY(const std::string still, TakenBack(way.members, *batch));
    if (still.empty()) break;
  }
  if (way.because.empty()) way.because = because;
  SLUICE_TRY(way.target, StateAfter(history, n));
  for (const auto& table : way.target.tables) tops_[table.table] = table.version;
  return true;
}

Result<std::vector<WayBackOf>> RollbackPlanner::Plan(const plan::Node& node, const RollbackWhat& what) {
  const std::string own = BatchOwner(node);
  WayBackOf first{.owner = own, .members = MembersOf(graph_, graph_.index.at(node.table)), .target = {}, .because = ""};
  SLUICE_TRY(first.target, TargetOf(HistoryOf(own), what));
  SLUICE_CHECK(CheckInputs(first));
  for (const auto& table : first.target.tables) tops_[table.table] = table.version;

  std::map<std::string, WayBackOf> ways;
  std::vector<std::string> order;  // of the owners, each after those that it reads
  std::set<size_t> seen;
  const std::function<void(size_t)> visit = [&](size_t at) {
    if (!seen.insert(at).second) return;
    const auto batch = graph_.BatchOf(at);
    seen.insert(batch.begin(), batch.end());
    for (const size_t member : batch)
      for (const size_t input : graph_.Upstream(member)) visit(input);
    const plan::Node& one = graph_.nodes[at];
    const std::string owner = BatchOwner(one);
    if (one.model == nullptr || one.is_view() || owner == own) return;
    order.push_back(owner);
    ways[owner] = {.owner = owner, .members = MembersOf(graph_, at), .target = {}, .because = ""};
  };
  for (size_t i = 0; i < graph_.nodes.size(); ++i) visit(i);
  for (bool moved = true; moved;) {
    moved = false;
    for (const std::string& owner : order) {
      SLUICE_TRY(const bool goes, GoesAlong(owner, ways));
      moved = moved || goes;
    }
  }
  std::vector<WayBackOf> all{std::move(first)};
  std::vector<std::string> later;
  for (const std::string& owner : order) {
    if (ways[owner].because.empty()) continue;
    later.push_back(fmt::format("{} ({})", owner, ways[owner].because));
    all.push_back(std::move(ways[owner]));
  }
  if (!later.empty() && !what.with_later)
    return Fail(ConflictError("later-batches",
                              fmt::format("{} built on what would be taken back of {}: {}",
                                          Counted(static_cast<int64_t>(later.size()), "node was", "nodes were"), own, Join(later, ", ")))
                    .Hint("--with-later rolls them back, too, to what they were before"));
  return all;
}

}  // namespace sluice::run
