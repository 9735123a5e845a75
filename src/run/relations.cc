#include "run/relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "ingest/ingest.h"
#include "run/model_records.h"
#include "run/node.h"
#include "state/batch.h"
#include "tables/prune.h"
#include "tables/scan.h"

namespace sluice::run {
namespace {

using engines::TableUse;
using engines::UseMode;

std::string TableOf(const TableUse& use) { return use.schema + "." + use.name; }

// A table that was built and is gone must not read as an empty one: what is built of it would be empty, too.
Status CheckNeverBuilt(Session& session, const std::string& table) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  const plan::Node* node = graph->Find(table);
  SLUICE_TRY(const auto snapshot, session.Pin(table));
  if (node == nullptr || snapshot) return Ok();  // there is one, though a batch planned earlier reads none
  state::BatchLog log(session.lake(), session.clock(), session.random(), {session.project().name, BatchOwner(*node), "", ""});
  SLUICE_TRY(const state::NodeState state, log.Load());
  return CheckOwnTable(*node, state, table, nullptr);
}

// A table that has no version: a source without files gives its contract's columns and no rows; a model must be built first.
Result<contract::Schema> SchemaOfAbsent(Session& session, const TableUse& use) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  const plan::Node* node = graph->Find(TableOf(use));
  if (node != nullptr && node->source != nullptr) {
    SLUICE_CHECK(CheckNeverBuilt(session, TableOf(use)));
    if (use.schema == "quarantine") return ingest::QuarantineSchema();
    if (node->source->contract.declared) return BronzeSchema(*node->source);
  }
  SLUICE_CHECK(CheckNeverBuilt(session, TableOf(use)));
  return Fail(UserError("not-built-yet", fmt::format("{} has no version yet", TableOf(use)))
                  .At(use.where)
                  .Hint(fmt::format("build it first: sluice run -s {}", node ? node->table : TableOf(use))));
}

std::string Call(const TableUse& use) { return fmt::format("{}({})", use.mode == UseMode::kNew ? "new" : "changes", TableOf(use)); }

bool ReadsFeed(const TableUse& use) { return use.mode == UseMode::kNew || use.mode == UseMode::kChanges; }

void AddFullRead(const TableUse& use, const Feed& feed, FullReads* full) {
  if (feed.whole_because.empty()) return;
  full->reasons.push_back(fmt::format("{} reads the whole table: {}", Call(use), feed.whole_because));
  full->anew |= !feed.snapshots;
}

// The older version that a person's query names.
Result<std::shared_ptr<const delta::Snapshot>> VersionOf(Session& session, const TableUse& use) {
  const std::string root = Session::RootOf(TableOf(use));
  const auto load = [&]() -> Result<delta::Snapshot> {
    SLUICE_TRY(const int64_t version, delta::VersionNamed(session.lake(), root, use.at));
    return delta::LoadSnapshot(session.lake(), root, version);
  };
  auto snapshot = load();
  if (!snapshot) return Fail(std::move(snapshot.error()).At(use.where));
  return std::make_shared<const delta::Snapshot>(std::move(*snapshot));
}

// What changes(t) has beside the columns of a table.
contract::Schema WithChangeColumns(const TableUse& use, contract::Schema schema) {
  if (use.mode == UseMode::kChanges)
    for (const contract::Field& field : contract::ChangeColumns()) schema.fields.push_back(field);
  return schema;
}

Result<TableRelation> RelationOfTable(Session& session, const PinOf& pin_of, const TableUse& use, const ConsumedInputs* consumed,
                                      const Asked& asked, Relations* all) {
  const std::string table = TableOf(use);
  SLUICE_TRY(Pinned pinned, pin_of(table));
  if (pinned.snapshot && !use.at.empty()) {
    SLUICE_TRY(pinned.snapshot, VersionOf(session, use));
  }
  if (!pinned.snapshot) {
    SLUICE_TRY(contract::Schema schema, SchemaOfAbsent(session, use));
    schema = WithChangeColumns(use, std::move(schema));
    std::string sql = EmptyRelation(schema);
    return TableRelation{std::move(sql), std::move(schema), 0};
  }
  if (!ReadsFeed(use)) {
    const auto conditions = asked.conditions.find(use.id());
    if (conditions != asked.conditions.end()) {
      SLUICE_TRY(tables::Scan left,
                 ScanAsked(session, session.lake(), Session::RootOf(table), *pinned.snapshot, conditions->second, asked.params));
      return TableRelation{std::move(left.sql), std::move(left.schema)};
    }
    SLUICE_TRY(tables::Scan scan, tables::ScanFor(session.lake(), Session::RootOf(table), *pinned.snapshot));
    return TableRelation{std::move(scan.sql), std::move(scan.schema), scan.rows};
  }
  SLUICE_TRY(const Feed feed, FeedOf(session, use, pinned, consumed));
  AddFullRead(use, feed, &all->full);
  all->row_changes |= feed.kind == Feed::Kind::kRows;
  return RelationOf(session, use, pinned, feed);
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

Result<std::set<std::string>> InputTables(Session& session, const plan::Node& node) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  std::set<std::string> names;
  SLUICE_CHECK(FollowViews(session, *graph, node, names));
  return names;
}

