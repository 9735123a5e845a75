#include "run/model_stage.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "core/time.h"
#include "run/arrivals.h"
#include "run/contract_sql.h"
#include "run/external.h"
#include "run/model_schema.h"
#include "run/node.h"
#include "run/windows.h"
#include "tables/generated.h"

namespace sluice::run {
namespace {

using project::Model;
using project::Store;

class Stager {
 public:
  Stager(Session& session, const PinOf& pin_of, const plan::Node& node, const ModelPlan& plan, const StageIdentity& identity)
      : session_(session), pin_of_(pin_of), node_(node), model_(*node.model), plan_(plan), identity_(identity) {}

  Result<StagedModel> Stage() {
    SLUICE_CHECK(LoadOwn());
    SLUICE_CHECK(Lower());
    if (model_.store == Store::kView) return View();
    SLUICE_CHECK(CheckSchemaChange());
    SLUICE_TRY(engines::DuckDb * db, session_.db());
    SLUICE_TRY(connection_, db->Connect());
    SLUICE_TRY(out_.change, StageByStore());
    SLUICE_CHECK(CheckInputsUnmoved());
    if (rebuild_ && model_.store != Store::kTable && !out_.change.empty) SLUICE_CHECK(Replace());
    SLUICE_CHECK(MakeRelations());
    return std::move(out_);
  }

 private:
  Status CheckInputsUnmoved() {
    const PinOf pins = PlannedPins();
    for (const auto& [table, at] : plan_.to) {
      SLUICE_TRY(const Pinned pinned, pins(table));
      if (pinned.snapshot) SLUICE_CHECK(CheckUnmoved(session_, table, *pinned.snapshot));
    }
    return Ok();
  }

  Status LoadOwn() {
    rebuild_ = plan_.rebuild;
    out_.target.store = &session_.lake();
    out_.target.root = Session::RootOf(node_.table);
    out_.target.name = node_.table;
    out_.target.partition_by = model_.partition_by;
    out_.target.description = model_.properties.description;
    out_.target.deletion_vectors = model_.readers == project::Readers::kDelta;
    if (const auto keeps = node_.keeps_change_data()) out_.target.properties[kChangeDataFeed] = *keeps ? "true" : "false";
    if (model_.store != Store::kView) {
      SLUICE_TRY(out_.target.snapshot, delta::LoadSnapshotIfExists(session_.lake(), out_.target.root));
    }
    return Ok();
  }

  // The version of each input that the plan names.
  PinOf PlannedPins() {
    return [this](const std::string& table) -> Result<Pinned> {
      SLUICE_TRY(Pinned pinned, pin_of_(table));
      const auto at = plan_.to.find(table);
      if (at == plan_.to.end() || pinned.staged || pinned.now() == at->second) return pinned;
      if (at->second.version < 0) return Pinned{};
      SLUICE_TRY(auto snapshot, delta::LoadSnapshot(session_.lake(), Session::RootOf(table), at->second.version));
      if (snapshot.metadata.id != at->second.table_id)
        return Fail(ConflictError("input-replaced",
                                  fmt::format("{} was replaced since batch {} of {} was planned", table, identity_.n, node_.table))
                        .Hint(fmt::format("sluice run -s {} --full-refresh", node_.table)));
      return Pinned{std::make_shared<const delta::Snapshot>(std::move(snapshot)), nullptr};
    };
  }

  Result<OwnRelations> ThisBefore() {
    OwnRelations own;
    for (const auto& column : model_.columns)
      if (column.type) own.schema.fields.push_back({column.name, *column.type, true, {}});
    for (const auto& field : contract::ModelMetadataColumns()) own.schema.fields.push_back(field);
    if (out_.target.snapshot && !rebuild_) {
      tables::ScanOptions options;
      options.columns = own.schema.Names();
      SLUICE_TRY(tables::Scan scan, tables::ScanFor(session_.lake(), out_.target.root, *out_.target.snapshot, options));
      own.this_sql = scan.sql;
      own.schema = scan.schema;
    } else {
      own.this_sql = EmptyRelation(own.schema);
    }
    return own;
  }

  Status Lower() {
    SLUICE_TRY(const engines::SqlTree tree, session_.sql().Tree(model_.sql, model_.sql_file));
    const bool reads_this =
        std::any_of(node_.uses.begin(), node_.uses.end(), [](const auto& use) { return use.mode == engines::UseMode::kThis; });
    OwnRelations own;
    if (reads_this) {
      SLUICE_TRY(own, ThisBefore());
    }
    const ConsumedInputs* consumed = rebuild_ || whole_ || plan_.from.empty() ? nullptr : &plan_.from;
    SLUICE_TRY(Relations relations, RelationsFor(session_, PlannedPins(), node_.uses, consumed, own,
                                                 {engines::RowConditions(tree), session_.Parameters(identity_.clock)}));
    if (relations.full.anew) {  // since the batch was planned
      whole_ = true;
      rebuild_ = IsBuiltAnewFrom(relations.full, model_.store) && out_.target.snapshot;
      out_.notes = relations.full.reasons;
      return Lower();
    }
    SLUICE_CHECK(CheckMissing(relations));
    SLUICE_TRY(model_schema_, BindModel(session_, node_, relations.schemas));
    SLUICE_TRY(out_.target.schema, StoredSchema(node_, model_schema_));
    SLUICE_TRY(std::string sql, LowerSql(session_, tree, relations));
    if (model_.store == Store::kInterval) sql = plan_.windows.empty() ? sql : OverWindows(sql, model_, plan_.windows);
    SLUICE_TRY(source_.sql, RowsOf(sql));
    if (ByArrival()) SLUICE_CHECK(LowerArrivals(tree, std::move(relations), consumed));
    for (auto& param : session_.Parameters(identity_.clock))
      if (HasParameter(tree, param.name)) source_.params.push_back(std::move(param));
    return Ok();
  }

