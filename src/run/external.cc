#include "run/external.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "delta/commit.h"
#include "tables/parquet_folder.h"

namespace sluice::run {
namespace {

using Format = project::External::Format;

constexpr int kTries = 5;
constexpr int kCheckpointInterval = 10;

std::string TableOf(const project::Source& source) { return "bronze." + source.name; }

bool IsParquet(const project::Source& source) { return source.external->format == Format::kParquet; }

// A project that is moved as a whole reads the same folder.
std::string PlaceIn(const std::string& root, const std::string& folder) {
  return folder.starts_with(root + "/") ? folder.substr(root.size() + 1) : folder;
}

// What the table's schema must be for the contract to hold of it.
Status CheckContract(const project::Source& source, const contract::Schema& schema) {
  Diagnostics diagnostics;
  const std::string table = TableOf(source);
  for (const auto& column : source.contract.columns) {
    const contract::Field* field = schema.Find(column.name);
    if (field == nullptr)
      diagnostics.Add(UserError("contract-mismatch",
                                fmt::format("{} has no column \"{}\"{}", table, column.name, DidYouMean(column.name, schema.Names())))
                          .At(column.where)
                          .Hint("`sluice table show " + table + "` shows its columns"));
    else if (!(field->type == column.type))
      diagnostics.Add(UserError("contract-mismatch", fmt::format("column \"{}\" is a {} here, and {} has a {}", column.name,
                                                                 column.type.ToString(), table, field->type.ToString()))
                          .At(column.where)
                          .Hint("write its own type, and cast it in a model"));
    else if (column.not_null && field->nullable)
      diagnostics.Add(
          UserError("contract-mismatch", fmt::format("column \"{}\" is not_null here, and {} lets it be NULL", column.name, table))
              .At(column.where)
              .Hint(fmt::format("remove not_null, or look at the rows: checks: [{{ not_null: [{}] }}]", column.name)));
  }
  return diagnostics.ok() ? Ok() : Status(Fail(std::move(diagnostics).Take()));
}

Result<ExternalTable> LoadDelta(Session& session, const project::Source& source) {
  const std::string table = TableOf(source);
  SLUICE_TRY(auto snapshot, delta::LoadSnapshotIfExists(session.lake(), Session::RootOf(table)));
  if (!snapshot)
    return Fail(NotFoundError("no-such-table", fmt::format("{}: there is no Delta table at {}", table, source.external->folder))
                    .Hint("its owner makes it; a folder of Parquet files without a log is read with format: parquet"));
  if (!session.options().looking) SLUICE_CHECK(CheckContract(source, snapshot->schema));
  return ExternalTable{*std::move(snapshot), nullptr};
}

std::string DefinitionOf(const project::Source& source) {
  std::string text = source.external->files;
  for (const auto& column : source.contract.columns) text += fmt::format("\x1f{} {}", column.name, column.type.ToString());
  return Hex(Hash64(text));
}

tables::ParquetFolder FolderOf(Session& session, const project::Source& source) {
  return {source.external->files, source.contract.columns, DefinitionOf(source), NewUuid(session.clock(), session.random()),
          session.clock().Now()};
}

Result<ExternalTable> Previewed(std::optional<delta::Snapshot> base, const std::vector<delta::PreparedCommit>& commits, Instant now) {
  for (const auto& commit : commits) {
    SLUICE_TRY(delta::Snapshot next, delta::Preview(base ? &*base : nullptr, {commit.read_version + 1, commit.actions}));
    next.timestamp = now.millis();
    base = std::move(next);
  }
  ExternalTable table{*std::move(base), nullptr};
  if (commits.size() == 1)
    table.unwritten = std::make_shared<const delta::LogCommit>(delta::LogCommit{commits[0].read_version + 1, commits[0].actions});
  return table;
}

// False: another run wrote a version first.
Result<bool> Put(Session& session, const std::string& root, const std::vector<delta::PreparedCommit>& commits) {
  for (const auto& commit : commits) {
    delta::CommitStamp stamp;
    stamp.commit_id = NewUuid(session.clock(), session.random());
    stamp.now = session.clock().Now();
    stamp.engine_info = "sluice/0.1.0";
    SLUICE_TRY(const auto outcome, delta::PutCommit(session.lake(), root, commit.read_version + 1, commit, stamp, session.clock()));
    if (std::holds_alternative<delta::LostRace>(outcome)) return false;
  }
  return true;
}

Result<ExternalTable> LoadParquet(Session& session, const project::Source& source, bool record) {
  const std::string root = Session::RootOf(TableOf(source));
  const tables::ParquetFolder folder = FolderOf(session, source);
  const auto connect = [&session]() -> Result<std::unique_ptr<engines::Connection>> {
    SLUICE_TRY(engines::DuckDb * db, session.db());
    return db->Connect();
  };
  for (int tried = 0; tried < kTries; ++tried) {
    SLUICE_TRY(auto base, delta::LoadSnapshotIfExists(session.lake(), root));
    SLUICE_TRY(const auto commits, tables::FollowFolder(session.lake(), root, base ? &*base : nullptr, folder, connect));
    if (commits.empty()) return ExternalTable{*std::move(base), nullptr};
    if (!record) return Previewed(std::move(base), commits, session.clock().Now());
    SLUICE_TRY(const bool put, Put(session, root, commits));
    if (!put) continue;
    SLUICE_TRY(auto after, delta::LoadSnapshot(session.lake(), root, commits.back().read_version + 1));
    if (after.version > 0 && after.version % kCheckpointInterval == 0)
      (void)delta::WriteCheckpoint(session.lake(), root, after, session.clock());  // only for speed
    return ExternalTable{std::move(after), nullptr};
  }
  return Fail(
      RetryableError("commit-contended", fmt::format("other runs were always first to write down what lies in {}", TableOf(source))));
}

}  // namespace

std::vector<store::Mount> MountsOf(const project::Project& project) {
  std::vector<store::Mount> mounts;
  for (const auto& source : project.sources) {
    if (!source.external || source.external->folder.empty()) continue;
    store::Mount mount{Session::RootOf(TableOf(source)) + "/", source.external->folder, "", ""};
    if (IsParquet(source)) {
      // The log of another folder is another table's.
      const std::string place = PlaceIn(project.root, source.external->folder);
      mount.kept = "_delta_log/";
      mount.kept_at = fmt::format("_sluice/external/{}-{}/", source.name, Hex(Hash64(place)).substr(0, 8));
    }
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

const project::Source* FindExternal(const project::Project& project, const std::string& table) {
  if (!table.starts_with("bronze.")) return nullptr;
  for (const auto& source : project.sources)
    if (source.external && TableOf(source) == table) return &source;
  return nullptr;
}

Result<ExternalTable> LoadExternal(Session& session, const project::Source& source, bool record) {
  auto loaded = IsParquet(source) ? LoadParquet(session, source, record) : LoadDelta(session, source);
  if (loaded || loaded.error().where.known()) return loaded;
  return Fail(std::move(loaded).error().At(source.external->where));
}

Status CheckUnmoved(Session& session, const std::string& table, const delta::Snapshot& pinned) {
  const project::Source* source = FindExternal(session.project(), table);
  if (source == nullptr || !IsParquet(*source)) return Ok();
  SLUICE_TRY(const auto moved, tables::MovedFiles(session.lake(), Session::RootOf(table), pinned));
  if (moved.empty()) return Ok();
  return Fail(
      RetryableError("input-changed", fmt::format("{} changed while it was read: {}{}", table, moved.front(),
                                                  moved.size() > 1 ? fmt::format(" and {} more", moved.size() - 1) : ""))
          .At(source->external->where)
          .Hint("run again when its owner is done with it; files that are written once and never replaced can be read at any time"));
}

Status CheckOwned(const project::Project& project, const std::string& table) {
  const project::Source* source = FindExternal(project, table);
  if (source == nullptr) return Ok();
  return Fail(UserError("external-table", fmt::format("{} is a table of another owner: this project reads it and never changes it", table))
                  .At(source->where)
                  .Hint("if it is yours to change, name it by its place: " + source->external->folder));
}

Instant LastChange(const project::Source& source, const delta::Snapshot& snapshot) {
  if (!IsParquet(source)) return {snapshot.timestamp * 1000};
  int64_t newest = 0;
  for (const auto& add : snapshot.files) newest = std::max(newest, add.modification_time);
  return {newest * 1000};
}

}  // namespace sluice::run
