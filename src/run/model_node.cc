#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "core/time.h"
#include "engines/duckdb.h"
#include "run/model_plan.h"
#include "run/model_stage.h"
#include "run/node.h"

namespace sluice::run {
namespace {

// What re-staging needs of an attempt.
struct Attempt {
  int64_t n = 0;
  int number = 0;
  Instant clock;
};

state::ReadyRecord MakeReady(Session& session, const plan::Node& node, const RunContext& context, const state::OpenRecord& open,
                             const ModelPlan& plan, const StagedModel& staged, const std::string& fingerprint) {
  state::ReadyRecord ready;
  ready.n = open.n;
  ready.attempt = open.attempt;
  ready.run_id = context.run_id;
  ready.kind = open.kind;
  if (!staged.change.empty) {
    const delta::Snapshot* base = staged.target.snapshot ? &*staged.target.snapshot : nullptr;
    ready.changes.push_back(
        state::MakeChange(IdentityOf(session, node, context), node.table, Session::RootOf(node.table), staged.change.commit, base));
  }
  ready.inputs = ToJson(plan);
  ready.cursor = ToJson(ModelCursor{plan.to, plan.windows_until});
  ready.fingerprint = fingerprint;
  return ready;
}

// A batch decided before, whose one change a foreign commit voided: computed again from the inputs its record names.
state::Reprepare RepreparerOf(Session& session, const plan::Node& node, const RunContext& context) {
  return [&session, &node, &context](const state::ReadyRecord& base, const std::vector<size_t>&) -> Result<state::Repreparation> {
    SLUICE_TRY(const ModelPlan plan, ModelPlanFromJson(base.inputs));
    SLUICE_TRY(StagedModel staged,
               StageModel(session, node, plan, {base.n, base.attempt, context.run_id, context.started, context.memory_per_node}));
    SLUICE_TRY(const auto checks, RunChecks(session, node, OwnRelationsOf(staged)));
    if (Blocks(checks)) {
      DropStaged(session, Session::RootOf(node.table), staged.change.added);
      return state::Repreparation{{}, "its checks fail after a foreign commit"};
    }
    const delta::Snapshot* now = staged.target.snapshot ? &*staged.target.snapshot : nullptr;
    return state::Repreparation{
        {state::MakeChange(IdentityOf(session, node, context), node.table, Session::RootOf(node.table), staged.change.commit, now)},
        std::nullopt};
  };
}

void CountRows(const tables::ChangeCounts& counts, NodeReport& report) {
  report.rows.in = counts.read;
  report.rows.terms = {
      {"new", counts.added}, {"changed", counts.changed}, {"same", counts.same}, {"older", counts.older}, {"deleted", counts.deleted}};
  if (counts.removed > 0) report.notes.push_back(fmt::format("replaced {} rows", FormatCount(counts.removed)));
}

Status RunModelSteps(Session& session, const plan::Node& node, const RunContext& context, NodeReport& report) {
  state::BatchLog log(session.lake(), session.clock(), session.random(), IdentityOf(session, node, context));
  const auto reprepare = RepreparerOf(session, node, context);
  SLUICE_TRY(const state::NodeState before, log.Load());
  if (before.pending || before.abandoned) SLUICE_CHECK(context.before_writing());
  SLUICE_TRY(const state::NodeState state, before.pending || before.abandoned ? log.Recover(reprepare) : Result<state::NodeState>(before));
  if (before.pending)
    report.notes.push_back(fmt::format("batch {} of run {} was decided and is now committed", before.pending->n, before.pending->run_id));

  SLUICE_TRY(const auto snapshot, session.Repin(node.table));
  if (snapshot) report.from_version = report.to_version = snapshot->version;
  if (!node.is_view() && !context.full_refresh) SLUICE_CHECK(state::CheckSameTable(state, Session::RootOf(node.table), snapshot.get()));
  SLUICE_TRY(const auto inputs, PinInputs(session, node));
  SLUICE_TRY(const auto decided, DecideModel(session, node, state, inputs, {context.full_refresh, context.forced, context.started}));
  if (!decided) {
    report.status = before.pending ? NodeStatus::kOk : NodeStatus::kSkipped;
    report.why = before.pending ? "finished an interrupted batch" : "up to date";
    return Ok();
  }
  ModelPlan plan = *decided;
  report.why = plan.why;
  report.notes.insert(report.notes.end(), plan.notes.begin(), plan.notes.end());

  SLUICE_TRY(const std::string fingerprint, EffectiveFingerprint(session, node));
  state::OpenRequest request;
  request.kind = context.full_refresh ? "full-refresh" : "write";
  request.inputs = ToJson(plan);
  request.fingerprint = fingerprint;
  SLUICE_CHECK(context.before_writing());
  SLUICE_TRY(const state::OpenRecord open, log.Open(state, request));
  report.batch = open.n;

  SLUICE_TRY(StagedModel staged,
             StageModel(session, node, plan, {open.n, open.attempt, context.run_id, open.clock, context.memory_per_node}));
  CountRows(staged.change.counts, report);
  report.notes.insert(report.notes.end(), staged.notes.begin(), staged.notes.end());
  auto checks = RunChecks(session, node, OwnRelationsOf(staged));
  if (checks) report.checks = *checks;
  if (!checks || Blocks(*checks) || session.cancelled()) {
    DropStaged(session, Session::RootOf(node.table), staged.change.added);
    if (!checks) return Fail(checks.error());
    if (session.cancelled()) return Fail(CancelledError());
    report.status = NodeStatus::kRefused;
    return Ok();
  }
  SLUICE_TRY(const state::Decision decision, log.Decide(state, MakeReady(session, node, context, open, plan, staged, fingerprint)));
  if (!decision.mine) {
    DropStaged(session, Session::RootOf(node.table), staged.change.added);
    report.notes.push_back(fmt::format("run {} decided batch {} first: its result stands", decision.ready.run_id, decision.ready.n));
  }
  SLUICE_TRY(const state::DoneRecord done, log.Finish(decision.ready.n, reprepare));
  if (done.abandoned)
    return Fail(DataError("abandoned", fmt::format("a foreign commit changed {} and the checks fail on top of it: batch {} was abandoned",
                                                   node.table, done.n))
                    .Hint("run again: the next batch rolls it back"));
  SLUICE_TRY(const auto after, session.Repin(node.table));
  if (after) report.to_version = after->version;
  report.status = NodeStatus::kOk;
  return Ok();
}

}  // namespace

NodeReport RunModel(Session& session, const plan::Node& node, const RunContext& context) {
  NodeReport report;
  report.table = node.table;
  report.kind = "model";
  if (Status status = RunModelSteps(session, node, context, report); !status) SetError(report, std::move(status).error());
  return report;
}

}  // namespace sluice::run
