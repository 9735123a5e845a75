// Reads Delta tables as Sluice does and tells what it saw, for test_golden.py to judge.
// Usage: golden_check TABLE_FOLDER…
// Prints one JSON object per table: its snapshot, or why it is refused.
// Usage: golden_check --checkpoint TABLE_FOLDER…
// Writes a checkpoint of each table's newest version.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "delta/commit.h"
#include "delta/snapshot.h"

namespace sluice {
namespace {

using nlohmann::json;

json ToJson(const delta::PartitionValues& values) {
  json object = json::object();
  for (const auto& [column, value] : values) object[column] = value ? json(*value) : json();
  return object;
}

json ToJson(const delta::Snapshot& snapshot) {
  json files = json::array();
  for (const auto& add : snapshot.files)
    files.push_back({{"path", add.path},
                     {"size", add.size},
                     {"modification_time", add.modification_time},
                     {"partition_values", ToJson(add.partition_values)},
                     {"deleted_rows", add.deletion_vector ? add.deletion_vector->cardinality : 0}});
  json txns = json::object();
  for (const auto& [app, txn] : snapshot.txns) txns[app] = txn.version;
  return {{"version", snapshot.version},
          {"files", std::move(files)},
          {"tombstones", snapshot.tombstones.size()},
          {"schema", delta::ToSchemaString(snapshot.schema)},
          {"partition_columns", snapshot.metadata.partition_columns},
          {"reader", snapshot.protocol.min_reader_version},
          {"writer", snapshot.protocol.min_writer_version},
          {"features", snapshot.protocol.reader_features.value_or(std::set<std::string>{})},
          {"txns", std::move(txns)}};
}

json ToJson(const Error& error) { return {{"code", error.code}, {"message", error.message}}; }

struct Place {
  std::string parent, root;
};
Place PlaceOf(const std::string& folder) {
  const size_t slash = folder.rfind('/');
  return {folder.substr(0, slash), folder.substr(slash + 1)};
}

Status WriteCheckpoint(const std::string& folder) {
  const auto [parent, root] = PlaceOf(folder);
  SLUICE_TRY(const auto store, store::OpenLocalStore(parent, /*durable=*/false));
  SLUICE_TRY(const auto snapshot, delta::LoadSnapshot(*store, root));
  return delta::WriteCheckpoint(*store, root, snapshot, SystemClock());
}

json CheckTable(const std::string& folder) {
  const auto [parent, root] = PlaceOf(folder);
  auto store = store::OpenLocalStore(parent, /*durable=*/false);
  if (!store) return {{"refused", ToJson(store.error())}};
  const auto snapshot = delta::LoadSnapshot(**store, root);
  if (!snapshot) return {{"refused", ToJson(snapshot.error())}};
  return ToJson(*snapshot);
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--checkpoint") {
    bool ok = true;
    for (int i = 2; i < argc; ++i) {
      const auto written = sluice::WriteCheckpoint(argv[i]);
      if (!written) fmt::print(stderr, "{}: {}\n", argv[i], written.error().ToString());
      ok = ok && written;
    }
    return ok ? 0 : 1;
  }
  for (int i = 1; i < argc; ++i) {
    nlohmann::json result = sluice::CheckTable(argv[i]);
    result["table"] = argv[i];
    fmt::print("{}\n", result.dump());
  }
  return 0;
}
