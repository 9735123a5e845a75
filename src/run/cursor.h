#pragma once
// `sluice state set` and `reset`: where a source of rows goes on, said by hand, as a batch of its own.
#include <cstdint>
#include <optional>
#include <string>

#include "plan/graph.h"
#include "run/session.h"

namespace sluice::run {

inline const std::string kCursorKind = "cursor";  // of a batch that moves the cursor and nothing else

struct CursorChange {
  std::string before, after;  // JSON
  int64_t batch = 0;          // that has it; 0: it stood there already
};

// The source's next batch begins at `cursor` (JSON as the connector writes it; nullopt: at the beginning). The connector is asked whether
// it can go on there. Takes the lake's lease, and finishes what was decided before. Rows stay as they are: what comes again is there twice.
// Errors: kUser "no-cursor" (the node is no source of rows), "bad-cursor", "other-cursor"; kConflict "lake-busy"; those of connecting and
// of the batch protocol.
Result<CursorChange> SetCursor(Session& session, const plan::Node& node, const std::optional<std::string>& cursor, bool wait);

}  // namespace sluice::run