  // on_missing: delete takes the rows for a whole snapshot.
  Status CheckMissing(const Relations& relations) {
    deletes_missing_ = model_.on_missing == project::OnMissing::kDelete && relations.new_rows != 0;
    if (!deletes_missing_ || !relations.row_changes) return Ok();
    return Fail(
        UserError("changes-are-no-snapshot",
                  fmt::format("{} has on_missing: delete, and what it reads by new() or changes() had rows changed or removed: what is "
                              "missing of them is not gone",
                              node_.table))
            .At(model_.where)
            .Hint("read the table whole; or read changes(…), with delete_when for its deletes"));
  }

  bool ByArrival() const { return model_.store == Store::kMerge && model_.sequence_by == std::vector<std::string>{"arrival"}; }

  // The result's rows with their types, and the batch that they are of.
  Result<std::string> RowsOf(const std::string& sql) {
    SLUICE_TRY(engines::SqlFrontend * frontend, session_.sql().Frontend());
    return fmt::format("SELECT *, {} AS _run_id, CAST({} AS BIGINT) AS _batch_id FROM ({})", QuoteLiteral(identity_.run_id), identity_.n,
                       frontend->CastTo(sql, model_schema_));
  }

  // What comes in several arrivals is computed once for each, as it would have been had the model run after every one.
  Status LowerArrivals(const engines::SqlTree& tree, Relations relations, const ConsumedInputs* consumed) {
    SLUICE_TRY(arrivals_, ArrivalsOf(session_, PlannedPins(), node_.uses, consumed));
    if (arrivals_.relations.size() < 2) return Ok();
    std::vector<std::string> selects;
    for (const std::string& relation : arrivals_.relations) {
      relations.sql[arrivals_.use] = relation;
      SLUICE_TRY(const std::string sql, LowerSql(session_, tree, relations));
      SLUICE_TRY(selects.emplace_back(), RowsOf(sql));
    }
    // Of snapshots the last one holds; what only an earlier one had is missing.
    if (deletes_missing_) selects.erase(selects.begin(), selects.end() - 1);
    source_.sql = selects.front();
    later_.assign(selects.begin() + 1, selects.end());
    return Ok();
  }

  Result<StagedModel> View() {
    out_.change.empty = true;
    out_.schema = model_schema_;
    SLUICE_TRY(const ViewText text, ExpandView(session_, PlannedPins(), node_));
    out_.this_sql = out_.batch_sql = "(" + text.sql + ")";
    return std::move(out_);
  }

  Status CheckSchemaChange() {
    if (!out_.target.snapshot) return Ok();
    contract::Schema before = out_.target.snapshot->schema;
    const contract::Schema& after = out_.target.schema;
    std::erase_if(before.fields, [&](const auto& field) { return tables::IsGenerated(field) && after.Find(field.name) == nullptr; });
    const tables::SchemaChange change = tables::CompareSchemas(before, after);
    if (change.none()) return Ok();
    for (const auto& column : change.added) out_.notes.push_back("new column: " + column);
    for (const auto& column : change.widened) out_.notes.push_back("widened: " + column);
    for (const auto& column : change.breaking) out_.notes.push_back("schema change: " + column);
    if (change.breaking.empty()) return Ok();
    if (rebuild_) {
      out_.target.replace_schema = true;
      return Ok();
    }
    return Fail(UserError("schema-change", fmt::format("{} can't take its new schema: {}", node_.table, Join(change.breaking, "; ")))
                    .At({model_.sql_file, 1, 1})
                    .Hint(fmt::format("readers would break: rebuild it on purpose with sluice run -s {} --full-refresh", node_.table)));
  }

  tables::StageOptions Options() {
    tables::StageOptions options;
    options.file_prefix = state::StagedFilePrefix(identity_.batch_of, identity_.n, identity_.attempt);
    options.scratch_dir = session_.scratch_dir();
    options.memory_bytes = identity_.memory_bytes;
    options.clock = &session_.clock();
    options.random = &session_.random();
    return options;
  }

  Result<std::shared_ptr<arrow::RecordBatchReader>> Rows() {
    SLUICE_TRY(engines::SqlFrontend * frontend, session_.sql().Frontend());
    return connection_->Query(frontend->CastTo(source_.sql, out_.target.schema), source_.params);
  }

