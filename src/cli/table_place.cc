#include "cli/table_place.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/text.h"
#include "core/time.h"
#include "delta/commit.h"
#include "run/external.h"
#include "run/held_versions.h"
#include "store/place.h"
#include "store/remote.h"
#include "tables/plain_commit.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

bool IsTableFolder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(fs::path(path) / "_delta_log", ignored);
}

Status OpenForPath(Context& context, Needs needs, FoundTable* found) {
  if (needs == Needs::kProject) {
    auto session = OpenToLook(context, found->own.get());
    if (!session && (session.error().code != "no-project" || !context.globals.environment.empty())) return Fail(std::move(session).error());
    if (session) found->session = *std::move(session);
  }
  if (found->session) return Ok();
  found->nowhere = std::make_unique<NoProject>();
  SLUICE_TRY(found->session, OpenSession(context, found->nowhere->project(), nullptr, found->own.get()));
  return Ok();
}

// A name with a slash is a path: nobody means a node by it.
Error NoTableAt(const std::string& name, const std::string& path) {
  std::error_code ignored;
  Error error = UserError("no-such-table", fmt::format("there is no Delta table at {}", name));
  if (!fs::is_directory(path, ignored)) return std::move(error).Hint("there is no such folder");
  return std::move(error).Hint("the folder has no _delta_log: give the table's own folder");
}

}  // namespace

Result<FoundTable> FindTable(Context& context, const std::string& name, Needs needs) {
  FoundTable found;
  found.name = name;
  const std::string path = PlaceOf(context, name);
  if (store::IsRemote(name) || IsTableFolder(path)) {
    SLUICE_TRY(store::Place place, store::OpenPlace(path));
    found.own = std::move(place.store);
    found.store = found.own.get();
    found.root = std::move(place.key);
    SLUICE_CHECK(OpenForPath(context, needs, &found));
    return found;
  }
  if (name.find('/') != std::string::npos) return Fail(NoTableAt(name, path));
  auto session = OpenToLook(context);
  if (!session && session.error().code == "no-project" && context.globals.environment.empty())
    return Fail(UserError("no-such-table", fmt::format("there is no node and no Delta table {}", name))
                    .Hint(fs::is_directory(path)
                              ? "the folder has no _delta_log: give the table's own folder"
                              : "a node is known in its project's folder (-C DIR); a table's folder is given by its path"));
  SLUICE_TRY(found.session, std::move(session));
  SLUICE_TRY(const plan::Graph* graph, found.session->graph());
  if (graph->Find(name) != nullptr ? !name.starts_with("quarantine.") : !IsKnown(*found.session, *graph, name)) {
    SLUICE_TRY(found.node, FindNode(*found.session, name));
    found.name = found.node->table;
  }
  found.store = &found.session->lake();
  found.root = run::Session::RootOf(found.name);
  return found;
}

Result<tables::TableTarget> TargetOf(const FoundTable& table) {
  tables::TableTarget target;
  target.store = table.store;
  target.root = table.root;
  target.name = table.name;
  if (table.node != nullptr && table.node->is_view())
    return Fail(
        UserError("no-table", fmt::format("{} is a view: it has no rows of its own", table.name)).Hint("change the tables that it reads"));
  if (table.node != nullptr) SLUICE_CHECK(run::CheckOwned(table.session->project(), table.node->table));
  SLUICE_TRY(target.snapshot, delta::LoadSnapshot(*table.store, table.root));
  SLUICE_CHECK(delta::CheckWritable(target.snapshot->protocol, target.snapshot->metadata));
  target.schema = target.snapshot->schema;
  const bool model_may = table.node != nullptr && table.node->model != nullptr && table.node->model->readers == project::Readers::kDelta;
  target.deletion_vectors = model_may || delta::IsEnabled(target.snapshot->metadata, "delta.enableDeletionVectors");
  return target;
}

Result<std::unique_ptr<engines::Connection>> Connect(FoundTable& table) {
  SLUICE_TRY(engines::DuckDb * db, table.session->db());
  return db->Connect();
}

TableOperation::TableOperation(FoundTable& table, std::string verb)
    : table_(table), id_(NewUuid(table.session->clock(), table.session->random())), prefix_(verb + "-" + id_) {
  started_ = table.session->clock().Now();
}

tables::StageOptions TableOperation::Options() const {
  tables::StageOptions options;
  options.file_prefix = prefix_;
  options.scratch_dir = table_.session->scratch_dir();
  options.clock = &table_.session->clock();
  options.random = &table_.session->random();
  return options;
}

Result<int64_t> TableOperation::Commit(const tables::TableTarget& target, const tables::StagedChange& change) const {
  tables::PlainWriter writer{
      .operation_id = id_, .staged_prefix = prefix_, .clock = &table_.session->clock(), .random = &table_.session->random()};
  if (!table_.by_path()) writer.log_floor = [&] { return run::LogFloorOf(*table_.session)(table_.root); };
  return tables::CommitPlainly(target, change, writer);
}

double TableOperation::Seconds() const { return static_cast<double>(table_.session->clock().Now().micros - started_.micros) / 1e6; }

int Finish(Context& context, Result<int> result) { return result ? *result : Report(context, result.error()); }

}  // namespace sluice::cli
