#include "run/model_stage.h"

#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "core/time.h"
#include "run/node.h"
#include "run/windows.h"

namespace sluice::run {
namespace {

using project::Model;
using project::Store;

// $window_start and $window_end become literals; text inside quotes stays.
std::string BindWindow(const std::string& sql, const Model& model, const tables::Window& window) {
  const std::string type = WindowParameterType(model) == "date" ? "DATE" : "TIMESTAMPTZ";
  const std::pair<std::string_view, std::string> names[] = {
      {"$window_start", fmt::format("CAST({} AS {})", QuoteLiteral(window.from), type)},
      {"$window_end", fmt::format("CAST({} AS {})", QuoteLiteral(window.to), type)}};
  std::string out;
  char quote = 0;
  for (size_t i = 0; i < sql.size();) {
    const char c = sql[i];
    if (quote == 0) {
      const auto* hit = std::find_if(std::begin(names), std::end(names),
                                     [&](const auto& name) { return std::string_view(sql).substr(i).starts_with(name.first); });
      if (hit != std::end(names)) {
        out += hit->second;
        i += hit->first.size();
        continue;
      }
    }
    if (quote == 0 && (c == '\'' || c == '"'))
      quote = c;
    else if (c == quote)
      quote = 0;
    out += c;
    ++i;
  }
  return out;
}

std::string OverWindows(const std::string& sql, const Model& model, const std::vector<tables::Window>& windows) {
  std::vector<std::string> parts;
  for (const auto& window : windows) parts.push_back("(" + BindWindow(sql, model, window) + ")");
  return Join(parts, " UNION ALL ");
}

bool Mentions(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Stager {
 public:
  Stager(Session& session, const plan::Node& node, const ModelPlan& plan, const StageIdentity& identity)
      : session_(session), node_(node), model_(*node.model), plan_(plan), identity_(identity) {}

  Result<StagedModel> Stage() {
    SLUICE_CHECK(LoadOwn());
    SLUICE_CHECK(Lower());
    if (model_.store == Store::kView) return View();
    SLUICE_CHECK(CheckSchemaChange());
    SLUICE_TRY(engines::DuckDb * db, session_.db());
    SLUICE_TRY(connection_, db->Connect());
    SLUICE_TRY(out_.change, StageByStore());
    if (rebuild_ && model_.store != Store::kTable && !out_.change.empty) SLUICE_CHECK(Replace());
    SLUICE_CHECK(MakeRelations());
    return std::move(out_);
  }

 private:
  Status LoadOwn() {
    rebuild_ = plan_.rebuild;
    out_.target.store = &session_.lake();
    out_.target.root = Session::RootOf(node_.table);
    out_.target.name = node_.table;
    out_.target.partition_by = model_.partition_by;
    out_.target.description = model_.properties.description;
    if (model_.store != Store::kView) {
      SLUICE_TRY(out_.target.snapshot, delta::LoadSnapshotIfExists(session_.lake(), out_.target.root));
    }
    return Ok();
  }

  // The version of each input that the plan names.
  PinOf PlannedPins() {
    return [this](const std::string& table) -> Result<std::shared_ptr<const delta::Snapshot>> {
      SLUICE_TRY(auto pinned, session_.Pin(table));
      const auto at = plan_.to.find(table);
      const bool same = at == plan_.to.end() || (pinned ? Consumed{pinned->metadata.id, pinned->version} : Consumed{}) == at->second;
      if (same) return pinned;
      if (at->second.version < 0) return nullptr;
      SLUICE_TRY(auto snapshot, delta::LoadSnapshot(session_.lake(), Session::RootOf(table), at->second.version));
      if (snapshot.metadata.id != at->second.table_id)
        return Fail(ConflictError("input-replaced",
                                  fmt::format("{} was replaced since batch {} of {} was planned", table, identity_.n, node_.table))
                        .Hint(fmt::format("sluice run -s {} --full-refresh", node_.table)));
      return std::make_shared<const delta::Snapshot>(std::move(snapshot));
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
    SLUICE_TRY(Relations relations,
               RelationsFor(session_, PlannedPins(), node_.uses, rebuild_ || plan_.from.empty() ? nullptr : &plan_.from, own));
    if (!relations.full_reasons.empty() && model_.store == Store::kAppend && out_.target.snapshot && !rebuild_) {
      rebuild_ = true;  // a full read appended would repeat what is there
      out_.notes = relations.full_reasons;
      return Lower();
    }
    out_.notes.insert(out_.notes.end(), relations.full_reasons.begin(), relations.full_reasons.end());
    SLUICE_TRY(model_schema_, BindModel(session_, node_, relations.schemas));
    SLUICE_TRY(out_.target.schema, StoredSchema(node_, model_schema_));
    SLUICE_TRY(std::string sql, LowerSql(session_, tree, relations));
    if (model_.store == Store::kInterval) sql = plan_.windows.empty() ? sql : OverWindows(sql, model_, plan_.windows);
    SLUICE_TRY(engines::SqlFrontend * frontend, session_.sql().Frontend());
    const std::string rows = frontend->CastTo(sql, model_schema_);
    source_.sql = fmt::format("SELECT *, {} AS _run_id, CAST({} AS BIGINT) AS _batch_id FROM ({})", QuoteLiteral(identity_.run_id),
                              identity_.n, rows);
    for (auto& param : session_.Parameters(identity_.clock))
      if (Mentions(tree.parameters(), param.name)) source_.params.push_back(std::move(param));
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
    std::erase_if(before.fields, [&](const contract::Field& field) { return field.metadata.contains("delta.generationExpression"); });
    const tables::SchemaChange change = tables::CompareSchemas(before, out_.target.schema);
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
    options.file_prefix = state::StagedFilePrefix(node_.table, identity_.n, identity_.attempt);
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
        tables::MergeSpec spec;
        spec.key = model_.key;
        if (model_.sequence_by != std::vector<std::string>{"arrival"}) spec.sequence_by = model_.sequence_by;
        spec.delete_when = model_.delete_when;
        spec.update = model_.update;
        spec.delete_missing = model_.on_missing == project::OnMissing::kDelete;
        return tables::StageMerge(Computed(), *connection_, source_, spec, options);
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

  tables::Scd2Spec Scd2() const {
    tables::Scd2Spec spec;
    spec.key = model_.key;
    spec.sequence_by = model_.sequence_by;
    spec.track = model_.track;
    spec.delete_when = model_.delete_when;
    spec.ignore_deletes = model_.on_delete == project::OnDelete::kIgnore;
    if (model_.on_missing == project::OnMissing::kDelete) spec.close_missing_at = FormatInstant(identity_.clock);
    return spec;
  }

  Status Replace() {
    const tables::ChangeCounts counts = out_.change.counts;
    tables::TableTarget target = out_.target;
    target.replace_schema = true;
    SLUICE_TRY(out_.change, tables::StageFiles(target, std::move(out_.change.added), true, Options()));
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
  const plan::Node& node_;
  const Model& model_;
  const ModelPlan& plan_;
  const StageIdentity& identity_;
  bool rebuild_ = false;
  contract::Schema model_schema_;
  tables::Source source_;
  std::unique_ptr<engines::Connection> connection_;
  StagedModel out_;
};

// `key` is the key of the model's .yml that has the names, `what` what people call it.
void RequireColumns(const contract::Schema& schema, const Model& model, const std::vector<std::string>& names, const char* key,
                    const char* what, Diagnostics& diagnostics) {
  for (const auto& name : names) {
    if (schema.Find(name) != nullptr || name == "arrival") continue;
    const auto place = model.column_places.find(fmt::format("{}.{}", key, name));
    diagnostics.Add(
        UserError("unknown-column", fmt::format("{} \"{}\" is not a column of this model{}", what, name, DidYouMean(name, schema.Names())))
            .At(place == model.column_places.end() ? model.where : place->second)
            .Hint("its columns are " + Join(schema.Names(), ", ")));
  }
}

}  // namespace

Result<StagedModel> StageModel(Session& session, const plan::Node& node, const ModelPlan& plan, const StageIdentity& identity) {
  return Stager(session, node, plan, identity).Stage();
}

OwnRelations OwnRelationsOf(const StagedModel& staged) { return {staged.this_sql, staged.batch_sql, staged.schema}; }

Result<contract::Schema> BindModel(Session& session, const plan::Node& node, const std::map<std::string, contract::Schema>& inputs) {
  const Model& model = *node.model;
  SLUICE_TRY(const engines::SqlTree tree, session.sql().Tree(model.sql, model.sql_file));
  SLUICE_TRY(engines::SqlFrontend * frontend, session.sql().Frontend());
  auto params = session.Parameters(session.clock().Now());
  const std::string window_type = WindowParameterType(model);
  const std::string any = window_type == "date" ? "2000-01-01" : "2000-01-01T00:00:00Z";
  params.push_back({"window_start", window_type, any});
  params.push_back({"window_end", window_type, any});
  std::erase_if(params, [&](const auto& param) { return !Mentions(tree.parameters(), param.name); });
  SLUICE_TRY(contract::Schema schema, frontend->Bind(tree, inputs, params));
  Diagnostics diagnostics;
  RequireColumns(schema, model, model.key, "key", model.store == Store::kScd2 ? "scd2 key" : "merge key", diagnostics);
  RequireColumns(schema, model, model.sequence_by, "sequence_by", "sequence_by", diagnostics);
  RequireColumns(schema, model, model.update, "update", "update", diagnostics);
  RequireColumns(schema, model, model.track, "track", "track", diagnostics);
  if (model.store == Store::kInterval) RequireColumns(schema, model, {model.interval_column}, "column", "interval column", diagnostics);
  for (const auto& column : model.columns) {
    const int at = schema.IndexOf(column.name);
    if (at < 0) {
      diagnostics.Add(UserError("unknown-column", fmt::format("column \"{}\" is declared but the SELECT does not give it{}", column.name,
                                                              DidYouMean(column.name, schema.Names())))
                          .At(column.where));
    } else if (column.type) {
      schema.fields[at].type = *column.type;
    }
  }
  if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
  return schema;
}

Result<contract::Schema> StoredSchema(const plan::Node& node, const contract::Schema& model_schema) {
  contract::Schema schema = model_schema;
  if (node.model->store == Store::kView) return schema;
  if (node.model->store == Store::kScd2) {
    tables::Scd2Spec spec;
    spec.key = node.model->key;
    spec.sequence_by = node.model->sequence_by;
    spec.track = node.model->track;
    auto own = tables::Scd2Schema(node.table, model_schema, spec);
    if (!own) return Fail(std::move(own).error().At(node.model->where));
    schema = *own;
  }
  for (const auto& field : contract::ModelMetadataColumns())
    if (schema.Find(field.name) == nullptr) schema.fields.push_back(field);
  return schema;
}

}  // namespace sluice::run
