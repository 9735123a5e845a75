#include "run/relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "ingest/ingest.h"
#include "state/batch.h"
#include "tables/scan.h"

namespace sluice::run {
namespace {

using engines::TableUse;
using engines::UseMode;

std::string TableOf(const TableUse& use) { return use.schema + "." + use.name; }

// A table that has no version: a source without files gives its contract's columns and no rows; a model must be built first.
Result<contract::Schema> SchemaOfAbsent(Session& session, const TableUse& use) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  const plan::Node* node = graph->Find(TableOf(use));
  if (node != nullptr && node->source != nullptr) {
    if (use.schema == "quarantine") return ingest::QuarantineSchema();
    if (node->source->contract.declared) return BronzeSchema(*node->source);
  }
  return Fail(UserError("not-built-yet", fmt::format("{} has no version yet", TableOf(use)))
                  .At(use.where)
                  .Hint(fmt::format("build it first: sluice run -s {}", node ? node->table : TableOf(use))));
}

// Files that commits after `from` added. An error where some commit did more than add.
Result<std::vector<delta::Add>> NewFiles(Session& session, const TableUse& use, const delta::Snapshot& snapshot, const Consumed& from,
                                         std::vector<std::string>* full_reasons) {
  const std::string table = TableOf(use);
  const auto full = [&](std::string why) {
    full_reasons->push_back(fmt::format("new({}) reads the whole table: {}", table, why));
    return snapshot.files;
  };
  if (from.table_id != snapshot.metadata.id) return full("it was replaced since");
  if (from.version > snapshot.version) return full(fmt::format("it went back from version {} to {}", from.version, snapshot.version));
  SLUICE_TRY(const delta::LogRange range, delta::ReadCommits(session.lake(), Session::RootOf(table), from.version, snapshot.version));
  if (!range.complete) return full(fmt::format("its log before version {} was cleaned", snapshot.version));
  std::vector<delta::Add> added;
  for (const auto& commit : range.commits) {
    bool removes = false;
    for (const auto& action : commit.actions) {
      if (const auto* add = std::get_if<delta::Add>(&action); add && add->data_change) added.push_back(*add);
      if (const auto* remove = std::get_if<delta::Remove>(&action); remove && remove->data_change) removes = true;
    }
    if (!removes) continue;
    SLUICE_TRY(const plan::Graph* graph, session.graph());
    const plan::Node* node = graph->Find(table);
    if (node && node->source && node->source->load == project::Load::kFull && node->source->keep == project::Keep::kLatest)
      return full("its source keeps only the latest snapshot");
    return Fail(
        UnsupportedError("new-over-changes",
                         fmt::format("new({}) can't be read: version {} changed or removed rows, and only appends can be told apart yet",
                                     table, commit.version))
            .At(use.where)
            .Hint(fmt::format("read the whole table ({}), or read the append log it comes from; change feeds will lift this", table)));
  }
  return added;
}

struct OneRelation {
  std::string sql;
  contract::Schema schema;
  int64_t rows = -1;
};

Result<OneRelation> TableRelation(Session& session, const PinOf& pin_of, const TableUse& use, const ConsumedInputs* consumed,
                                  std::vector<std::string>* full_reasons) {
  const std::string table = TableOf(use);
  SLUICE_TRY(const auto snapshot, pin_of(table));
  if (!snapshot) {
    SLUICE_TRY(contract::Schema schema, SchemaOfAbsent(session, use));
    std::string sql = EmptyRelation(schema);
    return OneRelation{std::move(sql), std::move(schema), 0};
  }
  tables::ScanOptions options;
  if (use.mode == UseMode::kNew && consumed != nullptr) {
    if (const auto from = consumed->find(table); from != consumed->end() && !from->second.table_id.empty()) {
      SLUICE_TRY(options.only, NewFiles(session, use, *snapshot, from->second, full_reasons));
    }
  }
  SLUICE_TRY(tables::Scan scan, tables::ScanFor(session.lake(), Session::RootOf(table), *snapshot, options));
  return OneRelation{std::move(scan.sql), std::move(scan.schema), scan.rows};
}

Status FollowViews(Session& session, const plan::Graph& graph, const plan::Node& node, std::set<std::string>& out) {
  for (const TableUse& use : node.uses) {
    if (use.mode == UseMode::kThis || use.mode == UseMode::kBatch) continue;
    const plan::Node* input = graph.Find(TableOf(use));
    if (input != nullptr && input->is_view())
      SLUICE_CHECK(FollowViews(session, graph, *input, out));
    else
      out.insert(TableOf(use));
  }
  return Ok();
}

// A table that was built and is gone must not read as an empty one: what is built of it would be empty, too.
Status CheckNeverBuilt(Session& session, const std::string& table) {
  state::BatchLog log(session.lake(), session.clock(), session.random(), {session.project().name, table, "", ""});
  SLUICE_TRY(const state::NodeState state, log.Load());
  return state::CheckSameTable(state, Session::RootOf(table), nullptr);
}

}  // namespace

