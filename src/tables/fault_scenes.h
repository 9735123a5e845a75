#pragma once
// For tests: every operation on a table as a writer does it from start to end, and what is there before it.
#include <fmt/format.h>

#include <functional>

#include "delta/clean_log.h"
#include "tables/alter.h"
#include "tables/dml.h"
#include "tables/optimize.h"
#include "tables/restore.h"
#include "tables/test_lake.h"
#include "tables/vacuum.h"

namespace sluice::tables::scenes {

inline constexpr const char* kRoot = "silver/t";

// Where an operation is done: over a store that may be a faulty one.
struct Workshop {
  store::ObjectStore& store;
  engines::Connection& connection;
  std::string scratch;
  bool vectors = true;

  TableTarget Target(const contract::Schema& schema, std::vector<std::string> partition_by, std::optional<delta::Snapshot> snapshot) const {
    TableTarget target;
    target.store = &store;
    target.root = kRoot;
    target.name = "silver.t";
    target.schema = schema;
    target.partition_by = std::move(partition_by);
    target.deletion_vectors = vectors;
    target.snapshot = std::move(snapshot);
    return target;
  }
  StageOptions Options() const {
    StageOptions options;
    options.file_prefix = "silver.t-1.1";
    options.scratch_dir = scratch;
    return options;
  }
  // Long after everything that was written: nothing is young, and no wait takes time.
  FixedClock Later() const { return FixedClock(Instant{SystemClock().Now().micros + 60LL * 86'400 * 1'000'000}); }
};

// `application`: what is done under its name is done once, however often it is tried.
using Job = std::function<Status(Workshop&, const std::string& application)>;
using Staging = std::function<Result<StagedChange>(Workshop&, const std::optional<delta::Snapshot>&)>;

// Stages anew until nobody comes between.
inline Job Committing(Staging stage) {
  return [stage = std::move(stage)](Workshop& shop, const std::string& application) -> Status {
    for (;;) {
      SLUICE_TRY(const auto snapshot, delta::LoadSnapshotIfExists(shop.store, kRoot));
      if (snapshot && snapshot->TxnVersion(application)) return Ok();
      SLUICE_TRY(const StagedChange change, stage(shop, snapshot));
      if (change.empty) return Ok();
      FixedClock clock = shop.Later();
      delta::CommitStamp stamp;
      stamp.commit_id = NewUuid(SystemClock(), SystemRandom());
      stamp.txn = delta::Txn{application, 1, {}};
      stamp.now = SystemClock().Now();
      stamp.in_commit_timestamp = delta::NextInCommitTimestamp(snapshot ? &*snapshot : nullptr, change.commit, stamp.now);
      const auto isolation = snapshot ? delta::IsolationOf(snapshot->metadata) : delta::Isolation::kSerializable;
      SLUICE_TRY(const auto outcome, delta::Commit(shop.store, kRoot, change.commit, stamp, clock, isolation));
      if (std::holds_alternative<delta::Committed>(outcome)) return Ok();
    }
  };
}

struct Rows {
  std::string schema, sql;
  std::vector<std::string> partition_by;
  std::map<std::string, std::string> properties;
};
inline Job Append(Rows rows) {
  return Committing([rows](Workshop& shop, const auto& snapshot) -> Result<StagedChange> {
    auto target = shop.Target(MakeSchema(rows.schema), rows.partition_by, snapshot);
    target.properties = rows.properties;
    SLUICE_TRY(const auto reader, shop.connection.Query(rows.sql));
    return StageAppend(target, *reader, shop.Options(), &shop.connection);
  });
}
inline Job Overwrite(Rows rows, const std::string& where, bool replace_schema) {
  return Committing([=](Workshop& shop, const auto& snapshot) -> Result<StagedChange> {
    auto target = shop.Target(MakeSchema(rows.schema), rows.partition_by, snapshot);
    target.replace_schema = replace_schema;
    SLUICE_TRY(const auto reader, shop.connection.Query(rows.sql));
    return StageOverwrite(target, *reader, {where}, shop.Options(), &shop.connection);
  });
}
// Operations on the table as it stands.
using Statement = std::function<Result<StagedChange>(Workshop&, const TableTarget&)>;
inline Job Doing(Statement statement) {
  return Committing([statement = std::move(statement)](Workshop& shop, const auto& snapshot) {
    auto target = shop.Target({}, {}, snapshot);
    if (snapshot) target.schema = snapshot->schema;
    return statement(shop, target);
  });
}
inline Job Delete(const std::string& where) {
  return Doing([=](Workshop& shop, const TableTarget& target) { return StageDelete(target, shop.connection, where, shop.Options()); });
}
inline Job Update(const std::vector<Assignment>& set, const std::string& where) {
  return Doing([=](Workshop& shop, const TableTarget& target) { return StageUpdate(target, shop.connection, set, where, shop.Options()); });
}
inline Job MergeInto(const std::string& source, const MergeStatement& statement) {
  return Doing([=](Workshop& shop, const TableTarget& target) {
    return StageMergeStatement(target, shop.connection, {source, {}}, statement, shop.Options());
  });
}
inline Job Optimize(const OptimizeSpec& spec) {
  return Doing([=](Workshop& shop, const TableTarget& target) { return StageOptimize(target, shop.connection, spec, shop.Options()); });
}
inline Job Restore(int64_t version) {
  return Doing([=](Workshop& shop, const TableTarget& target) { return StageRestore(target, version, shop.Options()); });
}
inline Job Alter(const AlterSpec& spec) {
  return Doing([=](Workshop& shop, const TableTarget& target) { return StageAlter(target, shop.connection, spec, shop.Options()); });
}
inline Job Merge(Rows rows, const MergeSpec& spec) {
  return Committing([=](Workshop& shop, const auto& snapshot) {
    return StageMerge(shop.Target(MakeSchema(rows.schema), rows.partition_by, snapshot), shop.connection, {rows.sql, {}}, spec,
                      shop.Options());
  });
}
inline Job Scd2(Rows rows, const Scd2Spec& spec) {
  return Committing([=](Workshop& shop, const auto& snapshot) -> Result<StagedChange> {
    SLUICE_TRY(const auto schema, Scd2Schema("silver.t", MakeSchema(rows.schema), spec));
    return StageScd2(shop.Target(schema, {}, snapshot), shop.connection, {rows.sql, {}}, spec, shop.Options());
  });
}
inline Job Interval(Rows rows, const IntervalSpec& spec) {
  return Committing([=](Workshop& shop, const auto& snapshot) {
    return StageInterval(shop.Target(MakeSchema(rows.schema), rows.partition_by, snapshot), shop.connection, {rows.sql, {}}, spec,
                         shop.Options());
  });
}
inline Job VacuumAll() {
  return [](Workshop& shop, const std::string&) -> Status {
    FixedClock clock = shop.Later();
    SLUICE_TRY([[maybe_unused]] const auto gone, Vacuum(shop.store, kRoot, {.clock = &clock}));
    return Ok();
  };
}
inline Job Checkpoint() {
  return [](Workshop& shop, const std::string&) -> Status {
    SLUICE_TRY(const auto snapshot, delta::LoadSnapshot(shop.store, kRoot));
    return delta::WriteCheckpoint(shop.store, kRoot, snapshot, SystemClock());
  };
}
inline Job CleanLog() {
  return [](Workshop& shop, const std::string&) -> Status {
    FixedClock clock = shop.Later();
    SLUICE_TRY(const auto snapshot, delta::LoadSnapshot(shop.store, kRoot));
    SLUICE_TRY([[maybe_unused]] const auto deleted, delta::CleanLog(shop.store, kRoot, snapshot.metadata, snapshot.version, clock));
    return Ok();
  };
}

struct Scene {
  std::string name;
  std::vector<Job> before;
  Job operation;
  bool vectors = true;
  bool deletes = false;  // it may take files away: all others leave what they no longer need to VACUUM
};

inline void PrintTo(const Scene& scene, std::ostream* out) { *out << scene.name; }

}  // namespace sluice::tables::scenes
