#pragma once
// May what was read be committed? Decided from the counts, after reading.
#include <optional>
#include <vector>

#include "contract/contract.h"
#include "ingest/ingest.h"
#include "ingest/tally.h"

namespace sluice::ingest {

// kData "contract-violated" (on_violation: fail; on_fail: block), "type-changed" (on_type_change: fail), "too-many-quarantined".
std::optional<Error> GateRefusal(const contract::Contract& contract, const Tally& tally);

// Copies the staged quarantine rows to RefusedKey, where `quarantine show` finds them. More than one file: RefusedKey of the
// first, then the same name with .2, .3 … before its ending.
Status KeepRefused(store::ObjectStore& lake, const std::string& quarantine_root, const std::vector<tables::StagedFile>& files,
                   const BatchIdentity& batch);

}  // namespace sluice::ingest
