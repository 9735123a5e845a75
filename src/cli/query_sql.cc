#include "cli/query_sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "run/missing_file.h"
#include "run/model_plan.h"
#include "run/relations.h"
#include "store/place.h"
#include "tables/scan.h"

namespace sluice::cli {
namespace {

// Any Delta table by where it lies: no node's, so neither pinned nor looked up in the graph.
Result<tables::Scan> ScanPlace(Context& context, run::Session& session, const engines::TableUse& use, const run::Asked& asked) {
  SLUICE_TRY(const store::Place place, store::OpenPlace(PlaceOf(context, use.name)));
  std::optional<int64_t> version;
  if (!use.at.empty()) {
    SLUICE_TRY(version, delta::VersionNamed(*place.store, place.key, use.at));
  }
  SLUICE_TRY(const delta::Snapshot snapshot, delta::LoadSnapshot(*place.store, place.key, version));
  const auto conditions = asked.conditions.find(use.id());
  if (conditions == asked.conditions.end()) return tables::ScanFor(*place.store, place.key, snapshot);
  SLUICE_TRY(tables::Scan scan, run::ScanAsked(session, *place.store, place.key, snapshot, conditions->second, asked.params));
  scan.rows = -1;  // of the files that are left, not of the table
  return scan;
}

Result<std::string> LowerTree(Context& context, run::Session& session, const engines::SqlTree& tree,
                              const std::vector<engines::Parameter>& all_params) {
  Diagnostics diagnostics;
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  for (const auto& use : tree.uses()) {
    if (use.mode == engines::UseMode::kPlace) continue;
    if (use.mode == engines::UseMode::kThis || use.mode == engines::UseMode::kBatch)
      diagnostics.Add(UserError("unknown-table", fmt::format("`{}` has no meaning here: name a table", use.id())).At(use.where));
    else if (use.mode == engines::UseMode::kChanges)
      diagnostics.Add(
          UserError("changes-outside-model", fmt::format("{} has no meaning here: only a model has read a table up to some version, "
                                                         "after which changes are told",
                                                         use.id()))
              .At(use.where)
              .Hint(fmt::format("sluice table changes {}.{} --from VERSION tells those of versions", use.schema, use.name)));
    else if (!IsKnown(session, *graph, use.schema + "." + use.name))
      diagnostics.Add(UserError("unknown-table", fmt::format("no table {} in this project{}", use.id(),
                                                             DidYouMean(use.schema + "." + use.name, graph->Tables())))
                          .At(use.where)
                          .Hint("`sluice ls` lists them"));
  }
  if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
  std::vector<engines::TableUse> uses = tree.uses();
  const auto places = std::stable_partition(uses.begin(), uses.end(), [](const auto& use) { return use.mode != engines::UseMode::kPlace; });
  const std::vector<engines::TableUse> by_place(places, uses.end());
  uses.erase(places, uses.end());
  const run::Asked asked{engines::RowConditions(tree), all_params};
  SLUICE_TRY(run::Relations relations, run::RelationsFor(session, run::RunPins(session), uses, nullptr, {}, asked));
  for (const auto& use : by_place) {
    auto scan = ScanPlace(context, session, use, asked);
    if (!scan) return Fail(std::move(scan.error()).At(use.where));
    if (scan->rows >= 0) relations.rows[use.id()] = scan->rows;
    relations.sql[use.id()] = std::move(scan->sql);
    relations.schemas[use.id()] = std::move(scan->schema);
  }
  SLUICE_TRY(engines::SqlFrontend * frontend, session.sql().Frontend());
  const auto params = run::ParametersIn(tree.CanonicalSql(), all_params);
  const auto bound = frontend->Bind(tree, relations.schemas, params, {.named_output = false});
  // A result that can't be stored can still be shown.
  static const std::set<std::string> kOnlyForTables = {"untyped-null", "unsupported-type"};
  if (!bound && !kOnlyForTables.contains(bound.error().code)) return Fail(bound.error());
  return run::LowerSql(session, tree, relations);
}

}  // namespace

Result<LoweredQuery> LowerQuery(Context& context, run::Session& session, const std::string& sql) {
  SLUICE_TRY(const engines::SqlTree tree, session.sql().Query(sql));
  LoweredQuery lowered;
  lowered.uses = tree.uses();
  for (const auto& use : lowered.uses)
    if (use.mode != engines::UseMode::kPlace) lowered.tables.insert(use.schema + "." + use.name);
  lowered.params = session.Parameters(session.clock().Now());
  auto text = LowerTree(context, session, tree, lowered.params);
  if (!text) return Fail(ExplainQuery(context, session, lowered.uses, std::move(text).error()));
  lowered.sql = *std::move(text);
  std::erase_if(lowered.params, [&](const auto& p) {
    return std::find(tree.parameters().begin(), tree.parameters().end(), p.name) == tree.parameters().end();
  });
  return lowered;
}

Error ExplainQuery(Context& context, run::Session& session, const std::vector<engines::TableUse>& uses, Error error) {
  const auto explain = [&](store::ObjectStore& store, const std::string& root, const std::string& name, const std::string& at) {
    const auto version = at.empty() ? Result<int64_t>(-1) : delta::VersionNamed(store, root, at);
    if (!version) return;
    const auto snapshot = delta::LoadSnapshot(store, root, at.empty() ? std::nullopt : std::optional(*version));
    if (snapshot) error = run::ExplainVersion(store, root, name, *snapshot, std::move(error));
  };
  for (const auto& use : uses) {
    const std::string table = use.schema + "." + use.name, before = error.message;
    if (use.mode == engines::UseMode::kPlace) {
      if (const auto place = store::OpenPlace(PlaceOf(context, use.name))) explain(*place->store, place->key, use.name, use.at);
    } else if (use.at.empty()) {
      error = run::ExplainUnreadable(session, std::move(error), {table});
    } else {
      explain(session.lake(), run::Session::RootOf(table), table, use.at);
    }
    if (error.message != before) break;
  }
  return error;
}

}  // namespace sluice::cli
