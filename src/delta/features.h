#pragma once
// Which table features a table needs (PROTOCOL.md, "Table Features"). Pure.
#include <map>
#include <optional>
#include <string>

#include "delta/actions.h"

namespace sluice::delta {

// The lowest protocol, not lower than `current`, that does for this schema and these table properties: the versions before table
// features where these do, features by name from reader 3 and writer 7 on. Properties "delta.feature.NAME" ask for a feature.
// Error: kUnsupported "unsupported-feature" naming a property or feature that Sluice cannot write.
Result<Protocol> ProtocolFor(const contract::Schema& schema, const std::map<std::string, std::string>& properties,
                             const std::optional<Protocol>& current);
// The properties that stand in a table's configuration: all but "delta.feature.…", which the protocol says.
std::map<std::string, std::string> StoredProperties(std::map<std::string, std::string> properties);

// A condition that every row written must fulfil: where it is false or NULL, the row is refused.
struct Constraint {
  std::string name;        // of a CHECK constraint; "invariant of COLUMN"
  std::string expression;  // in the table's SQL, which is Spark's
  bool operator==(const Constraint&) const = default;
};
// The CHECK constraints and column invariants that bind writers of this table. Errors: "bad-delta-log" for an invariant that cannot be
// read, kUnsupported "unsupported-feature" for one below a list or map.
Result<std::vector<Constraint>> ConstraintsOf(const Protocol& protocol, const Metadata& metadata, const contract::Schema& schema);

// Does the protocol bind writers to this feature, by name or by version?
bool BindsWriters(const Protocol& protocol, const std::string& feature);

}  // namespace sluice::delta
