#include "run/rollback.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/counted.h"
#include "core/text.h"
#include "run/external.h"
#include "run/held_versions.h"
#include "run/model_records.h"
#include "run/node.h"
#include "run/rollback_plan.h"
#include "run/source_input.h"
#include "sources/source.h"
#include "state/lease.h"
#include "state/ledger.h"
#include "tables/tombstones.h"

namespace sluice::run {
namespace {

constexpr size_t kFilesNamed = 5;

std::string Named(std::vector<std::string> names) {
  const size_t count = names.size();
  if (count > kFilesNamed) names.resize(kFilesNamed);
  return Join(names, ", ") + (count > kFilesNamed ? ", …" : "");
}

// Both the node and everything that is computed from it, by way of views too: positions in the graph, in its order.
std::set<size_t> WithDownstream(const plan::Graph& graph, size_t node) {
  std::set<size_t> all;
  std::vector<size_t> open = graph.BatchOf(node);
  while (!open.empty()) {
    const size_t at = open.back();
    open.pop_back();
    if (!all.insert(at).second) continue;
    for (const size_t next : graph.Downstream(at))
      for (const size_t member : graph.BatchOf(next)) open.push_back(member);
  }
  return all;
}

// Did nothing come since?
bool IsThere(const WayBackOf& way, int64_t last_done) { return way.target.tables.empty() && way.target.batch == last_done; }

// One node's or group's batch that brings an earlier state back.
class RestoreBatch {
 public:
  RestoreBatch(Session& session, const WayBackOf& way, BatchHistory& history, const RunContext& context)
      : session_(session),
        way_(way),
        history_(history),
        log_(session.lake(), session.clock(), session.random(), IdentityOf(session, *way.members.front(), context), LogFloorOf(session)) {
    out_.owner = way.owner;
    out_.to_batch = way.target.batch;
  }

  // Whether all is there that it needs.
  Status Check() {
    SLUICE_CHECK(CheckDeletedKeys());
    return state::CheckRestore(session_.lake(), session_.clock(), session_.random(), log_.identity(), way_.target);
  }

  Result<RolledBack> Look() {
    for (const auto& table : way_.target.tables) {
      SLUICE_TRY(const auto snapshot, session_.Pin(table.table));
      if (snapshot) out_.tables.push_back({table.table, snapshot->version, table.version, -1});
    }
    SLUICE_CHECK(NoteFiles());
    return std::move(out_);
  }

  Result<RolledBack> Run() {
    SLUICE_TRY(const state::NodeState state, log_.Load());
    if (IsThere(way_, state.last_done)) return std::move(out_);
    state::OpenRequest request{.kind = state::kRestoreKind, .inputs = state::InputsOfRestore(way_.target)};
    std::vector<std::shared_ptr<const delta::Snapshot>> outputs;
    for (const auto& table : way_.target.tables) {
      SLUICE_TRY(outputs.emplace_back(), session_.Repin(table.table));
      request.outputs.push_back({table.table, outputs.back().get()});
    }
    SLUICE_TRY(const state::OpenRecord open, log_.Open(state, request));
    auto ready = Stage(state, open);
    if (!ready) {
      DropAttempt(session_, open, way_.owner, Roots());
      return Fail(std::move(ready).error());
    }
    SLUICE_CHECK(NoteFiles());
    SLUICE_TRY(const state::Decision decision, DecideOrDrop(session_, log_, state, open, *std::move(ready), Roots()));
    if (!decision.mine)
      return Fail(ConflictError("restore-overtaken",
                                fmt::format("run {} decided batch {} of {} first", decision.ready.run_id, decision.ready.n, way_.owner))
                      .Hint("look at what it did, then run the same command again"));
    SLUICE_TRY(const state::DoneRecord done, log_.Finish(open.n, NeverAsked()));
    return Tell(done);
  }

