#pragma once
// A folder anywhere, as a key in the store of the folder that holds it.
#include <memory>
#include <string>

#include "store/object_store.h"

namespace sluice::store {

struct Place {
  std::unique_ptr<ObjectStore> store;
  std::string key;  // "" = all of the store: a whole bucket
};

// `location`: a path (relative: to the working directory; links are followed) or a URL. Error "no-such-place" where a local folder does not
// exist.
Result<Place> OpenPlace(const std::string& location);

}  // namespace sluice::store
