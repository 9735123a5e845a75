#pragma once
// What the `maintenance` of a node asks for, after its batch or where it is due without one (docs/tables.md, "Maintenance").
#include "run/node.h"

namespace sluice::run {

// What a run would do now, for people: "optimize silver.orders: it has 20 small files or more in a partition". A batch of this run may make
// more of it due. Empty: nothing is due, or nothing is asked for. Errors: those of the store and of the tables' logs.
struct DueMaintenance {
  std::vector<std::string> texts;
  bool packs = false;  // a table gets a version, by which its readers see its files packed
};
Result<DueMaintenance> MaintenanceDue(Session& session, const plan::Node& node);

// Requires that the node's batch is done or that there was none to do. Where nothing is due, only what the run has pinned is looked at and,
// with `vacuum`, one small object per table. What was done is noted in the report; a failure, too: it fails nothing.
void Maintain(Session& session, const plan::Node& node, const RunContext& context, NodeReport& report);

}  // namespace sluice::run
