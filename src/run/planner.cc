#include "run/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/counted.h"
#include "core/text.h"
#include "formats/bytes.h"
#include "ingest/layout.h"
#include "run/consumers.h"
#include "run/external_node.h"
#include "run/ingest_batch.h"
#include "run/maintain.h"
#include "run/model_plan.h"
#include "run/model_records.h"
#include "run/seed.h"
#include "run/source_input.h"
#include "run/validate.h"
#include "state/ledger.h"
#include "state/restore.h"
#include "tables/change.h"
#include "tables/generated.h"

namespace sluice::run {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

const char* Name(PlanAction action) {
  static constexpr const char* kNames[] = {"run", "may run", "skip", "blocked"};
  return kNames[static_cast<int>(action)];
}

std::string Shown(const std::string& text) { return text == "\t" ? "tab" : text == "\x01" ? "\\x01" : text; }
std::string Shown(char c) { return c == '\0' ? "none" : Shown(std::string(1, c)); }

std::string DialectText(const project::Source& source, const sources::InputFile& file) {
  std::string text(formats::TraitsOf(source.read.format).name);
  if (file.member) text += " zip";
  if (file.compression != formats::Compression::kNone) text += fmt::format(" {}", formats::ToString(file.compression));
  if (!file.encoding.empty()) text += " " + file.encoding;
  if (source.read.format != sources::FileFormat::kCsv) return text;
  text += " delimiter " + Shown(file.csv.delimiter_text());
  text += file.csv.quote != '\0' ? " quote " + Shown(file.csv.quote) : " without quotes";
  if (file.csv.quote != '\0' && file.csv.escape != file.csv.quote) text += " escape " + Shown(file.csv.escape);
  text += file.csv.header ? " with header" : " without header";
  if (file.csv.header && file.csv.header_rows > 1) text += " of " + Counted(file.csv.header_rows, "row");
  if (file.csv.skip > 0) text += " after " + Counted(file.csv.skip, "line");
  if (file.csv.footer > 0) text += " before " + Counted(file.csv.footer, "line");
  return text;
}

class Planner {
 public:
  Planner(Session& session, const plan::Graph& graph, bool full_refresh, bool reload_sources, bool forced)
      : session_(session), graph_(graph), full_refresh_(full_refresh), reload_sources_(reload_sources), forced_(forced) {}

  Result<RunPlan> Run(const std::set<size_t>& nodes) {
    RunPlan plan;
    plan.environment = session_.project().environment.name;
    plan.lake = session_.project().lake;
    plan.full_refresh = full_refresh_;
    plan.reload_sources = reload_sources_;
    for (const size_t i : nodes) {
      PlannedNode planned = PlanOne(graph_.nodes[i]);
      if (planned.action == PlanAction::kRun || planned.action == PlanAction::kMayRun) moving_.insert(planned.table);
      if (planned.action != PlanAction::kBlocked) SLUICE_CHECK(PlanMaintenance(graph_.nodes[i], planned));
      plan.nodes.push_back(std::move(planned));
    }
    return plan;
  }

 private:
  PlannedNode PlanOne(const plan::Node& node) {
    PlannedNode planned;
    planned.table = node.table;
    planned.kind = node.source ? "source" : node.seed ? "seed" : "model";
    planned.fingerprint = node.fingerprint;
    Status status = node.source ? PlanSource(node, planned) : node.seed ? PlanSeed(node, planned) : PlanModel(node, planned);
    if (!status) {
      planned.action = PlanAction::kBlocked;
      planned.why = status.error().ToString();
    }
    return planned;
  }

  Status PlanMaintenance(const plan::Node& node, PlannedNode& planned) {
    SLUICE_TRY(DueMaintenance due, MaintenanceDue(session_, node));
    planned.maintenance = std::move(due.texts);
    if (due.packs) packed_.insert(node.table);
    return Ok();
  }

