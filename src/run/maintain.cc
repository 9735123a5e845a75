#include "run/maintain.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/counted.h"
#include "core/text.h"
#include "core/time.h"
#include "run/held_versions.h"
#include "run/ingest_batch.h"
#include "run/vacuum_table.h"
#include "tables/optimize.h"
#include "tables/plain_commit.h"

namespace sluice::run {
namespace {

const project::Maintenance* MaintenanceOf(const plan::Node& node) {
  if (node.source != nullptr) return node.source->maintenance ? &*node.source->maintenance : nullptr;
  return node.model != nullptr && node.model->maintenance ? &*node.model->maintenance : nullptr;
}

// One table of the node.
class TableMaintenance {
 public:
  TableMaintenance(Session& session, const RunContext& context, const project::Maintenance& asked, std::string table)
      : session_(session), context_(context), asked_(asked), table_(std::move(table)) {}

  Status Run() {
    SLUICE_TRY(snapshot_, session_.Pin(table_));
    if (!snapshot_) return Ok();
    SLUICE_CHECK(Compact());
    return Vacuum();
  }
  const std::vector<std::string>& done() const { return done_; }

  Status Look(DueMaintenance* due) {
    SLUICE_TRY(snapshot_, session_.Pin(table_));
    if (!snapshot_) return Ok();
    if (IsPackingDue()) {
      due->packs = true;
      due->texts.push_back(
          fmt::format("optimize {}: it has {} or more small files in a partition (compact_after)", table_, asked_.compact_after));
    }
    SLUICE_TRY(const std::string vacuum, WhyVacuum());
    if (!vacuum.empty()) due->texts.push_back(fmt::format("vacuum {}: {}", table_, vacuum));
    return Ok();
  }

 private:
  // ---- small files

  bool IsPackingDue() const {
    return asked_.compact_after > 0 && tables::HasSmallFiles(snapshot_->files, asked_.target_bytes, asked_.compact_after);
  }

  Status Compact() {
    if (!IsPackingDue()) return Ok();
    SLUICE_CHECK(delta::CheckWritable(snapshot_->protocol, snapshot_->metadata));
    const tables::TableTarget target = Target();
    const tables::StageOptions options = Options();
    SLUICE_TRY(engines::DuckDb * db, session_.db());
    SLUICE_TRY(const auto connection, db->Connect());
    const tables::OptimizeSpec spec{.z_order_by = asked_.z_order_by, .min_small_files = asked_.compact_after};
    SLUICE_TRY(const tables::StagedChange change, tables::StageOptimize(target, *connection, spec, options));
    if (change.empty) return Ok();
    SLUICE_TRY(const int64_t version, tables::CommitPlainly(target, change,
                                                            {.operation_id = context_.run_id,
                                                             .staged_prefix = options.file_prefix,
                                                             .clock = &session_.clock(),
                                                             .random = &session_.random(),
                                                             .log_floor = [&] { return LogFloorOf(session_)(target.root); }}));
    SLUICE_CHECK(session_.Repin(table_));  // what reads it in this run reads it so
    done_.push_back(fmt::format("optimized {} v{}→v{}: {} → {}", table_, snapshot_->version, version,
                                Counted(static_cast<int64_t>(change.removed_paths.size()), "file"), change.added.size()));
    return Ok();
  }

  tables::TableTarget Target() const {
    tables::TableTarget target;
    target.store = &session_.lake();
    target.root = Session::RootOf(table_);
    target.name = table_;
    target.snapshot = *snapshot_;
    target.schema = snapshot_->schema;
    return target;
  }

  tables::StageOptions Options() const {
    tables::StageOptions options;
    options.file_prefix = "optimize-" + NewUuid(session_.clock(), session_.random());
    options.scratch_dir = session_.scratch_dir();
    options.memory_bytes = context_.memory_per_node;
    options.target_file_bytes = asked_.target_bytes;
    options.clock = &session_.clock();
    options.random = &session_.random();
    return options;
  }

