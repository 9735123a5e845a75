#include "tables/check.h"

#include <fmt/format.h>

#include <unordered_map>

#include "core/counted.h"
#include "delta/features.h"
#include "delta/path.h"
#include "tables/constraints.h"
#include "tables/scan.h"

namespace sluice::tables {
namespace {

// The sizes of the objects below the table, by key.
Result<std::unordered_map<std::string, int64_t>> Sizes(store::ObjectStore& store, std::string_view root) {
  SLUICE_TRY(const auto objects, store.List(root.empty() ? "" : std::string(root) + "/"));
  std::unordered_map<std::string, int64_t> sizes;
  for (const auto& object : objects) sizes.emplace(object.key, object.size);
  return sizes;
}

// A file at an absolute path may lie in another store.
Result<std::optional<int64_t>> SizeOutside(const std::string& location) {
  const size_t slash = location.rfind('/');
  SLUICE_TRY(const auto store, store::OpenStore(location.substr(0, slash)));
  const auto meta = store->Head(location.substr(slash + 1));
  if (meta) return std::optional(meta->size);
  if (meta.error().kind == ErrorKind::kNotFound) return std::optional<int64_t>();
  return Fail(meta.error());
}

// The rows that are not deleted, against the table's constraints. Those that Sluice cannot evaluate are left out, as are rows of a table of
// which a file cannot be read: that is told already.
Status CheckConstraints(store::ObjectStore& store, std::string_view root, const delta::Snapshot& snapshot, engines::Connection& connection,
                        std::vector<delta::Finding>* findings) {
  const auto constraints = delta::ConstraintsOf(snapshot.protocol, snapshot.metadata, snapshot.schema);
  if (!constraints || constraints->empty()) return Ok();
  const auto scan = ScanFor(store, root, snapshot);
  if (!scan) return scan.error().kind == ErrorKind::kRetryable ? Status(Fail(scan.error())) : Ok();
  for (const delta::Constraint& constraint : *constraints) {
    const auto sql = ConditionInDuckDb(constraint, snapshot.schema);
    if (!sql) continue;
    const auto rows = connection.Scalar(fmt::format("SELECT count(*) FROM {} WHERE ({}) IS NOT TRUE", scan->sql, *sql));
    if (!rows && rows.error().kind == ErrorKind::kRetryable && rows.error().code != "sql-io") return Fail(rows.error());
    if (!rows || rows->value_or("0") == "0") continue;
    findings->push_back({"broken-constraint", constraint.name,
                         fmt::format("{} it: {}", Counted(std::stoll(**rows), "row breaks", "rows break"), constraint.expression)});
  }
  return Ok();
}

}  // namespace

Result<TableCheck> CheckTable(store::ObjectStore& store, std::string_view table_root, engines::Connection& connection) {
  SLUICE_TRY(delta::LogCheck log, delta::CheckLog(store, table_root));
  TableCheck out;
  out.commits = log.commits;
  out.checkpoints = log.checkpoints;
  out.checksums = log.checksums;
  out.findings = std::move(log.findings);
  if (!log.snapshot) return out;
  out.version = log.snapshot->version;
  SLUICE_TRY(const auto sizes, Sizes(store, table_root));
  const FileCheck check{store, table_root, *log.snapshot, connection};
  for (const delta::Add& add : log.snapshot->files) {
    ++out.files;
    out.deletion_vectors += add.deletion_vector ? 1 : 0;
    std::optional<int64_t> size;
    if (delta::IsAbsolutePath(add.path)) {
      SLUICE_TRY(size, SizeOutside(delta::FileLocation(store, table_root, add.path)));
    } else if (const auto found = sizes.find(delta::StoreKey(table_root, add.path)); found != sizes.end()) {
      size = found->second;
    }
    SLUICE_TRY(auto findings, CheckFile(check, add, size));
    std::move(findings.begin(), findings.end(), std::back_inserter(out.findings));
  }
  SLUICE_CHECK(CheckConstraints(store, table_root, *log.snapshot, connection, &out.findings));
  return out;
}

}  // namespace sluice::tables
