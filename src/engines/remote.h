#pragma once
// Objects that DuckDB reads by their URL itself, through its extension httpfs.
#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "core/secret.h"
#include "engines/duckdb.h"

namespace sluice::engines {

// For all URLs of S3.
struct RemoteSecret {
  std::string host, region;
  bool tls = true, path_style = false;
  std::string ca_file;  // "" = the machine's
  std::string access_key_id;
  Secret secret_access_key, session_token;
};
// Gives credentials that hold for some minutes at least.
using RemoteSecretSource = std::function<Result<RemoteSecret>()>;

// A database that can read URLs of S3, too. `secret` is asked before each statement.
Result<std::unique_ptr<DuckDb>> OpenRemoteDuckDb(const DuckDbOptions& options, RemoteSecretSource secret);

}  // namespace sluice::engines
