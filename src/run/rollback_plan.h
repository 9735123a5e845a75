#pragma once
// What must go back, and how far? From the records alone; nothing is written.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "run/batch_history.h"
#include "run/rollback.h"

namespace sluice::run {

// Where one node or group goes back to.
struct WayBackOf {
  std::string owner;
  std::vector<const plan::Node*> members;  // upstream first
  state::RestoreTarget target;
  std::string because;  // for one that was built on another: "batch 12 read bronze.orders version 9"
};

class RollbackPlanner {
 public:
  RollbackPlanner(Session& session, const plan::Graph& graph) : session_(session), graph_(graph) {}

  // The node's own way, then those of what was built on it, in the order of the graph. Errors as RollBackNode.
  Result<std::vector<WayBackOf>> Plan(const plan::Node& node, const RollbackWhat& what);
  BatchHistory& HistoryOf(const std::string& owner);

 private:
  Result<state::RestoreTarget> TargetOf(BatchHistory& history, const RollbackWhat& what);
  Result<int64_t> BatchBefore(BatchHistory& history);
  // A version of a table, and the batch of its owner that it shows.
  struct Shown {
    int64_t version = -1, batch = 0;
  };
  Result<Shown> ShownAt(const BatchHistory& history, const std::string& table, int64_t version);
  Result<std::map<std::string, Shown>> Wanted(BatchHistory& history, const RollbackWhat& what);
  Result<state::RestoreTarget> TargetAt(BatchHistory& history, int64_t n, const std::map<std::string, Shown>& wanted);
  Result<bool> ChangedSince(const state::TableVersion& table);
  Result<state::RestoreTarget> StateAfter(BatchHistory& history, int64_t n);
  Status CheckInputs(const WayBackOf& way);
  Result<bool> GoesAlong(const std::string& owner, std::map<std::string, WayBackOf>& ways);
  Result<std::string> TakenBack(const std::vector<const plan::Node*>& members, const PastBatch& batch);

  Session& session_;
  const plan::Graph& graph_;
  std::map<std::string, std::unique_ptr<BatchHistory>> histories_;
  std::map<std::string, int64_t> tops_;  // tables that go back → the version whose contents they get; -1: none
};

}  // namespace sluice::run