  Result<state::NodeState> StateOf(const plan::Node& node, PlannedNode& planned) {
    state::BatchLog log(session_.lake(), session_.clock(), session_.random(), {session_.project().name, BatchOwner(node), "", "sluice"});
    SLUICE_TRY(const state::NodeState owner, log.Load());
    SLUICE_TRY(state::NodeState state, StateOfModel(node, owner));
    if (state.pending)
      planned.notes.push_back(
          fmt::format("batch {} was decided by run {} and will be finished first", state.pending->n, state.pending->run_id));
    if (const auto target = state::RestoreTargetIn(owner.inputs))
      planned.notes.push_back(fmt::format("batch {} brought back {}: what came since comes again", owner.last_done,
                                          target->batch == 0 ? "the time before the first batch" : fmt::format("batch {}", target->batch)));
    if (full_refresh_ && (reload_sources_ || !node.source)) return state;
    std::vector<std::string> own;
    if (!node.is_view()) own.push_back(node.table);
    if (node.source) own.push_back(QuarantineTable(*node.source));
    for (const std::string& table : own) {
      SLUICE_TRY(const auto snapshot, session_.Pin(table));
      SLUICE_CHECK(CheckOwnTable(node, state, table, snapshot.get()));
    }
    return state;
  }

  // Nothing is ingested: the newest version is looked at, and read by others.
  Status PlanExternal(const plan::Node& node, PlannedNode& planned) {
    state::BatchLog log(session_.lake(), session_.clock(), session_.random(), {session_.project().name, node.table, "", "sluice"});
    SLUICE_TRY(const state::NodeState state, log.Load());
    SLUICE_TRY(const auto table, session_.Pin(node.table));
    std::string files;
    for (const auto& add : table->files) files += fmt::format("{} {} {}\n", add.path, add.size, add.modification_time);
    planned.fingerprint = Hex(Hash64(node.fingerprint + table->metadata.id + files));
    planned.store = "external";
    planned.why = WhyExternalRuns(node, state, *table, forced_ || reload_sources_);
    planned.action = planned.why.empty() ? PlanAction::kSkip : PlanAction::kRun;
    if (planned.why.empty()) planned.why = "external: no new version";
    planned.why += fmt::format(" (v{})", table->version);
    return Ok();
  }

  // What the database would be asked for; its snapshot goes with the plan.
  Status PlanRows(const plan::Node& node, const state::NodeState& state, PlannedNode& planned) {
    SLUICE_TRY(const auto rows, OpenRows(*node.source, session_.scratch_dir(), session_.cancel_flag()));
    const bool reload = full_refresh_ && reload_sources_ && state.last_done > 0;
    SLUICE_TRY(const sources::RowPlan plan, rows->Plan(reload ? "null" : state.cursor));
    for (const sources::RowSplit& split : plan.splits) planned.estimated_bytes += split.bytes;
    planned.notes.insert(planned.notes.end(), plan.notes.begin(), plan.notes.end());
    if (!node.source->matched_by.empty() && state.last_done == 0)
      planned.notes.push_back(fmt::format("a new table that \"{}\" matches", node.source->matched_by));
    planned.action = plan.splits.empty() && !state.pending ? PlanAction::kSkip : PlanAction::kRun;
    planned.why = plan.why;
    if (reload && !plan.splits.empty()) planned.why += ", the table is made anew from them";
    return plan.splits.empty() ? Ok() : BronzeChanges(node, reload, planned);
  }

