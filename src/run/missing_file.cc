#include "run/missing_file.h"

#include <fmt/format.h>

#include "core/counted.h"
#include "core/text.h"
#include "delta/deletion_vector.h"
#include "delta/path.h"
#include "run/ingest_batch.h"
#include "run/relations.h"

namespace sluice::run {
namespace {

struct Broken {
  std::string what;  // "the data file x", "" where all are whole, or where that can't be told
  bool is_gone = true;
  int64_t size = 0, said = 0;  // bytes, of one that is there
};

// The first file of the snapshot that is not there or not whole.
Broken FirstBroken(store::ObjectStore& lake, const std::string& root, const delta::Snapshot& snapshot) {
  for (const delta::Add& add : snapshot.files) {
    if (delta::IsAbsolutePath(add.path)) continue;
    const auto meta = lake.Head(delta::StoreKey(root, add.path));
    const std::string what = "the data file " + add.path;
    if (!meta && meta.error().kind == ErrorKind::kNotFound) return {.what = what};
    if (meta && meta->size != add.size) return {.what = what, .is_gone = false, .size = meta->size, .said = add.size};
    if (!add.deletion_vector) continue;
    const auto rows = delta::ReadDeletionVector(lake, root, *add.deletion_vector);
    if (!rows && rows.error().code == "data-file-missing") return {.what = "the deletion vector of " + add.path};
  }
  return {};
}

// Is it one that a file which is gone, or cut, makes?
bool IsOfFile(const Error& error) {
  return error.code == "sql-io" || error.code == "data-file-missing" ||
         (error.code == "sql" && error.message.find("arquet") != std::string::npos);
}

Error Named(const std::string& table, const delta::Snapshot& snapshot, const Broken& broken) {
  const std::string start = fmt::format("{}: its version {} names {}, which ", table, snapshot.version, broken.what);
  return broken.is_gone
             ? ConflictError("data-file-missing", start + "is gone")
             : ConflictError("data-file-damaged", start + fmt::format("has {}, and had {} when it was written",
                                                                      Counted(broken.size, "byte"), Counted(broken.said, "byte")));
}

std::string WayOut(Session& session, const std::string& table, bool is_gone) {
  const std::string name = table.substr(table.find('.') + 1);
  const bool quarantine = table.starts_with("quarantine.");
  const std::string node_name = quarantine ? "bronze." + name : table;
  const auto graph = session.graph();
  const plan::Node* node = graph ? (*graph)->Find(node_name) : nullptr;
  const bool source = node != nullptr && node->source != nullptr;
  if (source && node->source->external)
    return "the table is another owner's, and the file was deleted or changed beneath it: have it put back, or the table mended";
  return fmt::format(
      "{}: put it back from a backup, or {}build the table anew: sluice run -s {}+ --full-refresh{}",
      is_gone ? "it was deleted outside of Sluice, or by a VACUUM with too short a retention" : "it was cut or changed outside of Sluice",
      quarantine ? "remove the folder " + Session::RootOf(table) + " of the lake and " : "", node_name, source ? " --reload-sources" : "");
}

}  // namespace

Error ExplainUnreadable(Session& session, Error error, const std::set<std::string>& tables) {
  if (!IsOfFile(error)) return error;
  for (const std::string& table : tables) {
    const auto snapshot = session.Pin(table);
    if (!snapshot || !*snapshot) continue;
    const Broken broken = FirstBroken(session.lake(), Session::RootOf(table), **snapshot);
    if (!broken.what.empty()) return Named(table, **snapshot, broken).Hint(WayOut(session, table, broken.is_gone));
  }
  return error;
}

Error ExplainVersion(store::ObjectStore& store, const std::string& root, const std::string& name, const delta::Snapshot& snapshot,
                     Error error) {
  if (!IsOfFile(error)) return error;
  const Broken broken = FirstBroken(store, root, snapshot);
  if (broken.what.empty()) return error;
  const auto newest = delta::LoadSnapshot(store, root);
  const bool is_older = newest && newest->version > snapshot.version;
  if (is_older && broken.is_gone)
    return Named(name, snapshot, broken)
        .Hint(
            fmt::format("version {} is older than what VACUUM kept; the table itself may be sound: its newest version is {}, `sluice table "
                        "check` tells",
                        snapshot.version, newest->version));
  return Named(name, snapshot, broken).Hint("put the file back from a backup; `sluice table check` finds all that is damaged");
}

std::set<std::string> TablesReadBy(Session& session, const plan::Node& node) {
  std::set<std::string> tables{node.table};
  if (node.source != nullptr && !node.source->external) tables.insert(QuarantineTable(*node.source));
  if (const auto inputs = PinInputs(session, RunPins(session), node))
    for (const PinnedInput& input : *inputs) tables.insert(input.table);
  tables.insert(node.check_inputs.begin(), node.check_inputs.end());
  return tables;
}

}  // namespace sluice::run