 private:
  // A restore prepares itself again.
  static state::Reprepare NeverAsked() {
    return [](const state::ReadyRecord&, const std::vector<size_t>&) -> Result<state::Repreparation> {
      return Fail(BugError("a restore prepares itself again"));
    };
  }

  std::vector<std::string> Roots() const {
    std::vector<std::string> roots;
    for (const auto& table : way_.target.tables) roots.push_back(table.root);
    return roots;
  }

  // What merges remember of deleted keys goes back with the rows: its files must be there, too.
  Status CheckDeletedKeys() {
    for (const auto& table : way_.target.tables) {
      if (table.version < 0) continue;
      SLUICE_TRY(const auto then, delta::LoadSnapshot(session_.lake(), table.root, table.version));
      const auto domain = then.domains.find(tables::kTombstoneDomain);
      if (domain == then.domains.end()) continue;
      SLUICE_TRY(const auto files, tables::TombstoneFiles(domain->second));
      for (const std::string& file : files) {
        const auto found = session_.lake().Head(table.root + "/" + file);
        if (!found && found.error().kind != ErrorKind::kNotFound) return Fail(found.error());
        if (!found)
          return Fail(ConflictError("restore-impossible",
                                    fmt::format("{}: version {} cannot be restored, its file {} is gone", table.table, table.version, file))
                          .Hint("VACUUM has removed what no version within the retention needs"));
      }
    }
    return Ok();
  }

  Result<state::ReadyRecord> Stage(const state::NodeState& state, const state::OpenRecord& open) {
    state::ReadyRecord ready{.n = open.n, .attempt = open.attempt, .kind = open.kind, .changes = {}, .inputs = open.inputs};
    const std::string prefix = state::StagedFilePrefix(way_.owner, open.n, open.attempt);
    SLUICE_TRY(ready.changes,
               state::StageRestore(session_.lake(), session_.clock(), session_.random(), log_.identity(), way_.target, prefix));
    SLUICE_TRY(const PastBatch* then, history_.At(way_.target.batch));
    ready.fingerprint = then != nullptr ? then->ready.fingerprint : state.fingerprint;
    if (then != nullptr) {
      SLUICE_TRY(ready.cursor, CursorThen(*then, ready.changes));
    }
    return ready;
  }

  // The cursor of that batch. What members of a group had read of each other has the version now that brings it back.
  Result<std::string> CursorThen(const PastBatch& then, const std::vector<state::TableChange>& changes) {
    state::NodeState as_then;
    as_then.cursor = then.ready.cursor;
    for (const auto& change : then.ready.changes) as_then.prepared_for[change.table] = change.commit.read_version + 1;
    SLUICE_TRY(std::string cursor, ResolvedCursor(way_.owner, as_then));
    for (const plan::Node* node : way_.members) {
      if (node->model == nullptr) continue;
      SLUICE_TRY(ModelCursor own, CursorOfModel(*node, cursor));
      if (own.inputs.empty()) continue;
      for (auto& [table, consumed] : own.inputs)
        if (IsBroughtBack(table, consumed.version, changes)) consumed.version = kOfThisBatch;
      cursor = WithCursorOfModel(*node, cursor, own);
    }
    return cursor;
  }

  bool IsBroughtBack(const std::string& table, int64_t version, const std::vector<state::TableChange>& changes) const {
    const auto& targets = way_.target.tables;
    return std::any_of(targets.begin(), targets.end(), [&](const auto& one) { return one.table == table && one.version == version; }) &&
           std::any_of(changes.begin(), changes.end(), [&](const auto& change) { return change.table == table; });
  }

