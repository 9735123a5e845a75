#pragma once
// What do the records of files hold? A pass over a sample (or all) of them that proposes a type for each column.
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "contract/type.h"
#include "core/result.h"
#include "sources/source.h"

namespace sluice::sources {

// Columns with the narrowest type that every sampled value fits: only ISO dates and times, no formats. What does not fit later is
// refused by the contract that these columns become.
Result<std::vector<contract::Field>> DetectFields(store::ObjectStore& store, const std::vector<InputFile>& files, FileFormat format);

}  // namespace sluice::sources
