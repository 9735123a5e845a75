#pragma once
// What would a run do, and why? A value that can be printed, saved, compared and run.
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "run/session.h"

namespace sluice::run {

enum class PlanAction { kRun, kMayRun, kSkip, kBlocked };  // kMayRun: something upstream runs; whether its result changes is not known yet

struct PlannedFile {
  std::string name;
  int64_t size = 0;
  std::string etag, dialect;  // dialect: "csv , quoted by \" with header", "ndjson gzip", …
};

struct PlannedNode {
  std::string table, kind, store;
  PlanAction action = PlanAction::kSkip;
  std::string why;
  std::vector<PlannedFile> files;         // sources
  std::map<std::string, int64_t> inputs;  // models: table → version read (-1: none yet)
  std::vector<std::string> windows;       // "2024-01-01 … 2024-02-01"
  std::vector<std::string> schema_changes;
  std::vector<std::string> notes;
  bool noteworthy = false;               // they are told though there is nothing to do
  std::vector<std::string> maintenance;  // what is due beside the batch, and why
  int64_t estimated_bytes = 0;           // read
  std::string fingerprint;
};

struct RunPlan {
  std::string environment, lake;
  bool full_refresh = false, reload_sources = false;
  std::vector<PlannedNode> nodes;  // in the order of the graph
  bool has_work() const;
};

// Reads metadata only: listings, logs and records; writes nothing. Errors are of the project; a node that can't be planned (a changed
// file, a replaced table) is kBlocked with the reason.
Result<RunPlan> MakePlan(Session& session, const std::set<size_t>& nodes, bool full_refresh, bool reload_sources, bool forced);

std::string RenderPlan(const RunPlan& plan, bool verbose);
nlohmann::ordered_json ToJson(const RunPlan& plan);
// What moved between a saved plan and one made now: empty = nothing. Each a line for people.
Result<std::vector<std::string>> MovedSince(const std::string& saved_json, const RunPlan& now);

}  // namespace sluice::run
