#pragma once
// Sorting the files of a large snapshot.
#include <vector>

#include "delta/actions.h"

namespace sluice::delta {

// By LogicalKey. Of two files with one key either may come first.
void SortByLogicalKey(std::vector<Add>* files);
void SortByLogicalKey(std::vector<Remove>* files);

}  // namespace sluice::delta