  // ---- files that no version needs. When it was done last lies in the lake, beside the batch records

  std::string MarkerKey() const { return fmt::format("_sluice/maintenance/{}.json", table_); }

  // Why one is due; "" = none is.
  Result<std::string> WhyVacuum() const {
    if (!asked_.vacuum_every_micros) return std::string();
    const auto text = session_.lake().Get(MarkerKey());
    if (!text && text.error().kind != ErrorKind::kNotFound) return Fail(text.error());
    if (!text) return std::string("there was none yet");
    const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
    const auto last = json.is_object() && json.contains("vacuumed") && json["vacuumed"].is_string()
                          ? ParseInstant(json["vacuumed"].get<std::string>())
                          : std::nullopt;
    if (!last) return fmt::format("{} does not say when the last one was", MarkerKey());
    if (session_.clock().Now().micros - last->micros < *asked_.vacuum_every_micros) return std::string();
    return fmt::format("the last one was at {}", FormatInstant(*last));
  }

  Status Vacuum() {
    SLUICE_TRY(const std::string why, WhyVacuum());
    if (why.empty()) return Ok();
    VacuumOptions options;
    if (asked_.vacuum_retention_micros) options.retention_millis = *asked_.vacuum_retention_micros / 1000;
    options.max_hold_millis = asked_.max_hold_micros / 1000;
    SLUICE_TRY(const VacuumedTable vacuumed, VacuumTable(session_, table_, options));
    SLUICE_CHECK(session_.lake().Put(MarkerKey(), nlohmann::json{{"vacuumed", FormatInstant(session_.clock().Now())}}.dump() + "\n"));
    if (!vacuumed.files.empty())
      done_.push_back(fmt::format("vacuumed {}: {}, {}", table_, Counted(static_cast<int64_t>(vacuumed.files.size()), "file"),
                                  FormatBytes(vacuumed.bytes)));
    done_.insert(done_.end(), vacuumed.notes.begin(), vacuumed.notes.end());
    return Ok();
  }

  Session& session_;
  const RunContext& context_;
  const project::Maintenance& asked_;
  const std::string table_;
  std::shared_ptr<const delta::Snapshot> snapshot_;
  std::vector<std::string> done_;
};

std::vector<std::string> TablesOf(const plan::Node& node) {
  std::vector<std::string> tables{node.table};
  if (node.source) tables.push_back(QuarantineTable(*node.source));
  return tables;
}

}  // namespace

Result<DueMaintenance> MaintenanceDue(Session& session, const plan::Node& node) {
  DueMaintenance due;
  const project::Maintenance* asked = MaintenanceOf(node);
  if (asked == nullptr || node.is_view()) return due;
  const RunContext context;  // of no run: nothing is done
  for (const std::string& table : TablesOf(node)) SLUICE_CHECK(TableMaintenance(session, context, *asked, table).Look(&due));
  return due;
}

void Maintain(Session& session, const plan::Node& node, const RunContext& context, NodeReport& report) {
  const project::Maintenance* asked = MaintenanceOf(node);
  if (asked == nullptr || node.is_view() || session.cancelled()) return;
  std::vector<std::string> said;
  for (const std::string& table : TablesOf(node)) {
    TableMaintenance one(session, context, *asked, table);
    const Status status = one.Run();
    said.insert(said.end(), one.done().begin(), one.done().end());
    if (!status) {
      said.push_back(fmt::format("maintenance of {} failed: {}", table, status.error().ToString()));
      session.Emit({obs::Level::kWarn, obs::Kind::kMessage, node.table, said.back(), 0, 0, {}});
    }
  }
  if (said.empty()) return;
  report.notes.insert(report.notes.end(), said.begin(), said.end());
  if (report.status == NodeStatus::kSkipped) {
    report.status = NodeStatus::kOk;
    report.why = "maintenance";
  }
  if (const auto now = session.Pin(node.table); now && *now) report.to_version = (*now)->version;
}

}  // namespace sluice::run
