#include "run/ingest_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>

#include "core/text.h"
#include "tables/dml.h"
#include "tables/generated.h"

namespace sluice::run {
namespace {

tables::TableTarget TargetFor(Session& session, const plan::Node& node, const std::string& root, contract::Schema schema,
                              const delta::Snapshot* snapshot) {
  tables::TableTarget target;
  target.store = &session.lake();
  target.root = root;
  target.name = root;
  std::replace(target.name.begin(), target.name.end(), '/', '.');
  if (snapshot != nullptr) target.snapshot = *snapshot;
  std::erase_if(schema.fields, tables::IsGenerated);
  target.schema = std::move(schema);
  if (root.starts_with("bronze/")) {
    target.partition_by = node.source->partition_by;
    target.description = node.source->properties.description;
  }
  return target;
}

tables::StageOptions OptionsFor(Session& session) {
  tables::StageOptions options;
  options.scratch_dir = session.scratch_dir();
  options.clock = &session.clock();
  options.random = &session.random();
  return options;
}

std::vector<tables::StagedFile> FilesIn(const delta::PreparedCommit& commit) {
  std::vector<tables::StagedFile> files;
  for (const auto& action : commit.actions)
    if (const auto* add = std::get_if<delta::Add>(&action)) files.push_back({*add, 0});
  return files;
}

bool Removes(const delta::PreparedCommit& commit) {
  return std::any_of(commit.actions.begin(), commit.actions.end(),
                     [](const auto& action) { return std::holds_alternative<delta::Remove>(action); });
}

bool Overwrites(const delta::PreparedCommit& commit) {
  const auto mode = commit.operation_parameters.find("mode");
  return mode != commit.operation_parameters.end() && mode->second == "\"Overwrite\"";
}

bool ChangesMetadata(const delta::PreparedCommit& commit) {
  return std::any_of(commit.actions.begin(), commit.actions.end(),
                     [](const auto& action) { return std::holds_alternative<delta::Metadata>(action); });
}

// Can the staged files be put on the table as it is now? Not those that hold rows of files which another writer may have changed, and
// not a new layout in the place of one that is no more.
bool CanPutAgain(const delta::PreparedCommit& commit) { return Overwrites(commit) ? !ChangesMetadata(commit) : !Removes(commit); }

// The schema that a void commit wanted: the table's as it is now, with what the commit added to it.
Result<contract::Schema> WantedSchema(const delta::PreparedCommit& commit, const std::optional<delta::Snapshot>& now) {
  contract::Schema schema = now ? now->schema : contract::Schema{};
  for (const auto& action : commit.actions) {
    const auto* metadata = std::get_if<delta::Metadata>(&action);
    if (metadata == nullptr) continue;
    SLUICE_TRY(const contract::Schema wanted, delta::ParseSchemaString(metadata->schema_string));
    for (const auto& field : wanted.fields)
      if (schema.Find(field.name) == nullptr) schema.fields.push_back(field);
  }
  return schema;
}

}  // namespace

std::string QuarantineTable(const project::Source& source) { return "quarantine." + source.name; }

Result<tables::StagedChange> ChangeOf(Session& session, const plan::Node& node, const ingest::StagedTable& staged,
                                      const delta::Snapshot* snapshot) {
  if (!staged.changes()) return tables::StagedChange{};
  tables::TableTarget target = TargetFor(session, node, staged.root, staged.schema, snapshot);
  target.replace_schema = staged.replaces_schema;
  std::unique_ptr<engines::Connection> connection;  // rewrites the files of a widened column
  if (!staged.widened.empty()) {
    SLUICE_TRY(engines::DuckDb * db, session.db());
    SLUICE_TRY(connection, db->Connect());
  }
  std::vector<tables::StagedFile> files = staged.files;
  files.insert(files.end(), staged.carried.begin(), staged.carried.end());
  return tables::StageFiles(target, std::move(files), staged.overwrite, OptionsFor(session), connection.get(), std::nullopt,
                            staged.overwrite ? std::vector<delta::Add>() : staged.removed);
}

Result<std::vector<state::TableChange>> ChangesOf(Session& session, const plan::Node& node, const RunContext& context,
                                                  const ingest::StagedTable& quarantine, const delta::Snapshot* quarantine_snapshot,
                                                  const ingest::StagedTable& bronze, const delta::Snapshot* bronze_snapshot) {
  const state::NodeIdentity identity = IdentityOf(session, node, context);
  std::vector<state::TableChange> changes;
  for (const auto& [staged, snapshot, table] :
       {std::tuple(&quarantine, quarantine_snapshot, QuarantineTable(*node.source)), std::tuple(&bronze, bronze_snapshot, node.table)}) {
    SLUICE_TRY(tables::StagedChange change, ChangeOf(session, node, *staged, snapshot));
    if (change.empty) continue;
    changes.push_back(state::MakeChange(identity, table, Session::RootOf(table), std::move(change.commit), snapshot));
  }
  return changes;
}

Result<int64_t> TakeOutRows(Session& session, const plan::Node& node, const std::vector<std::string>& files,
                            const delta::Snapshot& snapshot, const std::string& file_prefix, ingest::StagedTable* staged) {
  if (!staged->widened.empty())
    return Fail(UserError("replace-and-widen", fmt::format("{} cannot replace the rows of {} and make {} wider in one batch", node.table,
                                                           Join(files, ", "), Join(staged->widened, ", ")))
                    .At(node.source->read.where)
                    .Hint(fmt::format("make the table anew: sluice run -s {} --full-refresh --reload-sources", node.table)));
  tables::TableTarget target = TargetFor(session, node, staged->root, snapshot.schema, &snapshot);
  target.snapshot->metadata.configuration.erase("delta.enableChangeDataFeed");  // of a commit that also appends, change files would be half
  tables::StageOptions options = OptionsFor(session);
  options.file_prefix = file_prefix;
  std::vector<std::string> names;
  for (const std::string& file : files) names.push_back(QuoteLiteral(file));
  SLUICE_TRY(engines::DuckDb * db, session.db());
  SLUICE_TRY(const auto connection, db->Connect());
  SLUICE_TRY(tables::StagedChange gone, tables::StageDelete(target, *connection, "_file IN (" + Join(names, ", ") + ")", options));
  const std::set<std::string> paths(gone.removed_paths.begin(), gone.removed_paths.end());
  std::copy_if(snapshot.files.begin(), snapshot.files.end(), std::back_inserter(staged->removed),
               [&](const delta::Add& add) { return paths.contains(add.path); });
  staged->carried = std::move(gone.added);
  return gone.counts.deleted;
}

state::Reprepare IngestReprepare(Session& session, const plan::Node& node, const RunContext& context) {
  return [&session, &node, &context](const state::ReadyRecord& base, const std::vector<size_t>& redo) -> Result<state::Repreparation> {
    state::Repreparation again;
    for (const size_t i : redo) {
      const state::TableChange& old = base.changes[i];
      if (!CanPutAgain(old.commit)) return state::Repreparation{{}, fmt::format("another writer changed {} meanwhile", old.table)};
      SLUICE_TRY(const auto now, delta::LoadSnapshotIfExists(session.lake(), old.root));
      SLUICE_TRY(contract::Schema schema, WantedSchema(old.commit, now));
      const delta::Snapshot* snapshot = now ? &*now : nullptr;
      const tables::TableTarget target = TargetFor(session, node, old.root, std::move(schema), snapshot);
      SLUICE_TRY(tables::StagedChange change, tables::StageFiles(target, FilesIn(old.commit), Overwrites(old.commit), OptionsFor(session)));
      again.changes.push_back(
          state::MakeChange(IdentityOf(session, node, context), old.table, old.root, std::move(change.commit), snapshot));
    }
    return again;
  };
}

ingest::Environment IngestEnvironment(Session& session, const plan::Node& node, const RunContext& context, Instant clock,
                                      store::ObjectStore* input, engines::DuckDb* db) {
  ingest::Environment environment;
  environment.input = input;
  environment.lake = &session.lake();
  environment.db = db;
  environment.parameters = session.Parameters(clock);
  environment.random = &session.random();
  environment.budget.memory_bytes = context.memory_per_node;
  environment.budget.threads = context.threads_per_node;
  environment.budget.scratch_dir = session.scratch_dir();
  std::error_code ignored;
  std::filesystem::create_directories(session.scratch_dir(), ignored);
  environment.cancel = session.cancel_flag();
  environment.progress = [&session, table = node.table](const ingest::Progress& progress) {
    session.Emit({obs::Level::kDebug, obs::Kind::kNodeProgress, table, "", progress.bytes, 0, {}});
  };
  return environment;
}

ingest::BatchIdentity BatchOf(const plan::Node& node, const state::OpenRecord& open, const RunContext& context) {
  constexpr int64_t kDay = 86400000000LL;
  ingest::BatchIdentity batch;
  batch.node = node.table;
  batch.run_id = context.run_id;
  batch.number = open.n;
  batch.attempt = open.attempt;
  batch.ingested_at = open.clock;
  batch.execution_date = static_cast<int32_t>(open.clock.micros / kDay);
  return batch;
}

std::vector<std::string> RootsOf(const plan::Node& node) {
  return {Session::RootOf(QuarantineTable(*node.source)), Session::RootOf(node.table)};
}

}  // namespace sluice::run
