#include "run/replay.h"

#include <fmt/format.h>

#include "run/contract_sql.h"
#include "run/held_versions.h"
#include "run/ingest_batch.h"
#include "state/lease.h"

namespace sluice::run {
namespace {

Result<ingest::ReplayResult> Stage(Session& session, const plan::Node& node, const RunContext& context, const ReplayWhat& what,
                                   const state::OpenRecord& open, const delta::Snapshot* bronze, const delta::Snapshot& quarantine) {
  SLUICE_TRY(engines::DuckDb * db, session.db());
  const ingest::Environment environment = IngestEnvironment(session, node, context, open.clock, nullptr, db);
  const ingest::Target quarantine_target{Session::RootOf(QuarantineTable(*node.source)), &quarantine};
  if (what.discard) {
    ingest::DiscardRequest request;
    request.ids = what.ids;
    request.where = what.where;
    request.quarantine = quarantine_target;
    request.batch = BatchOf(node, open, context);
    return ingest::Discard(request, environment);
  }
  project::Source source = *node.source;
  source.contract = ingest::EffectiveContract(source.contract, bronze, {});
  SLUICE_CHECK(ExpandContractSql(session, &source.contract));
  ingest::ReplayRequest request;
  request.source = &source;
  request.ids = what.ids;
  request.where = what.where;
  request.edits = what.edits;
  request.bronze = {Session::RootOf(node.table), bronze};
  request.quarantine = quarantine_target;
  request.batch = BatchOf(node, open, context);
  return ingest::Replay(request, environment);
}

}  // namespace

Result<ReplayOutcome> ReplayQuarantine(Session& session, const plan::Node& node, const ReplayWhat& what) {
  RunContext context;
  context.run_id = NewUuid(session.clock(), session.random());
  context.started = session.clock().Now();
  context.memory_per_node = session.options().memory_bytes / 4;
  context.threads_per_node = session.options().threads;
  state::LeaseOptions lease_options;
  lease_options.run_id = context.run_id;
  lease_options.wait = what.wait;
  SLUICE_TRY(const auto lease, state::AcquireLease(session.lake(), "run", session.clock(), state::SystemProcesses(), lease_options));
  const state::Heartbeat heartbeat(*lease);

  const state::Reprepare reprepare = IngestReprepare(session, node, context);
  state::BatchLog log(session.lake(), session.clock(), session.random(), IdentityOf(session, node, context), LogFloorOf(session));
  SLUICE_TRY(const state::NodeState state, log.Recover(reprepare));
  SLUICE_TRY(const auto quarantine, session.Repin(QuarantineTable(*node.source)));
  if (!quarantine) return Fail(UserError("no-quarantine", fmt::format("{} has refused no record yet", node.table)));
  SLUICE_TRY(const auto bronze, session.Repin(node.table));
  state::OpenRequest request;
  request.kind = what.discard ? "discard" : "replay";
  request.fingerprint = node.source->fingerprint;
  request.outputs = {{QuarantineTable(*node.source), quarantine.get()}, {node.table, bronze.get()}};
  SLUICE_TRY(const state::OpenRecord open, log.Open(state, request));
  SLUICE_TRY(const ingest::ReplayResult result, Stage(session, node, context, what, open, bronze.get(), *quarantine));

  ReplayOutcome outcome{context.run_id, 0, result.selected, result.replayed, result.refused, result.duplicates, result.rules};
  if (!result.bronze.changes() && !result.quarantine.changes()) return outcome;
  state::ReadyRecord ready;
  ready.n = open.n;
  ready.attempt = open.attempt;
  ready.run_id = context.run_id;
  ready.kind = open.kind;
  ready.cursor = state.cursor;
  ready.fingerprint = node.source->fingerprint;
  auto changes = ChangesOf(session, node, context, result.quarantine, quarantine.get(), result.bronze, bronze.get());
  if (!changes) {
    DropAttempt(session, open, node.table, RootsOf(node));
    return Fail(std::move(changes).error());
  }
  ready.changes = *std::move(changes);
  SLUICE_TRY(const state::Decision decision, DecideOrDrop(session, log, state, open, ready, RootsOf(node)));
  SLUICE_TRY(const state::DoneRecord done, log.Finish(decision.ready.n, reprepare));
  if (!decision.mine || done.abandoned) {
    return Fail(ConflictError("replay-overtaken", "another writer changed the quarantine meanwhile: nothing was replayed")
                    .Hint("run the same command again"));
  }
  outcome.batch = done.n;
  return outcome;
}

}  // namespace sluice::run
