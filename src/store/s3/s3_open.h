#pragma once
// From a location and its options to a store: what is not said is taken from the environment, as AWS's own tools do.
#include <memory>
#include <string>

#include "net/credentials.h"
#include "store/remote.h"
#include "store/s3/s3_client.h"

namespace sluice::store {

struct S3ObjectOptions {
  net::Headers headers;  // that go with every object written: its encryption
  std::string ca_file;
};
// `prefix` is "" or ends with '/'.
std::unique_ptr<ObjectStore> NewS3Store(std::shared_ptr<S3Client> client, std::string prefix, S3ObjectOptions options);

struct S3Location {
  std::string bucket, prefix;  // prefix "" or with '/' at its end
};
// "s3://bucket/a/b/" → bucket, "a/b/". Error "bad-location".
Result<S3Location> ParseS3Location(const std::string& location);
// Error "bad-endpoint". `endpoint` "" is AWS.
Result<S3Address> AddressOf(const std::string& bucket, const std::string& endpoint, std::optional<bool> path_style);
// Encryption at rest as headers. Errors "bad-sse".
Result<net::Headers> EncryptionHeaders(const StoreOptions& options);

}  // namespace sluice::store
