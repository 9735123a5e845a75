#pragma once
// One node of a run, from its recovery to its done record: pin → decide → open → stage → check → decide for good → commit.
#include <functional>
#include <string>

#include "run/report.h"
#include "run/session.h"
#include "state/batch.h"

namespace sluice::run {

struct RunContext {
  std::string run_id;
  Instant started;  // the run's clock
  std::string command;
  bool full_refresh = false;
  bool reload_sources = false;  // with full_refresh: bronze too
  bool forced = false;          // also where nothing is new
  int64_t memory_per_node = 256LL << 20;
  int threads_per_node = 2;
  std::function<Status()> before_writing = [] { return Ok(); };  // called before a batch is opened or an earlier one finished
};

// Runs the node: never throws, errors are in the report. Emits progress. Safe to call for different nodes at once.
NodeReport RunNode(Session& session, const plan::Node& node, const RunContext& context);

// The parts, one for each kind of node.
NodeReport RunModel(Session& session, const plan::Node& node, const RunContext& context);
NodeReport RunSource(Session& session, const plan::Node& node, const RunContext& context);
NodeReport RunSeed(Session& session, const plan::Node& node, const RunContext& context);

state::NodeIdentity IdentityOf(Session& session, const plan::Node& node, const RunContext& context);

// Sets status and error from an error value: kData errors are refusals, kCancelled cancels, all else fails.
void SetError(NodeReport& report, Error error);

// Deletes files that an attempt staged and nobody will name.
void DropStaged(Session& session, const std::string& root, const std::vector<tables::StagedFile>& files);

}  // namespace sluice::run
