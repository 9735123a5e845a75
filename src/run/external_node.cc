// A run's step for a table of another owner: which version it reads, and whether the checks let it be read.
#include "run/external_node.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "run/checks.h"
#include "run/external.h"
#include "run/freshness.h"
#include "run/node.h"
#include "tables/scan.h"

namespace sluice::run {
namespace {

using nlohmann::json;

std::string CursorOf(const Consumed& seen) { return json{{"id", seen.table_id}, {"version", seen.version}}.dump(); }

Consumed SeenIn(const state::NodeState& state) {
  const json cursor = json::parse(state.cursor, nullptr, false);
  if (!cursor.is_object()) return {};
  return {cursor.value("id", ""), cursor.value("version", int64_t{-1})};
}

state::Reprepare NothingToPrepare() {
  return [](const state::ReadyRecord&, const std::vector<size_t>&) -> Result<state::Repreparation> {
    return Fail(BugError("a batch of an external table changes no table"));
  };
}

class ExternalBatch {
 public:
  ExternalBatch(Session& session, const plan::Node& node, const RunContext& context, NodeReport& report)
      : session_(session),
        node_(node),
        context_(context),
        report_(report),
        log_(session.lake(), session.clock(), session.random(), IdentityOf(session, node, context)) {}

  Status Run() {
    SLUICE_TRY(state_, log_.Load());
    if (state_.pending) {
      SLUICE_CHECK(context_.before_writing());
      SLUICE_TRY(state_, log_.Recover(NothingToPrepare()));
    }
    SLUICE_TRY(table_, session_.Pin(node_.table));
    const Consumed now{table_->metadata.id, table_->version};
    const Consumed seen = SeenIn(state_);
    report_.from_version = seen.table_id == now.table_id ? seen.version : -1;
    report_.to_version = now.version;
    report_.why = WhyExternalRuns(node_, state_, *table_, context_.forced || context_.reload_sources);
    const bool due = !report_.why.empty();
    if (!due) report_.why = "external: no new version";
    report_.status = NodeStatus::kSkipped;
    if (due) {
      SLUICE_CHECK(Look(now));
      if (report_.status == NodeStatus::kRefused) return Ok();
    }
    if (node_.source->freshness) LookAtFreshness();
    return Ok();
  }

 private:
  // Checked, and remembered as read. No table changes.
  Status Look(const Consumed& now) {
    SLUICE_CHECK(context_.before_writing());
    state::OpenRequest request;
    request.inputs = CursorOf(now);
    request.fingerprint = node_.source->fingerprint;
    SLUICE_TRY(const state::OpenRecord open, log_.Open(state_, request));
    report_.batch = open.n;
    SLUICE_CHECK(Check());
    if (report_.status == NodeStatus::kRefused) return Ok();
    state::ReadyRecord ready;
    ready.n = open.n;
    ready.attempt = open.attempt;
    ready.run_id = context_.run_id;
    ready.kind = open.kind;
    ready.inputs = ready.cursor = CursorOf(now);
    ready.fingerprint = request.fingerprint;
    SLUICE_TRY(const state::Decision decision, log_.Decide(state_, ready));
    SLUICE_CHECK(log_.Finish(decision.ready.n, NothingToPrepare()));
    report_.status = NodeStatus::kOk;
    return Ok();
  }

  Status Check() {
    if (node_.source->checks.empty()) return Ok();
    SLUICE_TRY(const tables::Scan scan, tables::ScanFor(session_.lake(), Session::RootOf(node_.table), *table_));
    SLUICE_TRY(report_.checks, RunChecks(session_, RunPins(session_), node_, {scan.sql, scan.sql, scan.schema}));
    SLUICE_CHECK(CheckUnmoved(session_, node_.table, *table_));
    if (Blocks(report_.checks)) report_.status = NodeStatus::kRefused;
    return Ok();
  }

  void LookAtFreshness() {
    auto outcome = CheckFreshness(session_, node_, *table_);
    if (outcome)
      report_.checks.push_back(std::move(*outcome));
    else
      report_.notes.push_back("freshness can't be told: " + outcome.error().ToString());
  }

  Session& session_;
  const plan::Node& node_;
  const RunContext& context_;
  NodeReport& report_;
  state::BatchLog log_;
  state::NodeState state_;
  std::shared_ptr<const delta::Snapshot> table_;
};

bool HasGate(const project::Source& source) {
  for (const auto& check : source.checks)
    if (check.on_fail == project::Severity::kBlock) return true;
  return false;
}

}  // namespace

std::string WhyExternalRuns(const plan::Node& node, const state::NodeState& state, const delta::Snapshot& table, bool forced) {
  const Consumed seen = SeenIn(state);
  if (state.last_done == 0) return "external: read for the first time";
  if (seen.table_id != table.metadata.id) return "external: the table was replaced";
  if (seen.version != table.version) return "external: new version";
  if (state.fingerprint != node.source->fingerprint) return "external: changed definition";
  return forced ? "external: forced" : "";
}

Status CheckWasChecked(Session& session, const std::vector<PinnedInput>& inputs) {
  for (const PinnedInput& input : inputs) {
    const project::Source* source = FindExternal(session.project(), input.table);
    if (source == nullptr || !HasGate(*source)) continue;
    state::BatchLog log(session.lake(), session.clock(), session.random(), {session.project().name, input.table, "", "sluice"});
    SLUICE_TRY(const state::NodeState state, log.Load());
    if (SeenIn(state) == input.now()) continue;
    return Fail(ConflictError("unchecked-input",
                              fmt::format("the checks of {} have not passed on its version {}", input.table, input.now().version))
                    .At(source->where)
                    .Hint(fmt::format("run it too: sluice run -s {}+", input.table)));
  }
  return Ok();
}

NodeReport RunExternal(Session& session, const plan::Node& node, const RunContext& context) {
  return Reported(node, [&](NodeReport& report) { return ExternalBatch(session, node, context, report).Run(); });
}

}  // namespace sluice::run