  // Which files a source will read again, and which it cannot.
  Status NoteFiles() {
    const project::Source* source = way_.members.front()->source;
    if (source == nullptr) return Ok();
    SLUICE_TRY(const int64_t last, history_.LastDone());
    SLUICE_TRY(const auto now, state::LoadLedger(session_.lake(), way_.owner, state::NodeState{.last_done = last}));
    SLUICE_TRY(const auto then, state::LoadLedger(session_.lake(), way_.owner, state::NodeState{.last_done = way_.target.batch}));
    std::vector<std::string> again;
    for (const auto& [path, entry] : now.files) {
      const auto known = then.files.find(path);
      if (known == then.files.end() || !(known->second == entry)) again.push_back(path);
    }
    if (again.empty()) return Ok();
    out_.notes.push_back(
        fmt::format("{} again at the next run: {}", Counted(static_cast<int64_t>(again.size()), "file comes", "files come"), Named(again)));
    const auto gone = GoneFrom(*source, again);
    if (!gone.empty())
      out_.notes.push_back(fmt::format("the source no longer has {}: {} rows come back only by a restore of version {} and later",
                                       Named(gone), gone.size() == 1 ? "its" : "their", PresentVersion()));
    return Ok();
  }

  std::string PresentVersion() const {
    const auto snapshot = session_.Pin(way_.members.front()->table);
    return snapshot && *snapshot ? std::to_string((*snapshot)->version) : "now";
  }

  // A source that cannot be looked at now says nothing. It is asked for all that it has: with a ledger it would leave out what it knows.
  std::vector<std::string> GoneFrom(const project::Source& source, const std::vector<std::string>& wanted) {
    if (GivesRows(source)) return {};
    const auto input = OpenInput(source);
    if (!input) return {};
    const auto offer = (*input)->Look({}, session_.clock().Now());
    if (!offer) return {};
    std::set<std::string> there;
    for (const auto& file : offer->files) there.insert(file.object.key);
    for (const auto& file : offer->skipped) there.insert(file.key);
    std::vector<std::string> gone;
    std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(gone), [&](const std::string& path) { return !there.contains(path); });
    return gone;
  }

  Result<RolledBack> Tell(const state::DoneRecord& done) {
    out_.batch = done.n;
    for (const auto& table : way_.target.tables) {
      SLUICE_TRY(const auto before, session_.Pin(table.table));
      SLUICE_TRY(const auto after, session_.Repin(table.table));
      if (after) out_.tables.push_back({table.table, before ? before->version : -1, table.version, after->version});
    }
    return std::move(out_);
  }

  Session& session_;
  const WayBackOf& way_;
  BatchHistory& history_;
  state::BatchLog log_;
  RolledBack out_;
};

// What a person can do where a state cannot be brought back any more.
Error WithWayOut(Error error, const WayBackOf& way) {
  const plan::Node& node = *way.members.front();
  if (!way.because.empty()) {
    error.message += fmt::format("; it has to go back, too: {}", way.because);
    error.hint = fmt::format(
        "{0} can be emptied, and the next run builds it anew: sluice rollback {0} --to-batch 0 --with-later, then this again", node.table);
    return error;
  }
  error.hint += fmt::format("{}go back to a later batch (sluice show {} lists them), or build it anew: sluice run -s {} --full-refresh{}",
                            error.hint.empty() ? "" : "; ", node.table, node.table, node.source ? " --reload-sources" : "");
  return error;
}

// Of the rollback as a whole: batches decided before are finished, then each way is gone.
class Rollback {
 public:
  Rollback(Session& session, const plan::Graph& graph, const plan::Node& node, const RollbackWhat& what)
      : session_(session), graph_(graph), node_(node), what_(what) {
    context_.run_id = NewUuid(session.clock(), session.random());
    context_.started = session.clock().Now();
    context_.memory_per_node = session.options().memory_bytes / 4;
    context_.threads_per_node = session.options().threads;
  }

