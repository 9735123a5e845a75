#pragma once
// `freshness:` of a source: how old is the newest data that bronze has? It is looked at after the source's batch, on what is committed:
// that a source is late is no reason to hold back the rows that did come.
#include "delta/snapshot.h"
#include "run/checks.h"
#include "run/session.h"

namespace sluice::run {

// Beyond `within` the outcome has failed, beyond `warn`, or where the table has no row yet, it warns. From the statistics in the log;
// only files without any are read. `node` is a source with `freshness`. Errors: kUser "freshness-column" (a contract that nobody declared
// has no such column, or it is no date or timestamp); those of the engine.
Result<CheckOutcome> CheckFreshness(Session& session, const plan::Node& node, const delta::Snapshot& bronze);

}  // namespace sluice::run