contract::Schema BronzeSchema(const project::Source& source) {
  contract::Schema schema = source.contract.ToSchema();
  for (const auto& field : contract::BronzeMetadataColumns()) schema.fields.push_back(field);
  return schema;
}

std::string EmptyRelation(const contract::Schema& schema) {
  std::vector<std::string> columns;
  for (const auto& field : schema.fields)
    columns.push_back(fmt::format("CAST(NULL AS {}) AS {}", field.type.ToDuckDb(), QuoteIdentifier(field.name)));
  return "(SELECT " + Join(columns, ", ") + " WHERE false)";
}

Result<std::vector<PinnedInput>> PinInputs(Session& session, const plan::Node& node) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  std::set<std::string> names;
  SLUICE_CHECK(FollowViews(session, *graph, node, names));
  std::vector<PinnedInput> inputs;
  for (const std::string& table : names) {
    SLUICE_TRY(auto snapshot, session.Pin(table));
    if (!snapshot) SLUICE_CHECK(CheckNeverBuilt(session, table));
    inputs.push_back({table, std::move(snapshot)});
  }
  return inputs;
}

PinOf RunPins(Session& session) {
  return [&session](const std::string& table) { return session.Pin(table); };
}

Result<Relations> RelationsFor(Session& session, const PinOf& pin_of, const std::vector<TableUse>& uses, const ConsumedInputs* consumed,
                               const OwnRelations& own) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  Relations relations;
  for (const TableUse& use : uses) {
    const std::string id = use.id();
    if (use.mode == UseMode::kThis || use.mode == UseMode::kBatch) {
      relations.sql[id] = use.mode == UseMode::kThis ? own.this_sql : own.batch_sql;
      relations.schemas[id] = own.schema;
      continue;
    }
    if (use.mode == UseMode::kChanges)
      return Fail(UnsupportedError("changes-not-yet",
                                   fmt::format("changes({}) needs change data feeds, which Sluice does not read yet", TableOf(use)))
                      .At(use.where));
    const plan::Node* input = graph->Find(TableOf(use));
    if (input != nullptr && input->is_view()) {
      if (use.mode == UseMode::kNew)
        return Fail(UserError("new-over-view", fmt::format("new({}) can't be read: a view keeps no versions", TableOf(use)))
                        .At(use.where)
                        .Hint("read new() of the table under the view"));
      SLUICE_TRY(ViewText view, ExpandView(session, pin_of, *input));
      relations.sql[id] = "(" + view.sql + ")";
      relations.schemas[id] = std::move(view.schema);
      continue;
    }
    SLUICE_TRY(OneRelation one, TableRelation(session, pin_of, use, consumed, &relations.full_reasons));
    if (use.mode == UseMode::kNew && one.rows >= 0) relations.new_rows = std::max<int64_t>(relations.new_rows, 0) + one.rows;
    relations.sql[id] = std::move(one.sql);
    relations.schemas[id] = std::move(one.schema);
  }
  return relations;
}

std::vector<engines::Parameter> ParametersIn(const std::string& sql, std::vector<engines::Parameter> params) {
  const auto named = [&](const std::string& name) {
    const std::string token = "$" + name;
    for (size_t at = sql.find(token); at != std::string::npos; at = sql.find(token, at + 1)) {
      const char next = at + token.size() < sql.size() ? sql[at + token.size()] : ' ';
      if (next != '_' && !std::isalnum(static_cast<unsigned char>(next))) return true;
    }
    return false;
  };
  std::erase_if(params, [&](const auto& param) { return !named(param.name); });
  return params;
}

Result<std::string> LowerSql(Session& session, const engines::SqlTree& tree, const Relations& relations) {
  SLUICE_TRY(engines::SqlFrontend * frontend, session.sql().Frontend());
  return frontend->Lower(tree, relations.sql, relations.schemas);
}

Result<ViewText> ExpandView(Session& session, const PinOf& pin_of, const plan::Node& view) {
  SLUICE_TRY(const engines::SqlTree tree, session.sql().Tree(view.model->sql, view.model->sql_file));
  SLUICE_TRY(const Relations relations, RelationsFor(session, pin_of, view.uses, nullptr, {}));
  SLUICE_TRY(engines::SqlFrontend * frontend, session.sql().Frontend());
  ViewText text;
  SLUICE_TRY(text.schema, frontend->Bind(tree, relations.schemas, session.Parameters(session.clock().Now())));
  SLUICE_TRY(const std::string lowered, LowerSql(session, tree, relations));
  text.sql = frontend->CastTo(lowered, text.schema);
  return text;
}

}  // namespace sluice::run
