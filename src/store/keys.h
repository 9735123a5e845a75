#pragma once
#include <string_view>

#include "core/result.h"

namespace sluice::store {

// Refuses what is no key: "", a leading '/', an empty, "." or ".." part, a NUL byte. Code "bad-key".
// Keys may come from logs that others wrote: this keeps them inside the store.
Status CheckKey(std::string_view key);

}  // namespace sluice::store
