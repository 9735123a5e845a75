#include "run/node.h"

#include <fmt/format.h>

#include <chrono>

#include "ingest/sinks.h"
#include "run/external_node.h"
#include "run/held_versions.h"
#include "run/ingest_batch.h"
#include "run/maintain.h"
#include "run/missing_file.h"
#include "run/model_batch.h"
#include "run/model_records.h"

namespace sluice::run {

state::NodeIdentity IdentityOf(Session& session, const plan::Node& node, const RunContext& context) {
  return {session.project().name, BatchOwner(node), context.run_id, "sluice/0.1.0"};
}

Status CheckOwnTable(const plan::Node& node, const state::NodeState& state, const std::string& table, const delta::Snapshot* snapshot) {
  Status same = state::CheckSameTable(state, Session::RootOf(table), snapshot);
  if (same || (same.error().code != "table-dropped" && same.error().code != "table-replaced")) return same;
  return Fail(
      std::move(same).error().Hint(fmt::format("if that was meant, build it anew from all its input: sluice run -s {} --full-refresh{}",
                                               node.table, node.source ? " --reload-sources" : "")));
}

NodeReport NewReport(const plan::Node& node) {
  NodeReport report;
  report.table = node.table;
  report.kind = node.source ? "source" : node.seed ? "seed" : "model";
  return report;
}

NodeReport Reported(const plan::Node& node, const std::function<Status(NodeReport&)>& steps) {
  NodeReport report = NewReport(node);
  if (Status status = steps(report); !status) SetError(report, std::move(status).error());
  return report;
}

void SetError(NodeReport& report, Error error) {
  report.status = error.kind == ErrorKind::kData        ? NodeStatus::kRefused
                  : error.kind == ErrorKind::kCancelled ? NodeStatus::kCancelled
                                                        : NodeStatus::kFailed;
  report.error = std::move(error);
}

void DropAttempt(Session& session, const state::OpenRecord& open, const std::string& node, const std::vector<std::string>& roots) {
  const std::string prefix = state::StagedFilePrefix(node, open.n, open.attempt);
  for (const std::string& root : roots) ingest::DeleteStaged(session.lake(), root, prefix);
}

Result<state::Decision> DecideOrDrop(Session& session, state::BatchLog& log, const state::NodeState& state, const state::OpenRecord& open,
                                     state::ReadyRecord ready, const std::vector<std::string>& roots) {
  auto decision = log.Decide(state, std::move(ready));
  const auto not_put = [](ErrorKind kind) {
    return kind == ErrorKind::kConflict || kind == ErrorKind::kUnsupported || kind == ErrorKind::kBug;
  };
  if (decision ? !decision->mine : not_put(decision.error().kind)) DropAttempt(session, open, log.identity().node, roots);
  return decision;
}

Result<state::NodeState> RecoverBatch(Session& session, const std::vector<const plan::Node*>& nodes, const RunContext& context) {
  const plan::Node& first = *nodes.front();
  if (first.kind == plan::NodeKind::kModel) return RecoverModels(session, nodes, context);
  if (first.kind == plan::NodeKind::kSeed) return RecoverSeed(session, first, context);
  state::BatchLog log(session.lake(), session.clock(), session.random(), IdentityOf(session, first, context), LogFloorOf(session));
  return log.Recover(IngestReprepare(session, first, context));
}

std::vector<NodeReport> RunBatch(Session& session, const std::vector<const plan::Node*>& nodes, const RunContext& context) {
  const plan::Node& first = *nodes.front();
  for (const plan::Node* node : nodes) session.Emit({obs::Level::kDebug, obs::Kind::kNodeStarted, node->table, "", 0, 0, {}});
  const auto start = std::chrono::steady_clock::now();
  std::vector<NodeReport> reports;
  if (first.source != nullptr && first.source->external)
    reports.push_back(RunExternal(session, first, context));
  else if (first.kind == plan::NodeKind::kSource)
    reports.push_back(RunSource(session, first, context));
  else if (first.kind == plan::NodeKind::kSeed)
    reports.push_back(RunSeed(session, first, context));
  else
    reports = RunModels(session, nodes, context);
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  for (size_t i = 0; i < reports.size(); ++i) {
    NodeReport& report = reports[i];
    if (report.error && report.error->code == "sql-io") {
      report.error = ExplainUnreadable(session, *report.error, TablesReadBy(session, *nodes[i]));
      SetError(report, *report.error);
    }
    if (report.status == NodeStatus::kOk || report.status == NodeStatus::kSkipped) Maintain(session, *nodes[i], context, report);
    if (report.status != NodeStatus::kSkipped) report.seconds = seconds();
  }
  return reports;
}

}  // namespace sluice::run