  // A rebuild of a stateful store computes as if there were no table; Replace() then puts the result in the place of the present one.
  tables::TableTarget Computed() const {
    tables::TableTarget target = out_.target;
    if (rebuild_) target.snapshot.reset();
    return target;
  }

  Result<tables::StagedChange> StageByStore() {
    SLUICE_TRY(delete_when_, ExpandDeleteWhen(session_, model_));
    const tables::StageOptions options = Options();
    switch (model_.store) {
      case Store::kTable: {
        SLUICE_TRY(auto rows, Rows());
        tables::TableTarget target = out_.target;
        target.replace_schema = rebuild_;
        return tables::StageOverwrite(target, *rows, {}, options, connection_.get());
      }
      case Store::kAppend: {
        SLUICE_TRY(auto rows, Rows());
        return tables::StageAppend(Computed(), *rows, options, connection_.get());
      }
      case Store::kMerge: {
        auto change = tables::StageMerge(Computed(), *connection_, source_, Merge(), options);
        return change ? std::move(change) : Fail(Explained(std::move(change).error()));
      }
      case Store::kScd2:
        return tables::StageScd2(Computed(), *connection_, source_, Scd2(), options);
      case Store::kInterval: {
        if (plan_.windows.empty()) return tables::StagedChange{};
        return tables::StageInterval(Computed(), *connection_, source_, {model_.interval_column, plan_.windows}, options);
      }
      case Store::kView:
        break;
    }
    return Fail(BugError("a view is not staged"));
  }

  tables::MergeSpec Merge() const {
    tables::MergeSpec spec;
    spec.key = model_.key;
    if (!ByArrival()) spec.sequence_by = model_.sequence_by;
    spec.later = later_;
    spec.delete_when = delete_when_;
    spec.update = model_.update;
    spec.delete_missing = deletes_missing_;
    return spec;
  }

  // The merge knows of the rows, not of where they came from.
  Error Explained(Error error) const {
    if (error.code != "ambiguous-sequence" || !ByArrival()) return error;
    if (!arrivals_.why_unknown.empty()) error.message += ": " + arrivals_.why_unknown;
    error.hint = arrivals_.remedy;
    return error;
  }

  tables::Scd2Spec Scd2() const {
    tables::Scd2Spec spec;
    spec.key = model_.key;
    spec.sequence_by = model_.sequence_by;
    spec.track = model_.track;
    spec.delete_when = delete_when_;
    spec.ignore_deletes = model_.on_delete == project::OnDelete::kIgnore;
    if (deletes_missing_) spec.close_missing_at = FormatInstant(identity_.clock);
    return spec;
  }

  Status Replace() {
    const tables::ChangeCounts counts = out_.change.counts;
    tables::TableTarget target = out_.target;
    target.replace_schema = true;
    SLUICE_TRY(out_.change,
               tables::StageFiles(target, std::move(out_.change.added), true, Options(), nullptr, std::move(out_.change.domain)));
    out_.change.counts = counts;
    return Ok();
  }

  Status MakeRelations() {
    if (!out_.target.snapshot && out_.change.empty) {
      out_.schema = out_.target.schema;
      out_.this_sql = out_.batch_sql = EmptyRelation(out_.schema);
      return Ok();
    }
    SLUICE_TRY(tables::Scan after, tables::ScanAfter(out_.target, out_.change));
    out_.this_sql = after.sql;
    out_.schema = after.schema;
    if (out_.change.empty) {
      out_.batch_sql = EmptyRelation(out_.schema);
      return Ok();
    }
    SLUICE_TRY(tables::Scan added, tables::ScanAdded(out_.target, out_.change));
    out_.batch_sql = fmt::format("(SELECT * FROM {} WHERE _batch_id = {})", added.sql, identity_.n);
    return Ok();
  }

  Session& session_;
  const PinOf& pin_of_;
  const plan::Node& node_;
  const Model& model_;
  const ModelPlan& plan_;
  const StageIdentity& identity_;
  bool rebuild_ = false;  // the table is built anew
  bool whole_ = false;    // new() and changes() read whole tables, though the plan thought otherwise
  contract::Schema model_schema_;
  tables::Source source_;
  std::string delete_when_;
  bool deletes_missing_ = false;    // the rows are a whole snapshot; where new() gives none, another input moved and there is no new one
  Arrivals arrivals_;               // of a merge by arrival
  std::vector<std::string> later_;  // … what arrived after source_
  std::unique_ptr<engines::Connection> connection_;
  StagedModel out_;
};

}  // namespace

Result<StagedModel> StageModel(Session& session, const PinOf& pin_of, const plan::Node& node, const ModelPlan& plan,
                               const StageIdentity& identity) {
  return Stager(session, pin_of, node, plan, identity).Stage();
}

OwnRelations OwnRelationsOf(const StagedModel& staged) { return {staged.this_sql, staged.batch_sql, staged.schema}; }

}  // namespace sluice::run
