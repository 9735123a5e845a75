#include "run/node.h"

#include <chrono>

#include "core/text.h"

namespace sluice::run {

state::NodeIdentity IdentityOf(Session& session, const plan::Node& node, const RunContext& context) {
  return {session.project().name, node.table, context.run_id, "sluice/0.1.0"};
}

void SetError(NodeReport& report, Error error) {
  report.status = error.kind == ErrorKind::kData        ? NodeStatus::kRefused
                  : error.kind == ErrorKind::kCancelled ? NodeStatus::kCancelled
                                                        : NodeStatus::kFailed;
  report.error = std::move(error);
}

void DropStaged(Session& session, const std::string& root, const std::vector<tables::StagedFile>& files) {
  for (const auto& file : files) (void)session.lake().Delete(root + "/" + PercentDecode(file.add.path));
}

NodeReport RunNode(Session& session, const plan::Node& node, const RunContext& context) {
  session.Emit({obs::Level::kDebug, obs::Kind::kNodeStarted, node.table, "", 0, 0, {}});
  const auto start = std::chrono::steady_clock::now();
  NodeReport report;
  if (node.kind == plan::NodeKind::kSource)
    report = RunSource(session, node, context);
  else if (node.kind == plan::NodeKind::kSeed)
    report = RunSeed(session, node, context);
  else
    report = RunModel(session, node, context);
  if (report.status != NodeStatus::kSkipped)
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace sluice::run
