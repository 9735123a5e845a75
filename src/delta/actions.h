#pragma once
// The actions of a Delta log (PROTOCOL.md, "Actions") as values. Paths are kept as they stand in the log (URI-encoded).
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "contract/type.h"
#include "core/result.h"
#include "delta/boxed.h"

namespace sluice::delta {

struct DeletionVector {
  std::string storage_type;  // "u", "i" or "p"
  std::string path_or_inline;
  std::optional<int32_t> offset;
  int32_t size_in_bytes = 0;
  int64_t cardinality = 0;
  bool operator==(const DeletionVector&) const = default;
};

// Partition column → value in the protocol's text form; nullopt is NULL (an empty string in the log is NULL too).
using PartitionValues = std::map<std::string, std::optional<std::string>>;

struct Add {
  std::string path;
  PartitionValues partition_values;
  int64_t size = 0;
  int64_t modification_time = 0;  // milliseconds
  bool data_change = true;
  std::string stats;  // JSON text, "" if none
  std::map<std::string, std::string> tags;
  Boxed<DeletionVector> deletion_vector;
  std::optional<int64_t> base_row_id, default_row_commit_version;
  std::string clustering_provider;  // "" if none
  bool operator==(const Add&) const = default;
};

struct Remove {
  std::string path;
  std::optional<int64_t> deletion_timestamp;  // milliseconds
  bool data_change = true;
  bool extended_file_metadata = false;
  PartitionValues partition_values;
  std::optional<int64_t> size;
  Boxed<DeletionVector> deletion_vector;
  bool operator==(const Remove&) const = default;
};

struct Metadata {
  std::string id;
  std::optional<std::string> name, description;
  std::string schema_string;  // as it stands in the log
  std::vector<std::string> partition_columns;
  std::map<std::string, std::string> configuration;
  std::optional<int64_t> created_time;  // milliseconds
  std::string format_provider = "parquet";
  bool operator==(const Metadata&) const = default;
};

struct Protocol {
  int min_reader_version = 1, min_writer_version = 2;
  std::optional<std::set<std::string>> reader_features, writer_features;  // present at reader 3 / writer 7
  bool operator==(const Protocol&) const = default;
};

struct Txn {
  std::string app_id;
  int64_t version = 0;
  std::optional<int64_t> last_updated;
  bool operator==(const Txn&) const = default;
};

struct DomainMetadata {
  std::string domain, configuration;
  bool removed = false;
  bool operator==(const DomainMetadata&) const = default;
};

struct CdcFile {  // an AddCDCFile: rows as they changed, with _change_type. It changes no data itself
  std::string path;
  PartitionValues partition_values;
  int64_t size = 0;
  std::map<std::string, std::string> tags;
  bool operator==(const CdcFile&) const = default;
};

struct CommitInfo {
  std::string json;  // the whole object's text
  bool operator==(const CommitInfo&) const = default;
};

using Action = std::variant<Add, Remove, Metadata, Protocol, Txn, DomainMetadata, CdcFile, CommitInfo>;

// One action ↔ one line of a commit file. Unknown action kinds parse to nullopt. Error code "bad-delta-log".
Result<std::optional<Action>> ParseAction(std::string_view json_line);
std::string ToJsonLine(const Action& action);
// A whole commit file: actions in the order of its lines.
Result<std::vector<Action>> ParseCommit(std::string_view text);
// A broken log or table file: not the project's fault, and no retry mends it. Code "bad-delta-log".
Error BadLog(std::string message);

// Delta's schema JSON ↔ our schema; an empty text is the schema without columns. Errors: "unknown-type" naming the column (e.g.
// variant, void), "bad-delta-log".
Result<contract::Schema> ParseSchemaString(std::string_view json);
std::string ToSchemaString(const contract::Schema& schema);

// "00000000000000000042.json"
std::string CommitFileName(int64_t version);

// What tells apart the deletion vectors of one file (PROTOCOL.md, "Derived Fields": uniqueId).
std::string UniqueId(const DeletionVector& dv);

}  // namespace sluice::delta