Result<std::vector<PinnedInput>> PinInputs(Session& session, const PinOf& pin_of, const plan::Node& node,
                                           const std::set<std::string>& coming) {
  SLUICE_TRY(const auto names, InputTables(session, node));
  std::vector<PinnedInput> inputs;
  for (const std::string& table : names) {
    SLUICE_TRY(Pinned pinned, pin_of(table));
    if (!pinned.snapshot && !coming.contains(table)) SLUICE_CHECK(CheckNeverBuilt(session, table));
    inputs.push_back({table, std::move(pinned)});
  }
  return inputs;
}

PinOf RunPins(Session& session) {
  return [&session](const std::string& table) -> Result<Pinned> {
    SLUICE_TRY(auto snapshot, session.Pin(table));
    return Pinned{std::move(snapshot), session.Unwritten(table)};
  };
}

Result<FullReads> FullReadsOf(Session& session, const PinOf& pin_of, const std::vector<TableUse>& uses, const ConsumedInputs& consumed) {
  FullReads full;
  for (const TableUse& use : uses) {
    if (!ReadsFeed(use)) continue;
    SLUICE_TRY(const Pinned pinned, pin_of(TableOf(use)));
    if (!pinned.snapshot) continue;
    SLUICE_TRY(const Feed feed, FeedOf(session, use, pinned, &consumed));
    AddFullRead(use, feed, &full);
  }
  return full;
}

Result<Relations> RelationsFor(Session& session, const PinOf& pin_of, const std::vector<TableUse>& uses, const ConsumedInputs* consumed,
                               const OwnRelations& own, const Asked& asked) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  Relations relations;
  for (const TableUse& use : uses) {
    const std::string id = use.id();
    if (use.mode == UseMode::kThis || use.mode == UseMode::kBatch) {
      relations.sql[id] = use.mode == UseMode::kThis ? own.this_sql : own.batch_sql;
      relations.schemas[id] = own.schema;
      continue;
    }
    const plan::Node* input = graph->Find(TableOf(use));
    if (input != nullptr && input->is_view()) {
      if (ReadsFeed(use)) return Fail(plan::NewOverView(use));
      SLUICE_TRY(ViewText view, ExpandView(session, pin_of, *input));
      relations.sql[id] = "(" + view.sql + ")";
      relations.schemas[id] = std::move(view.schema);
      continue;
    }
    SLUICE_TRY(TableRelation one, RelationOfTable(session, pin_of, use, consumed, asked, &relations));
    if (!ReadsFeed(use) && one.rows >= 0) relations.rows[id] = one.rows;
    if (ReadsFeed(use) && one.rows >= 0) relations.new_rows = std::max<int64_t>(relations.new_rows, 0) + one.rows;
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
  return frontend->Lower(tree, relations.sql, relations.schemas, relations.rows);
}

Result<tables::Scan> ScanAsked(Session& session, store::ObjectStore& store, const std::string& root, const delta::Snapshot& snapshot,
                               const engines::AnyConditions& conditions, const std::vector<engines::Parameter>& params) {
  std::vector<const delta::Add*> files;
  for (const delta::Add& add : snapshot.files) files.push_back(&add);
  SLUICE_TRY(engines::DuckDb * db, session.db());
  SLUICE_TRY(const auto connection, db->Connect());
  const tables::FileFacts facts{snapshot.schema, snapshot.metadata.partition_columns,
                                delta::ColumnMappingOf(snapshot.protocol, snapshot.metadata)};
  SLUICE_TRY(files, tables::FilesWithRows(*connection, facts, std::move(files), conditions, params));
  return tables::ScanFiles(store, root, {snapshot.schema, snapshot.metadata.partition_columns, facts.mapping, std::move(files)});
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