  Status PlanSource(const plan::Node& node, PlannedNode& planned) {
    if (node.source->external) return PlanExternal(node, planned);
    SLUICE_TRY(const state::NodeState state, StateOf(node, planned));
    if (GivesRows(*node.source)) return PlanRows(node, state, planned);
    SLUICE_TRY(const auto input, OpenInput(*node.source));
    SLUICE_TRY(state::FileLedger ledger, state::LoadLedger(session_.lake(), node.table, state));
    const bool nothing_before = ledger.files.empty();
    const bool reload = full_refresh_ && reload_sources_;
    SLUICE_TRY(const sources::Offer offer, LookFor(*node.source, *input, SeenBy(std::move(ledger)), reload, session_.clock().Now()));
    std::string archive;  // counted with its first member, behind which the others follow
    for (const auto& file : offer.files) {
      planned.files.push_back(
          {file.name.empty() ? file.object.key : file.name, file.object.size, file.object.etag, DialectText(*node.source, file)});
      if (!file.member || file.object.key != archive) planned.estimated_bytes += file.object.size;
      archive = file.member ? file.object.key : "";
    }
    planned.notes = NotesOf(offer);
    planned.noteworthy = offer.waiting > 0 || !offer.known.empty();
    const bool idle = offer.files.empty() && !state.pending && !(node.source->load == project::Load::kAppend && HasNewNames(offer));
    planned.action = idle ? PlanAction::kSkip : PlanAction::kRun;
    planned.why = offer.files.empty() ? WhyNothing(offer, node.source->read.files, nothing_before)
                                      : Counted(static_cast<int64_t>(offer.files.size()), reload ? "file" : "new file");
    if (reload && !offer.files.empty() && state.last_done > 0) planned.why += ", the table is made anew from them";
    return offer.files.empty() ? Ok() : BronzeChanges(node, reload, planned);
  }

  // What becomes of bronze's columns and partitioning, as far as the contract says it; new columns of the files come on top.
  Status BronzeChanges(const plan::Node& node, bool reload, PlannedNode& planned) {
    SLUICE_TRY(const auto snapshot, session_.Pin(node.table));
    const project::Source& source = *node.source;
    if (!snapshot || !source.contract.declared) return Ok();
    const delta::Snapshot* kept = reload ? nullptr : snapshot.get();
    const contract::Contract contract = ingest::EffectiveContract(source.contract, kept, {});
    SLUICE_TRY(const ingest::Layout layout, ingest::PlanLayout(node.table, contract, contract.ToSchema(), source.partition_by, kept));
    contract::Schema now = snapshot->schema;
    if (contract.on_new_column == contract::OnNewColumn::kEvolve)  // what came of the files comes again, if they still have it
      std::erase_if(now.fields, [&](const contract::Field& field) { return layout.table.Find(field.name) == nullptr; });
    AddSchemaChanges(tables::CompareSchemas(now, layout.table), planned);
    const auto& before = snapshot->metadata.partition_columns;
    if (before != layout.partition_columns)
      planned.schema_changes.push_back(
          fmt::format("! partitioned by ({}) → ({})", Join(before, ", "), Join(layout.partition_columns, ", ")));
    return Ok();
  }

  static void AddSchemaChanges(const tables::SchemaChange& change, PlannedNode& planned) {
    for (const auto& name : change.added) planned.schema_changes.push_back("+ " + name);
    for (const auto& text : change.widened) planned.schema_changes.push_back("~ " + text);
    for (const auto& text : change.breaking) planned.schema_changes.push_back("! " + text);
  }

  Status PlanSeed(const plan::Node& node, PlannedNode& planned) {
    SLUICE_TRY(const state::NodeState state, StateOf(node, planned));
    SLUICE_TRY(const std::string fingerprint, SeedFingerprint(*node.seed));
    planned.fingerprint = fingerprint;
    const bool run = state.last_done == 0 || state.fingerprint != fingerprint || full_refresh_ || forced_;
    planned.action = run ? PlanAction::kRun : PlanAction::kSkip;
    planned.why = run ? WhySeedRuns(state, fingerprint, full_refresh_) : "up to date";
    return Ok();
  }

