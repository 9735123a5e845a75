#include "run/vacuum_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "delta/duration.h"
#include "run/external.h"
#include "run/ingest_batch.h"
#include "run/model_records.h"
#include "state/batch.h"
#include "state/lease.h"

namespace sluice::run {
namespace {

constexpr int64_t kWeekMillis = 7 * delta::kDayMillis;

// "silver/orders" → "silver.orders".
std::string TableAt(std::string root) {
  std::replace(root.begin(), root.end(), '/', '.');
  return root;
}

class TableVacuum {
 public:
  TableVacuum(Session& session, const std::string& table, const VacuumOptions& options)
      : session_(session), table_(table), options_(options) {
    out_.table = table;
  }

  Result<VacuumedTable> Run() {
    SLUICE_TRY(const HeldVersions held, HeldVersionsOf(session_, table_, options_.max_hold_millis));
    tables::VacuumSpec spec;
    spec.retention_millis = options_.retention_millis;
    spec.allow_short = options_.allow_short;
    spec.dry_run = options_.dry_run;
    spec.clock = &session_.clock();
    spec.done_batches = held.batches;
    if (const auto floor = held.floor()) {
      spec.kept_versions = {*floor};
      spec.changes_unread_from = *floor + 1;
    }
    SLUICE_TRY(out_.files, tables::Vacuum(session_.lake(), Session::RootOf(table_), spec));
    for (const auto& file : out_.files) out_.bytes += file.bytes;
    for (const Holder& holder : held.holders)  // whoever needs the newest version keeps nothing
      if (holder.version < held.newest) out_.held_by.push_back(holder);
    out_.notes.insert(out_.notes.end(), held.let_go.begin(), held.let_go.end());
    // Last: what such a batch staged stays until the next VACUUM, for its run may still wake up and look at it.
    if (!options_.dry_run) SLUICE_CHECK(CloseDeadAttempts());
    return std::move(out_);
  }

 private:
  Status CloseDeadAttempts() {
    SLUICE_TRY(const plan::Graph* graph, session_.graph());
    const plan::Node* node = graph->Find(table_);
    if (node == nullptr) return Ok();
    SLUICE_TRY(const auto holder, state::HolderOf(session_.lake(), "run", session_.clock(), state::SystemProcesses()));
    if (holder) return Ok();  // a run is at work: it may be its attempt
    const state::NodeIdentity identity{session_.project().name, BatchOwner(*node), NewUuid(session_.clock(), session_.random())};
    state::BatchLog log(session_.lake(), session_.clock(), session_.random(), identity);
    SLUICE_TRY(const state::NodeState state, log.Load());
    SLUICE_TRY(const auto began, log.LastAttemptAt(state));
    if (!began || session_.clock().Now().millis() - began->millis() <= Retention()) return Ok();
    SLUICE_TRY(const std::string cursor, ResolvedCursor(identity.node, state));
    SLUICE_TRY(const bool closed, log.CloseAttempts(state, cursor));
    if (closed)
      out_.notes.push_back(
          fmt::format("batch {} of {} was begun and never decided: it is closed without a change", state.last_done + 1, identity.node));
    return Ok();
  }

  int64_t Retention() const {
    if (options_.retention_millis) return *options_.retention_millis;
    const auto snapshot = delta::LoadSnapshotIfExists(session_.lake(), Session::RootOf(table_));
    if (!snapshot || !*snapshot) return kWeekMillis;
    return delta::DurationOf((*snapshot)->metadata, "delta.deletedFileRetentionDuration", kWeekMillis).value_or(kWeekMillis);
  }

  Session& session_;
  const std::string& table_;
  const VacuumOptions& options_;
  VacuumedTable out_;
};

}  // namespace

Result<VacuumedTable> VacuumTable(Session& session, const std::string& table, const VacuumOptions& options) {
  SLUICE_CHECK(CheckOwned(session.project(), table));
  return TableVacuum(session, table, options).Run();
}

Result<std::vector<std::string>> TablesOfLake(Session& session) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  std::set<std::string> candidates, tables;
  for (const plan::Node& node : graph->nodes) {
    if (node.source && node.source->external) continue;  // not ours to clean
    if (!node.is_view()) candidates.insert(node.table);
    if (node.source) candidates.insert(QuarantineTable(*node.source));
  }
  SLUICE_TRY(const auto owners, state::NodesWithRecords(session.lake()));
  for (const std::string& owner : owners) {
    state::BatchLog log(session.lake(), session.clock(), session.random(), {session.project().name, owner, "", ""});
    SLUICE_TRY(const state::NodeState state, log.Load());
    for (const state::TableVersion& table : state.tables) candidates.insert(TableAt(table.root));
  }
  for (const std::string& table : candidates) {
    if (FindExternal(session.project(), table) != nullptr) continue;  // another owner's
    SLUICE_TRY(const auto snapshot, delta::LoadSnapshotIfExists(session.lake(), Session::RootOf(table)));
    if (snapshot) tables.insert(table);
  }
  return std::vector<std::string>(tables.begin(), tables.end());
}

}  // namespace sluice::run
