#pragma once
// Columns whose type was widened without rewriting their files (PROTOCOL.md, "Type Widening"). Pure.
#include <map>
#include <string>

#include "delta/actions.h"

namespace sluice::delta {

// May a table with type widening change a scalar type so?
bool IsTypeChange(const contract::DataType& from, const contract::DataType& to);
// Is every difference between the two (columns matched by name; added ones apart) such a change, below structs, lists and maps too?
bool AreTypeChanges(const contract::Schema& before, const contract::Schema& after);
// Writes each of these changes into the metadata of the nearest field of `after` ("delta.typeChanges"). Requires AreTypeChanges.
void RecordTypeChanges(const contract::Schema& before, contract::Schema* after);
// Refuses, kUnsupported "unsupported-feature", a recorded change that files cannot be read through.
Status CheckTypeChanges(const contract::Schema& schema);

}  // namespace sluice::delta
