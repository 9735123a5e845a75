#pragma once
// Stores that are not a folder of this machine: how they are opened, and what others must know to read their objects themselves.
#include <memory>
#include <string>
#include <vector>

#include "store/object_store.h"
#include "store/options.h"

namespace sluice::store {

// Is it a URL of an object store, and no folder of this machine?
bool IsRemote(std::string_view location);

// A store in a bucket of S3, or of a server that speaks its protocol with conditional writes: s3://bucket/prefix. Nothing is sent yet.
// Errors: kUser "bad-location", "bad-endpoint"; of any operation: kUser "access-denied", "bad-credentials", "no-such-bucket" and those
// of net::CredentialProvider, kRetryable "throttled", "store-failed" and those of net::HttpClient, after several tries.
Result<std::unique_ptr<ObjectStore>> OpenS3Store(const std::string& location, const StoreOptions& options);
// Opens what `location` names; the options are for URLs.
Result<std::unique_ptr<ObjectStore>> OpenStore(const std::string& location, const StoreOptions& options);

// What a store on a network can do beside ObjectStore; for implementations, and stores around them.
class Networked {
 public:
  virtual ~Networked() = default;
  virtual Result<std::unique_ptr<RemoteAccess>> Access() = 0;
  virtual Status DeleteAll(const std::vector<std::string>& keys) = 0;
};

// What DuckDB needs to read the objects by their Uri, with credentials that hold for some minutes; nullptr where a path is enough.
Result<std::unique_ptr<RemoteAccess>> AccessOf(ObjectStore& store);
// Deletes all of them in as few requests as can be. After an error some may be deleted and some not.
Status DeleteAll(ObjectStore& store, const std::vector<std::string>& keys);

}  // namespace sluice::store