  Result<RollbackOutcome> Run() {
    if (node_.is_view())
      return Fail(UserError("no-table", fmt::format("{} is a view: it has no rows of its own", node_.table))
                      .Hint("roll back the tables that it reads"));
    SLUICE_TRY(const bool decided, AnyDecided());
    if (what_.dry_run || !decided) {  // what is refused, or there already, takes no lease
      RollbackPlanner planner(session_, graph_);
      SLUICE_TRY(const auto ways, planner.Plan(node_, what_));
      SLUICE_TRY(const bool there, AllThere(ways, planner));
      if (what_.dry_run || there) return Go(ways, planner);
    }
    state::LeaseOptions options;
    options.run_id = context_.run_id;
    options.wait = what_.wait;
    SLUICE_TRY(const auto lease, state::AcquireLease(session_.lake(), "run", session_.clock(), state::SystemProcesses(), options));
    const state::Heartbeat heartbeat(*lease);
    SLUICE_CHECK(FinishDecided());
    RollbackPlanner planner(session_, graph_);
    SLUICE_TRY(const auto ways, planner.Plan(node_, what_));
    return Go(ways, planner);
  }

 private:
  Result<RollbackOutcome> Go(const std::vector<WayBackOf>& ways, RollbackPlanner& planner) {
    RollbackOutcome outcome{context_.run_id, {}};
    for (const WayBackOf& way : ways) {
      Status possible = RestoreBatch(session_, way, planner.HistoryOf(way.owner), context_).Check();
      if (!possible && possible.error().code == "restore-impossible") return Fail(WithWayOut(std::move(possible).error(), way));
      if (!possible) return Fail(std::move(possible).error());
    }
    // What was built on others goes first: killed between, it reads again what is still there.
    for (auto way = ways.rbegin(); way != ways.rend(); ++way) {
      RestoreBatch batch(session_, *way, planner.HistoryOf(way->owner), context_);
      SLUICE_TRY(RolledBack done, what_.dry_run ? batch.Look() : batch.Run());
      if (!way->because.empty()) done.notes.insert(done.notes.begin(), way->because);
      outcome.owners.push_back(std::move(done));
    }
    return outcome;
  }

  // The batches of the node and of what is computed from it: their nodes, upstream first.
  std::vector<std::vector<const plan::Node*>> Batches() const {
    std::set<std::string> seen;
    std::vector<std::vector<const plan::Node*>> batches;
    for (const size_t i : WithDownstream(graph_, graph_.index.at(node_.table))) {
      const plan::Node& node = graph_.nodes[i];
      if (node.is_view() || !seen.insert(BatchOwner(node)).second) continue;
      auto& members = batches.emplace_back();
      for (const size_t member : graph_.BatchOf(i)) members.push_back(&graph_.nodes[member]);
    }
    return batches;
  }

  Result<bool> AnyDecided() {
    for (const auto& members : Batches()) {
      state::BatchLog log(session_.lake(), session_.clock(), session_.random(), IdentityOf(session_, *members.front(), context_));
      SLUICE_TRY(const state::NodeState state, log.Load());
      if (state.pending || state.abandoned) return true;
    }
    return false;
  }

  Status FinishDecided() {
    for (const auto& members : Batches()) {
      SLUICE_TRY(const state::NodeState state, RecoverBatch(session_, members, context_));
      for (const state::TableVersion& table : state.tables) SLUICE_CHECK(session_.Repin(table.table));
    }
    return Ok();
  }

  static Result<bool> AllThere(const std::vector<WayBackOf>& ways, RollbackPlanner& planner) {
    for (const WayBackOf& way : ways) {
      SLUICE_TRY(const int64_t last, planner.HistoryOf(way.owner).LastDone());
      if (!IsThere(way, last)) return false;
    }
    return true;
  }

  Session& session_;
  const plan::Graph& graph_;
  const plan::Node& node_;
  const RollbackWhat& what_;
  RunContext context_;
};

}  // namespace

Result<RollbackOutcome> RollBackNode(Session& session, const plan::Node& node, const RollbackWhat& what) {
  SLUICE_CHECK(CheckOwned(session.project(), node.table));
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  return Rollback(session, *graph, node, what).Run();
}

}  // namespace sluice::run
