#pragma once
// Is a table's log whole? Every commit read, every checkpoint and checksum file compared with our own replay.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "delta/snapshot.h"

namespace sluice::delta {

// Something that is wrong with a table.
struct Finding {
  std::string code;       // "log-gap", "bad-commit", "bad-checkpoint", …; docs/cli.md lists them
  std::string where;      // an object's name, or a data file's path in the log
  std::string message;    // for people
  bool is_doubt = false;  // it may be damage, and need not be
  bool operator==(const Finding&) const = default;
};

struct LogCheck {
  std::optional<Snapshot> snapshot;  // of the newest version, if the log leads there
  int64_t commits = 0, checkpoints = 0, checksums = 0;
  std::vector<Finding> findings;
};

// Errors: kNotFound "no-such-table"; kUnsupported "unsupported-feature" where the table cannot be read at all; the store's.
Result<LogCheck> CheckLog(store::ObjectStore& store, std::string_view table_root);

}  // namespace sluice::delta
