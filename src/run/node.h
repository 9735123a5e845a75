#pragma once
// One node of a run, from its recovery to its done record: pin → decide → open → stage → check → decide for good → commit.
#include <functional>
#include <optional>
#include <string>

#include "run/model_plan.h"
#include "run/report.h"
#include "run/session.h"
#include "state/batch.h"

namespace sluice::run {

struct RunContext {
  std::string run_id;
  Instant started;  // the run's clock
  std::string command;
  bool full_refresh = false;
  bool reload_sources = false;           // with full_refresh: bronze too
  bool forced = false;                   // also where nothing is new
  std::optional<BackfillPart> backfill;  // of one model, instead of what is due of it
  int64_t memory_per_node = 256LL << 20;
  int threads_per_node = 2;
  bool profiled = false;                                         // reports say where the time of ingest went
  std::function<Status()> before_writing = [] { return Ok(); };  // called before a batch is opened or an earlier one finished
};

// Runs the nodes of one batch (a node alone, or a publish group's, upstream first): never throws, errors are in the reports. Emits
// progress. Safe to call for different batches at once.
std::vector<NodeReport> RunBatch(Session& session, const std::vector<const plan::Node*>& nodes, const RunContext& context);

// The parts; models have model_batch.h.
NodeReport RunSource(Session& session, const plan::Node& node, const RunContext& context);
NodeReport RunSeed(Session& session, const plan::Node& node, const RunContext& context);
Result<state::NodeState> RecoverSeed(Session& session, const plan::Node& node, const RunContext& context);

// Finishes what an earlier run decided on the nodes' batch, and rolls back one that was abandoned; their owner's state then.
Result<state::NodeState> RecoverBatch(Session& session, const std::vector<const plan::Node*>& nodes, const RunContext& context);

state::NodeIdentity IdentityOf(Session& session, const plan::Node& node, const RunContext& context);

// Fails where `table`, one that the node writes, was dropped or replaced since its last batch; the hint is the command that brings it back.
// `snapshot`: the table as it is, null if there is none. Errors as state::CheckSameTable.
Status CheckOwnTable(const plan::Node& node, const state::NodeState& state, const std::string& table, const delta::Snapshot* snapshot);

// Of a node before anything was done for it.
NodeReport NewReport(const plan::Node& node);
// Of a node whose batch is its own: `steps` fill it in, an error of theirs ends it.
NodeReport Reported(const plan::Node& node, const std::function<Status(NodeReport&)>& steps);

// Sets status and error from an error value: kData errors are refusals, kCancelled cancels, all else fails.
void SetError(NodeReport& report, Error error);

// Deletes what an attempt has staged for the tables at `roots`: nothing will name it.
void DropAttempt(Session& session, const state::OpenRecord& open, const std::string& node, const std::vector<std::string>& roots);

// Puts the decision. Where another run's stands, or where it is refused before it is put, what this attempt staged goes. After an answer
// that never came the files stay: the decision may name them.
Result<state::Decision> DecideOrDrop(Session& session, state::BatchLog& log, const state::NodeState& state, const state::OpenRecord& open,
                                     state::ReadyRecord ready, const std::vector<std::string>& roots);

}  // namespace sluice::run
