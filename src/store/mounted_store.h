#pragma once
// A store that shows other places below keys of its own: what lies there is read as if it were here, and is never written.
#include <memory>
#include <string>
#include <vector>

#include "store/object_store.h"

namespace sluice::store {

struct Mount {
  std::string prefix;    // "bronze/orders/": keys that begin so are of the place
  std::string location;  // the folder that they stand for: an absolute path or a URL
  // Where set: keys below prefix + kept lie in the store itself, below kept_at + kept, and may be written.
  std::string kept;     // "_delta_log/"
  std::string kept_at;  // "_sluice/external/orders-1a2b/"
};

// `base` with the places on top of it. A place is opened when it is first asked for something; one that is not there has no objects.
// Writing below one is an error, kUnsupported "read-only-place". A listing from above a place does not show it.
std::unique_ptr<ObjectStore> NewMountedStore(std::unique_ptr<ObjectStore> base, std::vector<Mount> mounts);

}  // namespace sluice::store
