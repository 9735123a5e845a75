#pragma once
// How a store that is not a folder of this machine is reached; a local one looks at none of it.
#include <optional>
#include <string>

#include "net/credentials.h"

namespace sluice::store {

struct StoreOptions {
  std::string endpoint;            // "https://minio.example.com:9000"; "" = the environment's, else AWS
  std::optional<bool> path_style;  // the bucket in the path, not in the host's name; default: where there is an endpoint
  std::string sse;                 // encryption at rest: "AES256", "aws:kms"; "" = the environment's, else the bucket's default
  std::string kms_key_id;
  std::string ca_file;  // PEM; "" = AWS_CA_BUNDLE, else the machine's
  net::IdentityOptions identity;
};

// What an engine that reads objects by their Uri itself must know.
struct RemoteAccess {
  std::string host;  // of the service, with a port where it is not the scheme's own, and a path where the endpoint has one
  bool tls = true, path_style = false;
  std::string region, ca_file;
  net::Credentials credentials;
};

}  // namespace sluice::store
