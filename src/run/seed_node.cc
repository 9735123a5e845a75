#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "core/text.h"
#include "run/node.h"
#include "run/seed.h"
#include "tables/change.h"

namespace sluice::run {
namespace {

std::string ReadSeed(const project::Seed& seed) {
  return fmt::format(
      "SELECT * FROM read_csv({}, header = true, sample_size = -1, auto_type_candidates = ['BOOLEAN', 'BIGINT', 'DOUBLE', 'DATE', "
      "'TIMESTAMP', 'VARCHAR'])",
      QuoteLiteral(seed.file));
}

Error Placed(Error error, const project::Seed& seed) {
  if (error.code != "sql") return error;
  return UserError("bad-seed", fmt::format("{} is no readable CSV: {}", seed.where.file, error.message))
      .At(seed.where)
      .Hint("a seed is UTF-8 CSV with a header line");
}

// What staging a seed gives; shared by the batch and its re-preparation.
struct StagedSeed {
  tables::TableTarget target;
  tables::StagedChange change;
};

Result<StagedSeed> StageSeed(Session& session, const plan::Node& node, const RunContext& context, int64_t n, int attempt) {
  StagedSeed out;
  SLUICE_TRY(out.target.schema, SeedSchema(session, *node.seed));
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
                                       n, frontend->CastTo(ReadSeed(*node.seed), data));
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

Status RunSeedSteps(Session& session, const plan::Node& node, const RunContext& context, NodeReport& report) {
  state::BatchLog log(session.lake(), session.clock(), session.random(), IdentityOf(session, node, context));
  const state::Reprepare reprepare = [&](const state::ReadyRecord& base, const std::vector<size_t>&) -> Result<state::Repreparation> {
    SLUICE_TRY(const StagedSeed again, StageSeed(session, node, context, base.n, base.attempt));
    return state::Repreparation{{ChangeOf(session, node, context, again)}, std::nullopt};
  };
  SLUICE_TRY(const state::NodeState before, log.Load());
  if (before.pending || before.abandoned) SLUICE_CHECK(context.before_writing());
  SLUICE_TRY(const state::NodeState state, before.pending || before.abandoned ? log.Recover(reprepare) : Result<state::NodeState>(before));
  SLUICE_TRY(const auto snapshot, session.Repin(node.table));
  if (snapshot) report.from_version = report.to_version = snapshot->version;
  SLUICE_CHECK(state::CheckSameTable(state, Session::RootOf(node.table), snapshot.get()));
  SLUICE_TRY(const std::string fingerprint, SeedFingerprint(*node.seed));
  if (state.last_done > 0 && state.fingerprint == fingerprint && !context.full_refresh && !context.forced) {
    report.why = "up to date";
    return Ok();
  }
  report.why = state.last_done == 0 ? "first run" : state.fingerprint == fingerprint ? "forced" : "changed file";
  SLUICE_CHECK(context.before_writing());
  SLUICE_TRY(const state::OpenRecord open, log.Open(state, {"write", "{}", "{}", fingerprint}));
  report.batch = open.n;
  SLUICE_TRY(const StagedSeed staged, StageSeed(session, node, context, open.n, open.attempt));
  report.rows.in = staged.change.counts.read;
  report.rows.terms = {{"new", staged.change.counts.read}};
  state::ReadyRecord ready;
  ready.n = open.n;
  ready.attempt = open.attempt;
  ready.run_id = context.run_id;
  ready.fingerprint = fingerprint;
  if (!staged.change.empty) ready.changes.push_back(ChangeOf(session, node, context, staged));
  SLUICE_TRY(const state::Decision decision, log.Decide(state, ready));
  if (!decision.mine) DropStaged(session, Session::RootOf(node.table), staged.change.added);
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

Result<contract::Schema> SeedSchema(Session& session, const project::Seed& seed) {
  SLUICE_TRY(engines::DuckDb * db, session.db());
  SLUICE_TRY(const auto connection, db->Connect());
  const auto columns = connection->Describe(ReadSeed(seed));
  if (!columns) return Fail(Placed(columns.error(), seed));
  contract::Schema schema;
  for (const auto& column : *columns) {
    SLUICE_TRY(contract::DataType type, engines::NormaliseType(column.duckdb_type));
    schema.fields.push_back({column.name, std::move(type), true, {}});
  }
  return schema;
}

NodeReport RunSeed(Session& session, const plan::Node& node, const RunContext& context) {
  NodeReport report;
  report.table = node.table;
  report.kind = "seed";
  if (Status status = RunSeedSteps(session, node, context, report); !status) SetError(report, std::move(status).error());
  return report;
}

}  // namespace sluice::run
