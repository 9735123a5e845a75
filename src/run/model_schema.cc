#include "run/model_schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "run/model_plan.h"

namespace sluice::run {
namespace {

using project::Model;
using project::Store;

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

// A table that keeps change data has the columns of a change in its change data files.
void RefuseChangeColumns(const plan::Node& node, const contract::Schema& schema, Diagnostics& diagnostics) {
  if (!node.keeps_change_data().value_or(false)) return;
  const std::string why = node.followed_by.empty() ? "change_data_feed is true" : Join(node.followed_by, ", ") + " follows it";
  for (const contract::Field& field : schema.fields)
    if (contract::IsChangeColumn(field.name))
      diagnostics.Add(UserError("reserved-column",
                                fmt::format("{} keeps change data ({}), which has a column {} of its own", node.table, why, field.name))
                          .At({node.model->sql_file, 1, 1})
                          .Hint(fmt::format("give it another name: {} AS …", field.name)));
}

}  // namespace

bool HasParameter(const engines::SqlTree& tree, const std::string& name) {
  return std::find(tree.parameters().begin(), tree.parameters().end(), name) != tree.parameters().end();
}

Result<contract::Schema> BindModel(Session& session, const plan::Node& node, const std::map<std::string, contract::Schema>& inputs,
                                   Diagnostics* wrong) {
  const Model& model = *node.model;
  SLUICE_TRY(const engines::SqlTree tree, session.sql().Tree(model.sql, model.sql_file));
  SLUICE_TRY(engines::SqlFrontend * frontend, session.sql().Frontend());
  auto params = session.Parameters(session.clock().Now());
  const std::string window_type = WindowParameterType(model);
  const std::string any = window_type == "date" ? "2000-01-01" : "2000-01-01T00:00:00Z";
  params.push_back({"window_start", window_type, any});
  params.push_back({"window_end", window_type, any});
  std::erase_if(params, [&](const auto& param) { return !HasParameter(tree, param.name); });
  SLUICE_TRY(contract::Schema schema, frontend->Bind(tree, inputs, params));
  Diagnostics diagnostics;
  RequireColumns(schema, model, model.key, "key", model.store == Store::kScd2 ? "scd2 key" : "merge key", diagnostics);
  RequireColumns(schema, model, model.sequence_by, "sequence_by", "sequence_by", diagnostics);
  RequireColumns(schema, model, model.update, "update", "update", diagnostics);
  RequireColumns(schema, model, model.track, "track", "track", diagnostics);
  if (model.store == Store::kInterval) RequireColumns(schema, model, {model.interval_column}, "column", "interval column", diagnostics);
  RefuseChangeColumns(node, schema, diagnostics);
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
  if (diagnostics.ok()) return schema;
  if (wrong == nullptr) return Fail(std::move(diagnostics).Take());
  for (Error& error : diagnostics.errors) wrong->Add(std::move(error));
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
