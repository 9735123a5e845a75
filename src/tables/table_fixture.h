#pragma once
// For tests of changes: one table of a lake of its own, committed to and read back through its log.
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include "tables/change.h"
#include "tables/test_lake.h"

namespace sluice::tables {

using Lines = std::vector<std::string>;

class TableTest : public ::testing::Test {
 protected:
  // The table as it is, wanted with `schema`.
  TableTarget Target(contract::Schema schema, std::vector<std::string> partition_by = {}) {
    TableTarget target;
    target.store = &lake_.store();
    target.root = kRoot;
    target.name = "silver.t";
    target.schema = std::move(schema);
    target.partition_by = std::move(partition_by);
    target.deletion_vectors = deletion_vectors_;
    target.snapshot = Must(delta::LoadSnapshotIfExists(lake_.store(), kRoot));
    return target;
  }
  TableTarget Target(const std::string& schema, std::vector<std::string> partition_by = {}) {
    return Target(MakeSchema(schema), std::move(partition_by));
  }
  StageOptions Options() {
    StageOptions options;
    options.file_prefix = "silver.t-1.1";
    options.scratch_dir = lake_.scratch();
    return options;
  }
  void Commit(const StagedChange& change) {
    ASSERT_FALSE(change.empty);
    delta::CommitStamp stamp;
    stamp.commit_id = NewUuid(SystemClock(), SystemRandom());
    stamp.now = SystemClock().Now();
    stamp.engine_info = "sluice/test";
    const auto outcome = Must(delta::Commit(lake_.store(), kRoot, change.commit, stamp, SystemClock()));
    ASSERT_TRUE(std::holds_alternative<delta::Committed>(outcome));
  }
  Lines Table(const std::string& columns = "*", const std::string& where = "true") {
    const Scan scan = Must(ScanFor(lake_.store(), kRoot, Must(delta::LoadSnapshot(lake_.store(), kRoot))));
    return lake_.Rows("SELECT " + columns + " FROM " + scan.sql + " WHERE " + where);
  }
  // What a check would see before the commit equals what readers see after it.
  void CommitAsScanned(const TableTarget& target, const StagedChange& change) {
    const auto before = lake_.Rows(Must(ScanAfter(target, change)));
    Commit(change);
    EXPECT_EQ(Table(), before);
  }
  StagedChange Append(const TableTarget& target, const std::string& sql) {
    return Must(StageAppend(target, *lake_.Read(sql), Options(), &lake_.connection()));
  }

  static constexpr const char* kRoot = "silver/t";
  TestLake lake_;
  bool deletion_vectors_ = false;
};

}  // namespace sluice::tables
