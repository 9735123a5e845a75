#pragma once
#include <mutex>
#include <optional>

#include "engines/duckdb/handles.h"
#include "engines/remote.h"

namespace sluice::engines {

// Keeps the database's secret for S3 as its source has it. Thread-safe.
class RemoteSecretKeeper {
 public:
  explicit RemoteSecretKeeper(RemoteSecretSource source) : source_(std::move(source)) {}
  // Requires httpfs to be loaded. Cheap where nothing changed. Its errors never have the secret in them.
  Status Refresh(duckdb_database database);

 private:
  const RemoteSecretSource source_;
  std::mutex mutex_;
  std::string statement_;  // the last that was run; guarded by mutex_
};

}  // namespace sluice::engines
