#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <fstream>
#include <set>
#include <sstream>

#include "core/text.h"
#include "run/held_versions.h"
#include "run/node.h"
#include "run/seed.h"
#include "run/seed_file.h"
#include "tables/change.h"

namespace sluice::run {
namespace {

// Everything is pinned: left to itself the engine passes over lines that do not fit, and guesses which of 01/02/2024 is the month. So it
// would of timestamps (IsoTimestamps).
std::string ReadSeed(const project::Seed& seed, const formats::CsvDialect& dialect) {
  const auto text = [](char c) { return QuoteLiteral(c == '\0' ? std::string() : std::string(1, c)); };
  return fmt::format(
      "SELECT * FROM read_csv({}, header = true, delim = {}, quote = {}, escape = {}, comment = '', skip = {}, dateformat = '%Y-%m-%d', "
      "sample_size = -1, "
      "auto_type_candidates = ['BOOLEAN', 'BIGINT', 'DOUBLE', 'DATE', 'VARCHAR'])",
      QuoteLiteral(seed.file), QuoteLiteral(dialect.delimiter_text()), text(dialect.quote), text(dialect.escape), dialect.skip);
}

// The engine's own words end with its settings, which nobody can change here.
Error Placed(Error error, const project::Seed& seed) {
  if (error.code != "sql") return error;
  return UserError("bad-seed", "this seed cannot be read: " + error.message.substr(0, error.message.find("\n\n")))
      .At(seed.where)
      .Hint("a seed is UTF-8 CSV with a header line");
}

// The columns of text in which every value is an ISO timestamp without a zone: 2024-01-31 10:00, 2024-01-31T10:00:00.5.
Result<std::set<std::string>> IsoTimestamps(engines::Connection& connection, const std::string& rows, const contract::Schema& schema) {
  std::vector<std::string> names, tests;
  for (const auto& field : schema.fields) {
    if (field.type.kind != contract::TypeKind::kString) continue;
    const std::string column = QuoteIdentifier(field.name);
    names.push_back(field.name);
    tests.push_back(
        fmt::format("count({0}) > 0 AND bool_and(regexp_full_match({0}, '\\d{{4}}-\\d{{2}}-\\d{{2}}([ "
                    "T]\\d{{2}}:\\d{{2}}(:\\d{{2}}(\\.\\d{{1,6}})?)?)?') "
                    "AND try_cast({0} AS TIMESTAMP) IS NOT NULL)",
                    column));
  }
  std::set<std::string> found;
  if (names.empty()) return found;
  SLUICE_TRY(const auto answer, connection.Rows(fmt::format("SELECT {} FROM ({})", Join(tests, ", "), rows)));
  for (size_t i = 0; i < names.size(); ++i)
    if (answer.front()[i] == "true") found.insert(names[i]);
  return found;
}

Result<contract::Schema> SchemaOf(Session& session, const project::Seed& seed, const formats::CsvDialect& dialect) {
  SLUICE_TRY(engines::DuckDb * db, session.db());
  SLUICE_TRY(const auto connection, db->Connect());
  const auto columns = connection->Describe(ReadSeed(seed, dialect));
  if (!columns) return Fail(Placed(columns.error(), seed));
  contract::Schema schema;
  for (const auto& column : *columns) {
    SLUICE_TRY(contract::DataType type, engines::NormaliseType(column.duckdb_type));
    schema.fields.push_back({column.name, std::move(type), true, {}});
  }
  const auto timestamps = IsoTimestamps(*connection, ReadSeed(seed, dialect), schema);
  if (!timestamps) return Fail(Placed(timestamps.error(), seed));
  for (auto& field : schema.fields)
    if (timestamps->contains(field.name)) field.type = contract::DataType::Of(contract::TypeKind::kTimestampNtz);
  return schema;
}

// What staging a seed gives; shared by the batch and its re-preparation.
struct StagedSeed {
  tables::TableTarget target;
  tables::StagedChange change;
};

Result<StagedSeed> StageSeed(Session& session, const plan::Node& node, const RunContext& context, int64_t n, int attempt) {
  StagedSeed out;
  SLUICE_TRY(const formats::CsvDialect dialect, CheckSeedFile(*node.seed));
  SLUICE_TRY(out.target.schema, SchemaOf(session, *node.seed, dialect));
  contract::Schema data = out.target.schema;
  for (const auto& field : contract::ModelMetadataColumns()) out.target.schema.fields.push_back(field);
  out.target.store = &session.lake();
  out.target.root = Session::RootOf(node.table);
  out.target.name = node.table;
  out.target.replace_schema = true;
  SLUICE_TRY(out.target.snapshot, delta::LoadSnapshotIfExists(session.lake(), out.target.root));
  SLUICE_TRY(engines::DuckDb * db, session.db());
  SLUICE_TRY(const auto connection, db->Connect());
  SLUICE_TRY(engines::SqlFrontend * frontend, session.sql().Frontend());
  const std::string rows = fmt::format("SELECT *, {} AS _run_id, CAST({} AS BIGINT) AS _batch_id FROM ({})", QuoteLiteral(context.run_id),
                                       n, frontend->CastTo(ReadSeed(*node.seed, dialect), data));
  auto reader = connection->Query(frontend->CastTo(rows, out.target.schema));
  if (!reader) return Fail(Placed(reader.error(), *node.seed));
  tables::StageOptions options;
  options.file_prefix = state::StagedFilePrefix(node.table, n, attempt);
  options.scratch_dir = session.scratch_dir();
  options.clock = &session.clock();
  options.random = &session.random();
  SLUICE_TRY(out.change, tables::StageOverwrite(out.target, **reader, {}, options, connection.get()));
  return out;
}

state::TableChange ChangeOf(Session& session, const plan::Node& node, const RunContext& context, const StagedSeed& staged) {
  const delta::Snapshot* base = staged.target.snapshot ? &*staged.target.snapshot : nullptr;
  return state::MakeChange(IdentityOf(session, node, context), node.table, Session::RootOf(node.table), staged.change.commit, base);
}

state::Reprepare SeedReprepare(Session& session, const plan::Node& node, const RunContext& context) {
  return [&](const state::ReadyRecord& base, const std::vector<size_t>&) -> Result<state::Repreparation> {
    SLUICE_TRY(const StagedSeed again, StageSeed(session, node, context, base.n, base.attempt));
    return state::Repreparation{{ChangeOf(session, node, context, again)}, std::nullopt};
  };
}

Status RunSeedSteps(Session& session, const plan::Node& node, const RunContext& context, NodeReport& report) {
  state::BatchLog log(session.lake(), session.clock(), session.random(), IdentityOf(session, node, context), LogFloorOf(session));
  const state::Reprepare reprepare = SeedReprepare(session, node, context);
  SLUICE_TRY(const state::NodeState before, log.Load());
  if (before.pending || before.abandoned) SLUICE_CHECK(context.before_writing());
  SLUICE_TRY(const state::NodeState state, before.pending || before.abandoned ? log.Recover(reprepare) : Result<state::NodeState>(before));
  SLUICE_TRY(const auto snapshot, session.Repin(node.table));
  if (snapshot) report.from_version = report.to_version = snapshot->version;
  if (!context.full_refresh) SLUICE_CHECK(CheckOwnTable(node, state, node.table, snapshot.get()));
  SLUICE_TRY(const std::string fingerprint, SeedFingerprint(*node.seed));
  if (state.last_done > 0 && state.fingerprint == fingerprint && !context.full_refresh && !context.forced) {
    report.why = "up to date";
    if (!before.pending) return Ok();
    report.status = NodeStatus::kOk;
    report.why = "finished an interrupted batch";
    report.rows = RowCountsFromJson(before.pending->counts);
    return Ok();
  }
  report.why = WhySeedRuns(state, fingerprint, context.full_refresh);
  SLUICE_CHECK(context.before_writing());
  SLUICE_TRY(const state::OpenRecord open,
             log.Open(state, {context.full_refresh ? "full-refresh" : "write", "{}", "{}", fingerprint, {{node.table, snapshot.get()}}}));
  report.batch = open.n;
  const std::vector<std::string> roots{Session::RootOf(node.table)};
  const auto stage = StageSeed(session, node, context, open.n, open.attempt);
  if (!stage) {
    DropAttempt(session, open, node.table, roots);
    return Fail(stage.error());
  }
  const StagedSeed& staged = *stage;
  report.rows.in = staged.change.counts.read;
  report.rows.terms = {{"new", staged.change.counts.read}};
  state::ReadyRecord ready;
  ready.n = open.n;
  ready.attempt = open.attempt;
  ready.run_id = context.run_id;
  ready.kind = open.kind;
  ready.counts = ToJson(report.rows);
  ready.fingerprint = fingerprint;
  if (!staged.change.empty) ready.changes.push_back(ChangeOf(session, node, context, staged));
  SLUICE_TRY(const state::Decision decision, DecideOrDrop(session, log, state, open, ready, roots));
  SLUICE_CHECK(log.Finish(decision.ready.n, reprepare));
  SLUICE_TRY(const auto after, session.Repin(node.table));
  if (after) report.to_version = after->version;
  report.status = NodeStatus::kOk;
  return Ok();
}

}  // namespace

Result<std::string> SeedFingerprint(const project::Seed& seed) {
  std::ifstream in(seed.file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) return Fail(UserError("unreadable-seed", "can't read " + seed.file).At(seed.where));
  return Hex(Hash64(text.str()));
}

std::string WhySeedRuns(const state::NodeState& state, const std::string& fingerprint, bool full_refresh) {
  if (state.last_done == 0) return "first run";
  if (full_refresh) return "full refresh";
  return state.fingerprint == fingerprint ? "forced" : "changed file";
}

Result<contract::Schema> SeedSchema(Session& session, const project::Seed& seed) {
  SLUICE_TRY(const formats::CsvDialect dialect, CheckSeedFile(seed));
  return SchemaOf(session, seed, dialect);
}

Result<state::NodeState> RecoverSeed(Session& session, const plan::Node& node, const RunContext& context) {
  state::BatchLog log(session.lake(), session.clock(), session.random(), IdentityOf(session, node, context), LogFloorOf(session));
  return log.Recover(SeedReprepare(session, node, context));
}

NodeReport RunSeed(Session& session, const plan::Node& node, const RunContext& context) {
  return Reported(node, [&](NodeReport& report) { return RunSeedSteps(session, node, context, report); });
}

}  // namespace sluice::run