  Status PlanModel(const plan::Node& node, PlannedNode& planned) {
    static constexpr const char* kStores[] = {"view", "table", "append", "merge", "scd2", "interval"};
    planned.store = kStores[static_cast<int>(node.model->store)];
    SLUICE_TRY(const state::NodeState state, StateOf(node, planned));
    SLUICE_TRY(const auto inputs, PinInputs(session_, RunPins(session_), node, moving_));
    std::vector<std::string> upstream;
    for (const auto& input : inputs) {
      planned.inputs[input.table] = input.now().version;
      if (moving_.contains(graph_.nodes[graph_.index.at(input.table)].table)) upstream.push_back(input.table);
      if (input.pinned.snapshot)
        for (const auto& file : input.pinned.snapshot->files) planned.estimated_bytes += file.size;
    }
    SLUICE_TRY(planned.fingerprint, EffectiveFingerprint(session_, node));
    SLUICE_TRY(const auto table, session_.Pin(node.table));
    SLUICE_TRY(const std::string because, WrittenByOthers(session_, node, state, table.get()));
    SLUICE_TRY(const auto decided,
               DecideModel(session_, node, state, inputs, {full_refresh_, because, forced_, session_.clock().Now(), table.get()}));
    if (decided) {
      planned.action = PlanAction::kRun;
      planned.why = decided->why;
      planned.notes.insert(planned.notes.end(), decided->notes.begin(), decided->notes.end());
      for (const auto& window : decided->windows) planned.windows.push_back(window.from + " … " + window.to);
      return SchemaChanges(node, planned);
    }
    std::vector<std::string> packed;  // whoever goes on from version to version passes over the packed one
    for (const auto& input : inputs)
      if (packed_.contains(input.table) && ReadsByChange(node, input.table)) packed.push_back(input.table);
    if (upstream.empty() && !state.pending && !packed.empty()) {
      planned.action = PlanAction::kRun;
      planned.why = "rearranged input, no new rows: " + Join(packed, ", ");
      return Ok();
    }
    planned.action = !upstream.empty() ? PlanAction::kMayRun : state.pending ? PlanAction::kRun : PlanAction::kSkip;
    planned.why = !upstream.empty() ? "upstream runs: " + Join(upstream, ", ") : state.pending ? "an interrupted batch" : "up to date";
    return Ok();
  }

  Status SchemaChanges(const plan::Node& node, PlannedNode& planned) {
    if (node.is_view()) return Ok();
    SLUICE_TRY(const auto snapshot, session_.Pin(node.table));
    if (!snapshot) return Ok();
    if (!validated_) {
      auto validated = Validate(session_);
      if (!validated) return Fail(validated.error());
      validated_ = std::move(*validated);
    }
    const auto wanted = validated_->schemas.find(node.table);
    if (wanted == validated_->schemas.end()) return Ok();
    contract::Schema before = snapshot->schema;
    const contract::Schema& after = wanted->second;
    std::erase_if(before.fields, [&](const auto& field) { return tables::IsGenerated(field) && after.Find(field.name) == nullptr; });
    AddSchemaChanges(tables::CompareSchemas(before, after), planned);
    return Ok();
  }

  Session& session_;
  const plan::Graph& graph_;
  const bool full_refresh_, reload_sources_, forced_;
  std::set<std::string> moving_, packed_;
  std::optional<Validated> validated_;
};

}  // namespace

bool RunPlan::has_work() const {
  return std::any_of(nodes.begin(), nodes.end(), [](const auto& node) {
    return node.action == PlanAction::kRun || node.action == PlanAction::kMayRun || !node.maintenance.empty();
  });
}

Result<RunPlan> MakePlan(Session& session, const std::set<size_t>& nodes, bool full_refresh, bool reload_sources, bool forced) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  return Planner(session, *graph, full_refresh, reload_sources, forced).Run(nodes);
}

