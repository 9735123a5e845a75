#pragma once
// What a run says of itself: values first, then the lines people read, the run file and the CI formats.
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "core/profile.h"
#include "ingest/ingest.h"
#include "run/checks.h"

namespace sluice::run {

enum class NodeStatus {
  kOk,       // committed, or nothing changed after computing
  kSkipped,  // nothing to do
  kRefused,  // a gate held it back: nothing was published          (exit 3)
  kFailed,   // an error                                            (exit 1)
  kBlocked,  // something upstream failed or was refused
  kCancelled,
};

// "in 10,412 = new 312 + changed 88 + …": the terms that are not zero, in this order.
struct RowCounts {
  int64_t in = -1;                                     // -1: not counted
  std::vector<std::pair<std::string, int64_t>> terms;  // "new", "changed", "same", "deleted", "quarantined", "duplicate", …
};

// Where the time of a source's batch went.
struct IngestProfile {
  int64_t bytes = 0;  // of its files, as stored
  int threads = 1;
  StageTimes stages;
};

struct NodeReport {
  std::string table;
  std::string kind;  // "source", "seed", "model"
  NodeStatus status = NodeStatus::kSkipped;
  std::string why;                             // "new input", "changed SQL", "up to date", …
  int64_t from_version = -1, to_version = -1;  // of the node's table; -1: none
  std::optional<int64_t> batch;                // n
  RowCounts rows;
  double seconds = 0;
  std::vector<CheckOutcome> checks;
  std::vector<ingest::RuleCount> rules;  // violations at ingest
  std::vector<std::string> notes;        // recovered batch, schema change, full reads, windows …
  bool noteworthy = false;               // its notes are told though there was nothing to do
  std::optional<Error> error;
  std::vector<std::string> blocked_by;
  std::optional<IngestProfile> profile;  // with --profile
};

struct RunReport {
  std::string run_id, trace_id, project, environment, lake, git_commit, command;
  Instant started, finished;
  std::vector<NodeReport> nodes;  // in the order of the graph
  std::vector<Error> warnings;
  // 0 done, 1 failed, 3 a gate refused or a source is stale, 130 cancelled: the worst of the nodes (failed before refused).
  int ExitCode() const;
};

const char* ToString(NodeStatus status);

// {"in": …, "new": …, …}: as a batch's record keeps them. Of counts that say less (older records): what they say.
std::string ToJson(const RowCounts& rows);
RowCounts RowCountsFromJson(const std::string& text);

// Its rows are published, and a check of what is published failed: the source is later than its `freshness` allows.
bool IsStale(const NodeReport& node);

// "silver.orders  ok  v41→v42  in 10,412 = new 312 + changed 88  3.1 s  why: new input"; names padded to `width`.
std::string NodeLine(const NodeReport& node, size_t width);
// The whole report for people: header, a line per node that did something, failures with rule, place, rows, what stays published, what is
// blocked and the next command; a closing line of counts.
std::string RenderText(const RunReport& report, bool verbose);
// The run file's form (docs/run-file.md).
nlohmann::ordered_json ToJson(const RunReport& report);
// --report junit | sarif | md. Error "unknown-report-format".
Result<std::string> RenderReport(const RunReport& report, const std::string& format);

// Writes <root>/.sluice/runs/ID.json, and remembers it as the newest. Atomic.
Status WriteRunFile(const std::string& project_root, const RunReport& report);
// The newest run's results, for `result:` selectors and --resume: table → status. Empty where there is none.
std::map<std::string, std::string> LastResults(const std::string& project_root);

}  // namespace sluice::run
