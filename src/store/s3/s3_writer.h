#pragma once
// An object that is sent while it is written: small ones in one PUT, larger ones as a multipart upload.
#include <memory>
#include <string>

#include "net/http.h"
#include "store/object_store.h"
#include "store/s3/s3_client.h"

namespace sluice::store {

// Holds one part and those on their way: 24 MiB for objects up to 8 GB. `headers` go with the object (encryption). Without Close the
// upload is taken back; one that nobody could take back (a killed process) stays with the bucket until its lifecycle rule ends it.
std::unique_ptr<ObjectWriter> NewS3Writer(std::shared_ptr<S3Client> client, std::string key, net::Headers headers);

}  // namespace sluice::store