std::string RenderPlan(const RunPlan& plan, bool verbose) {
  std::string out = fmt::format("plan  environment {}  lake {}\n", plan.environment, plan.lake);
  size_t width = 0;
  for (const auto& node : plan.nodes) width = std::max(width, node.table.size());
  std::map<PlanAction, int> counts;
  int maintained = 0;
  for (const auto& node : plan.nodes) {
    ++counts[node.action];
    maintained += !node.maintenance.empty();
    if (node.action == PlanAction::kSkip && node.maintenance.empty() && !node.noteworthy && !verbose) continue;
    std::string why = node.why;  // of a blocked node an error, over several lines
    for (size_t at = why.find('\n'); at != std::string::npos; at = why.find('\n', at + 5)) why.insert(at + 1, "    ");
    out += fmt::format("  {:<{}}  {:<8} {}", node.table, width, Name(node.action), why);
    if (node.estimated_bytes > 0 && node.action != PlanAction::kSkip && node.action != PlanAction::kBlocked)
      out += "  reads " + FormatBytes(node.estimated_bytes);
    out += "\n";
    for (size_t i = 0; i < node.files.size() && (verbose || i < 3); ++i)
      out += fmt::format("    {}  {}  {}\n", node.files[i].name, FormatBytes(node.files[i].size), node.files[i].dialect);
    if (!verbose && node.files.size() > 3) out += "    … and " + Counted(node.files.size() - 3, "more file") + "\n";
    for (const auto& window : node.windows) out += "    window " + window + "\n";
    for (const auto& change : node.schema_changes) out += "    schema " + change + "\n";
    for (const auto& note : node.notes) out += "    " + note + "\n";
    for (const auto& due : node.maintenance) out += "    maintenance: " + due + "\n";
  }
  out +=
      fmt::format("{} to run, {} may run, {} up to date", counts[PlanAction::kRun], counts[PlanAction::kMayRun], counts[PlanAction::kSkip]);
  if (maintained > 0) out += ", maintenance of " + Counted(maintained, "node");
  if (counts[PlanAction::kBlocked] > 0) out += fmt::format(", {} blocked", counts[PlanAction::kBlocked]);
  return out + "\n";
}

ordered_json ToJson(const RunPlan& plan) {
  ordered_json out = {{"format", 1},
                      {"environment", plan.environment},
                      {"lake", plan.lake},
                      {"full_refresh", plan.full_refresh},
                      {"reload_sources", plan.reload_sources},
                      {"nodes", ordered_json::array()}};
  for (const auto& node : plan.nodes) {
    ordered_json item = {{"table", node.table},
                         {"kind", node.kind},
                         {"action", Name(node.action)},
                         {"why", node.why},
                         {"fingerprint", node.fingerprint},
                         {"estimated_bytes", node.estimated_bytes}};
    if (!node.store.empty()) item["store"] = node.store;
    for (const auto& file : node.files)
      item["files"].push_back({{"name", file.name}, {"size", file.size}, {"etag", file.etag}, {"dialect", file.dialect}});
    if (!node.inputs.empty()) item["inputs"] = node.inputs;
    if (!node.windows.empty()) item["windows"] = node.windows;
    if (!node.schema_changes.empty()) item["schema_changes"] = node.schema_changes;
    if (!node.notes.empty()) item["notes"] = node.notes;
    if (!node.maintenance.empty()) item["maintenance"] = node.maintenance;
    out["nodes"].push_back(std::move(item));
  }
  return out;
}

Result<std::vector<std::string>> MovedSince(const std::string& saved_json, const RunPlan& now) {
  const ordered_json saved = ordered_json::parse(saved_json, nullptr, false);
  if (!saved.is_object() || !saved.contains("nodes"))
    return Fail(UserError("bad-plan-file", "this is no saved plan").Hint("make one with: sluice plan --out FILE"));
  std::vector<std::string> moved;
  const ordered_json present = ToJson(now);
  if (saved.value("lake", "") != now.lake)
    moved.push_back(fmt::format("the plan is for lake {}, this is {}", saved.value("lake", ""), now.lake));
  std::map<std::string, ordered_json> before;
  for (const auto& node : saved["nodes"]) before[node.value("table", "")] = node;
  for (const auto& node : present["nodes"]) {
    const std::string table = node.value("table", "");
    const auto at = before.find(table);
    if (at == before.end()) {
      moved.push_back(table + " is not in the plan");
      continue;
    }
    for (const char* part : {"action", "fingerprint", "files", "inputs", "windows", "schema_changes"})
      if (at->second.value(part, ordered_json()) != node.value(part, ordered_json()))
        moved.push_back(fmt::format("{}: {} changed since the plan was made", table, part));
    before.erase(at);
  }
  for (const auto& [table, node] : before) moved.push_back(table + " is in the plan but not chosen now");
  return moved;
}

}  // namespace sluice::run
