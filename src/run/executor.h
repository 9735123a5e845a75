#pragma once
// A whole run: the chosen nodes in the order of the graph, several at once, each failure blocking only what depends on it.
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "plan/select.h"
#include "run/model_plan.h"
#include "run/report.h"
#include "run/session.h"

namespace sluice::run {

struct RunOptions {
  std::string run_id, trace_id;  // "" = made here
  std::set<size_t> nodes;        // positions in the graph
  std::string command;           // what was typed, for the run file
  bool full_refresh = false;
  bool reload_sources = false;
  bool forced = false;
  std::optional<BackfillPart> backfill;
  bool fail_fast = false;
  bool wait = false;  // for another run on this lake
  bool profiled = false;
  int parallel = 0;  // nodes at once; 0 = the number of threads, at most 4
};

// Runs them. The lake's lease is taken when the first node has something to write, so that a run with nothing to do touches nothing.
// Errors: kConflict "lake-busy" (who holds it); failures of nodes are in the report.
Result<RunReport> RunNodes(Session& session, const RunOptions& options);

// 32 hexadecimal digits, as W3C Trace Context has them.
std::string NewTraceId(Random& random);

// HEAD of the git repository that holds `folder`, shortened; "" where there is none.
std::string GitCommit(const std::string& folder);

}  // namespace sluice::run
