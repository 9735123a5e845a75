#include "ingest/ingest.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "core/text.h"
#include "engines/duckdb.h"
#include "formats/typed_rows.h"
#include "ingest/layout.h"
#include "ingest/replay.h"
#include "tables/scan.h"

namespace sluice::ingest {
namespace {

using contract::ColumnContract;
using contract::DataType;
using contract::TypeKind;

// A lake on this disk, and an engine to look at what was staged.
class IngestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "sluice-ingest-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    lake_ = *store::OpenLocalStore(root_ + "/lake", false);
    input_ = *store::OpenLocalStore(root_ + "/landing", false);
    std::filesystem::create_directories(root_ + "/scratch");
    engines::DuckDbOptions options;
    options.threads = 2;
    db_ = *engines::DuckDb::Open(options);
    connection_ = *db_->Connect();
    source_.name = "orders";
    source_.contract.declared = true;
    source_.contract.columns = {Column("order_id", DataType::Of(TypeKind::kString)), Column("placed", DataType::Of(TypeKind::kDate)),
                                Column("amount", DataType::Decimal(12, 2)), Column("quantity", DataType::Of(TypeKind::kInteger))};
    source_.contract.columns[0].not_null = true;
    source_.contract.columns[0].pattern = "ORD[0-9]+";
    source_.contract.columns[2].min = "0";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  static ColumnContract Column(std::string name, DataType type) {
    ColumnContract column;
    column.name = std::move(name);
    column.type = std::move(type);
    return column;
  }

  InputFile Put(const std::string& key, const std::string& text) {
    EXPECT_TRUE(input_->Put(key, text));
    InputFile file;
    file.object = *input_->Head(key);
    return file;
  }

  IngestRequest Request(std::vector<InputFile> files, int64_t number = 1) {
    IngestRequest request;
    request.source = &source_;
    request.files = std::move(files);
    request.bronze = {"bronze/orders", nullptr};
    request.quarantine = {"quarantine/orders", nullptr};
    request.batch = Batch(number);
    return request;
  }
  static BatchIdentity Batch(int64_t number) { return {"bronze.orders", "run-1", number, 1, Instant{1700000000000000}, 19675}; }

  Environment Env() {
    Environment environment;
    environment.input = input_.get();
    environment.lake = lake_.get();
    environment.db = db_.get();
    environment.random = &random_;
    environment.budget = {256LL << 20, 2, root_ + "/scratch"};
    return environment;
  }

  // Rows of staged files as text, NULL as "-".
  std::vector<std::string> Rows(const StagedTable& table, const std::string& select) {
    const auto scan = tables::ScanStaged(*lake_, table.root, table.schema, table.partition_columns, table.files);
    EXPECT_TRUE(scan) << (scan ? "" : scan.error().ToString());
    const auto rows = connection_->Rows("SELECT " + select + " FROM " + scan->sql + " AS t ORDER BY ALL");
    EXPECT_TRUE(rows) << (rows ? "" : rows.error().ToString());
    std::vector<std::string> out;
    for (const auto& row : *rows) {
      std::string line;
      for (const auto& value : row) line += (line.empty() ? "" : "|") + value.value_or("-");
      out.push_back(line);
    }
    return out;
  }

  // The table as it would be once the change is committed.
  static delta::Snapshot Committed(const StagedTable& table, const delta::Snapshot* before = nullptr) {
    delta::Snapshot snapshot;
    snapshot.version = before == nullptr ? 0 : before->version + 1;
    snapshot.schema = table.schema;
    snapshot.metadata.id = "id";
    snapshot.metadata.partition_columns = table.partition_columns;
    std::vector<delta::Add> files;
    if (before != nullptr) files = before->files.ToVector();
    for (const delta::Add& removed : table.removed) std::erase(files, removed);
    for (const auto& file : table.files) files.push_back(file.add);
    snapshot.files = std::move(files);
    return snapshot;
  }

  size_t ObjectsIn(const std::string& prefix) { return lake_->List(prefix)->size(); }

  std::string root_;
  std::unique_ptr<store::ObjectStore> lake_, input_;
  std::unique_ptr<engines::DuckDb> db_;
  std::unique_ptr<engines::Connection> connection_;
  project::Source source_;
  SeededRandom random_{7};
};

constexpr const char* kHeader = "order_id,placed,amount,quantity\n";
using Lines = std::vector<std::string>;

TEST_F(IngestTest, WritesGoodRowsWithTheirOrigin) {
  const auto result = Ingest(Request({Put("a.csv", std::string(kHeader) + "ORD1,2024-01-31,12.50,3\nORD2,,,\n")}), Env());
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(result->total.read, 2);
  EXPECT_EQ(result->total.written, 2);
  EXPECT_TRUE(result->bronze.schema_changed);
  EXPECT_FALSE(result->quarantine.changes());
  EXPECT_EQ(Rows(result->bronze, "order_id, placed, amount, quantity, _file, _row, _batch_id, _run_id, _execution_date"),
            (Lines{"ORD1|2024-01-31|12.50|3|a.csv|1|1|run-1|2023-11-14", "ORD2|-|-|-|a.csv|2|1|run-1|2023-11-14"}));
}

// Its beginning looks like a whole record, and must not become one.
TEST_F(IngestTest, ARecordThatWasCutIsNotReplayedButEdited) {
  source_.contract.columns.push_back(Column("note", DataType::Of(TypeKind::kString)));
  const std::string text =
      "order_id,placed,amount,quantity,note\nORD1,2024-01-31,1.00,3," + std::string(3 << 20, 'x') + "\n" + "ORD2,2024-01-31,1.00,3,ok\n";
  Environment environment = Env();
  environment.budget.memory_bytes = 16 << 20;  // records of at most 1 MiB
  const auto result = Ingest(Request({Put("a.csv", text)}), environment);
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(Rows(result->bronze, "order_id"), (Lines{"ORD2"}));
  EXPECT_EQ(Rows(result->quarantine, "violations[1].rule, byte_offset, length(record)"), (Lines{"length|37|65536"}));
  const delta::Snapshot bronze = Committed(result->bronze), quarantine = Committed(result->quarantine);
  ReplayRequest request;
  request.source = &source_;
  request.bronze = {"bronze/orders", &bronze};
  request.quarantine = {"quarantine/orders", &quarantine};
  request.batch = Batch(2);
  const auto refused = Replay(request, environment);
  ASSERT_TRUE(refused) << refused.error().ToString();
  EXPECT_EQ(refused->refused, 1);
  EXPECT_EQ(Rows(refused->quarantine, "state, violations[1].rule"), (Lines{"open|length"}));
  request.edits = {{"1-0-1", "ORD1,2024-01-31,1.00,3,short"}};
  const auto edited = Replay(request, environment);
  ASSERT_TRUE(edited) << edited.error().ToString();
  EXPECT_EQ(Rows(edited->bronze, "order_id, note"), (Lines{"ORD1|short"}));
}

TEST_F(IngestTest, QuarantinesEveryBadRecordWithAllItsReasons) {
  const std::string text = std::string(kHeader) + "ORD1,2024-01-31,12.505,1e3\n" + "X,2024-02-30,-1,1\n" + "ORD3,2024-01-01\n" +
                           "ORD4,2024-01-01,1.00,\"2\n" + "ORD5,2024-01-01,1.00,5\n" + "\xff,2024-01-01,1.00,5\n" + ",2024-01-01,1.00,7\n";
  const auto result = Ingest(Request({Put("a.csv", text)}), Env());
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(result->total.read, 7);
  EXPECT_EQ(result->total.written, 1);
  EXPECT_EQ(result->total.quarantined, 6);
  EXPECT_EQ(Rows(result->bronze, "order_id, _row"), (Lines{"ORD5|5"}));
  EXPECT_EQ(Rows(result->quarantine,
                 "\"row\", line, byte_offset, array_to_string(list_transform(violations, v -> v.\"column\" || ':' || v.rule), ' '), id, "
                 "state, record_bytes IS NULL"),
            (Lines{"1|2|32|amount:type quantity:type|1-0-1|open|true", "2|3|59|placed:type order_id:pattern amount:min|1-0-2|open|true",
                   "3|4|77|:fields|1-0-3|open|true", "4|5|93|:quote|1-0-4|open|true", "6|7|140|:encoding|1-0-6|open|false",
                   "7|8|160|order_id:not_null|1-0-7|open|true"}));
  EXPECT_EQ(Rows(result->quarantine, "record, hex(record_bytes)").back(), "-|FF2C323032342D30312D30312C312E30302C35");
}

TEST_F(IngestTest, SamplesNameFileAndLine) {
  const auto result = Ingest(Request({Put("a.csv", std::string(kHeader) + "ORD1,bad,1,1\nORD2,worse,1,1\nORD3,2024-01-01,1,1\n")}), Env());
  ASSERT_TRUE(result);
  ASSERT_EQ(result->rules.size(), 1u);
  EXPECT_EQ(result->rules[0].column, "placed");
  EXPECT_EQ(result->rules[0].rows, 2);
  ASSERT_EQ(result->rules[0].samples.size(), 2u);
  EXPECT_EQ(result->rules[0].samples[0].line, 2);
  EXPECT_EQ(result->rules[0].samples[1].value, "worse");
}

TEST_F(IngestTest, TooManyQuarantinedCommitsNothingAndKeepsTheReasons) {
  source_.contract.max_quarantined = {0.05, 1, std::nullopt};
  const auto result = Ingest(Request({Put("a.csv", std::string(kHeader) + "ORD1,bad,1,1\nORD2,2024-01-01,1,1\n")}), Env());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "too-many-quarantined");
  EXPECT_EQ(ObjectsIn("bronze/"), 0u);
  EXPECT_EQ(ObjectsIn("quarantine/"), 0u);
  const auto kept = connection_->Rows("SELECT record FROM read_parquet('" + lake_->Uri(RefusedKey(Batch(1))) + "')");
  ASSERT_TRUE(kept) << kept.error().ToString();
  ASSERT_EQ(kept->size(), 1u);
  EXPECT_EQ(kept->at(0).at(0), "ORD1,bad,1,1");
}

TEST_F(IngestTest, FewRecordsAreNotMeasuredByTheShare) {
  source_.contract.max_quarantined = {0.05, 100, std::nullopt};
  EXPECT_TRUE(Ingest(Request({Put("a.csv", std::string(kHeader) + "ORD1,bad,1,1\n")}), Env()));
}

TEST_F(IngestTest, OnViolationFailStopsTheBatch) {
  source_.contract.on_violation = contract::OnViolation::kFail;
  const auto result = Ingest(Request({Put("a.csv", std::string(kHeader) + "ORD1,bad,1,1\n")}), Env());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "contract-violated");
  EXPECT_NE(result.error().message.find("a.csv:2: placed \"bad\""), std::string::npos) << result.error().message;
}

TEST_F(IngestTest, WarningsKeepTheRow) {
  source_.contract.columns[0].on_fail = contract::OnFail::kWarn;
  const auto result = Ingest(Request({Put("a.csv", std::string(kHeader) + "X,2024-01-01,1,1\n")}), Env());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->total.written, 1);
  EXPECT_EQ(result->total.warned, 1);
  EXPECT_TRUE(result->rules.at(0).warn);
}

TEST_F(IngestTest, UniqueKeepsTheFirstDropsCopiesRefusesOthers) {
  source_.contract.unique = {"order_id"};
  const auto result =
      Ingest(Request({Put("a.csv", std::string(kHeader) + "ORD1,2024-01-01,1.0,1\nORD2,2024-01-01,1,1\nORD1,2024-01-01,1.00,1\n"),
                      Put("b.csv", std::string(kHeader) + "ORD2,2024-01-01,2,1\n")}),
             Env());
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(result->total.written, 2);
  EXPECT_EQ(result->total.deduplicated, 1);
  EXPECT_EQ(result->total.quarantined, 1);
  EXPECT_EQ(Rows(result->quarantine, "file, \"row\", violations[1].rule"), (Lines{"b.csv|1|unique"}));
}

TEST_F(IngestTest, DeduplicateKeepsTheLatest) {
  source_.deduplicate = {{"order_id"}, {"placed"}};
  source_.contract.unique = {"order_id"};
  const auto result =
      Ingest(Request({Put("a.csv", std::string(kHeader) + "ORD1,2024-01-02,1,1\nORD1,2024-01-01,2,1\nORD2,,3,1\nORD2,bad,4,1\n"),
                      Put("b.csv", std::string(kHeader) + "ORD2,,5,1\nORD3,2024-01-01,6,1\n")}),
             Env());
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(Rows(result->bronze, "order_id, amount, _file, _row"), (Lines{"ORD1|1.00|a.csv|1", "ORD2|5.00|b.csv|1", "ORD3|6.00|b.csv|2"}));
  EXPECT_EQ(result->total.deduplicated, 2);
  EXPECT_EQ(result->total.quarantined, 1);
}

TEST_F(IngestTest, DeduplicateGivesTheSameWhenItSpills) {
  source_.deduplicate = {{"order_id"}, {"quantity"}};
  std::string text = kHeader;
  for (int i = 0; i < 60000; ++i) text += "ORD" + std::to_string(i * 7919 % 5000) + ",2024-01-01,1," + std::to_string(i) + "\n";
  auto environment = Env();
  environment.budget.memory_bytes = 4 << 20;
  const auto result = Ingest(Request({Put("a.csv", text)}), environment);
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(result->total.written, 5000);
  EXPECT_EQ(result->total.deduplicated, 55000);
  EXPECT_EQ(Rows(result->bronze, "min(quantity), max(quantity), count(DISTINCT order_id)"), (Lines{"55000|59999|5000"}));
  EXPECT_TRUE(std::filesystem::is_empty(root_ + "/scratch"));
}

TEST_F(IngestTest, SqlRulesAndWhereHoldPerRow) {
  contract::SqlRule rule;
  rule.name = "paid";
  rule.predicate = "amount * quantity < 100";
  source_.contract.rules = {rule};
  source_.contract.columns[2].rule_where = "quantity > 0";
  const auto result =
      Ingest(Request({Put("a.csv", std::string(kHeader) + "ORD1,2024-01-01,60,2\nORD2,2024-01-01,-5,0\nORD3,2024-01-01,-5,1\nORD4,,,1\n")}),
             Env());
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(Rows(result->bronze, "order_id"), (Lines{"ORD2", "ORD4"}));
  EXPECT_EQ(Rows(result->quarantine, "\"row\", violations[1].rule"), (Lines{"1|paid", "3|min"}));
  source_.contract.rules[0].predicate = "no_such_column > 1";
  const auto bad = Ingest(Request({Put("a.csv", kHeader)}), Env());
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, "bad-rule");
}

TEST_F(IngestTest, NewColumnsEvolveAreIgnoredOrRefuse) {
  const std::string text = "order_id,Extra,placed,amount,quantity\nORD1,x,2024-01-01,1,1\nORD2,,2024-01-01,1,1\n";
  auto evolved = Ingest(Request({Put("a.csv", text)}), Env());
  ASSERT_TRUE(evolved) << evolved.error().ToString();
  EXPECT_EQ(Rows(evolved->bronze, "order_id, Extra"), (Lines{"ORD1|x", "ORD2|-"}));
  source_.contract.on_new_column = contract::OnNewColumn::kFreeze;
  auto frozen = Ingest(Request({Put("a.csv", text)}, 2), Env());
  ASSERT_TRUE(frozen);
  EXPECT_EQ(frozen->bronze.schema.Find("Extra"), nullptr);
  EXPECT_EQ(frozen->total.written, 2);
  source_.contract.on_new_column = contract::OnNewColumn::kQuarantine;
  auto refused = Ingest(Request({Put("a.csv", text)}, 3), Env());
  ASSERT_TRUE(refused);
  EXPECT_EQ(Rows(refused->quarantine, "\"row\", violations[1].rule, violations[1].value"), (Lines{"1|new_column|x"}));
}

TEST_F(IngestTest, MissingColumnsFailOrAreNull) {
  const InputFile file = Put("a.csv", "quantity,order_id,placed\n1,ORD1,2024-01-01\n");
  const auto failed = Ingest(Request({file}), Env());
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, "missing-column");
  source_.contract.on_missing_column = contract::OnMissingColumn::kNull;
  source_.contract.columns[2].default_value = "9.99";
  const auto filled = Ingest(Request({file}), Env());
  ASSERT_TRUE(filled) << filled.error().ToString();
  EXPECT_EQ(Rows(filled->bronze, "order_id, amount, quantity"), (Lines{"ORD1|9.99|1"}));
}

TEST_F(IngestTest, WidensATypeThatGrew) {
  source_.contract.on_type_change = contract::OnTypeChange::kWiden;
  const auto result =
      Ingest(Request({Put("a.csv", std::string(kHeader) + "ORD1,2024-01-01,12345678901.005,3000000000\nORD2,2024-01-01,x,1\n")}), Env());
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(Rows(result->bronze, "amount, quantity, typeof(amount), typeof(quantity)"),
            (Lines{"12345678901.005|3000000000|DECIMAL(14,3)|BIGINT"}));
  EXPECT_EQ(result->total.quarantined, 1);
}

TEST_F(IngestTest, SeveralThreadsGiveTheSameRows) {
  std::string text = kHeader;
  for (int i = 0; i < 700000; ++i)
    text += "ORD" + std::to_string(i) + ",2024-01-01," + (i % 1000 == 0 ? "bad" : "1.25") + "," + std::to_string(i % 7) + "\n";
  ASSERT_GT(text.size(), size_t{16} << 20);
  source_.contract.unique = {"order_id"};
  source_.partition_by = {"quantity"};
  const auto result = Ingest(Request({Put("a.csv", text)}), Env());
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(result->total.read, 700000);
  EXPECT_EQ(result->total.quarantined, 700);
  EXPECT_EQ(Rows(result->bronze, "count(*), count(DISTINCT order_id), sum(amount), bool_and(order_id = 'ORD' || (_row - 1))"),
            (Lines{"699300|699300|874125.00|true"}));
}

TEST_F(IngestTest, CancelStopsAndDeletesWhatWasStaged) {
  std::atomic<bool> cancel = true;
  auto environment = Env();
  environment.cancel = &cancel;
  const auto result = Ingest(Request({Put("a.csv", std::string(kHeader) + "ORD1,2024-01-01,1,1\n")}), environment);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kCancelled);
  EXPECT_EQ(ObjectsIn("bronze/"), 0u);
}

TEST_F(IngestTest, ReplayMovesWhatPassesNowExactlyOnce) {
  source_.contract.columns[0].pattern = "ORD[0-9]+";
  const auto first = Ingest(
      Request({Put("a.csv", std::string(kHeader) + "X1,2024-01-01,1,1\nORD2,2024-13-01,2,2\nORD3,\"open,3,3\nORD4,2024-01-01,4,4\n")}),
      Env());
  ASSERT_TRUE(first) << first.error().ToString();
  ASSERT_EQ(first->total.quarantined, 3);
  const delta::Snapshot bronze = Committed(first->bronze), quarantine = Committed(first->quarantine);
  source_.contract.columns[0].pattern = "[A-Z]+[0-9]+";
  ReplayRequest request;
  request.source = &source_;
  request.edits = {{"1-0-2", "ORD2,2024-12-01,2,2"}};
  request.bronze = {"bronze/orders", &bronze};
  request.quarantine = {"quarantine/orders", &quarantine};
  request.batch = Batch(2);
  const auto replayed = Replay(request, Env());
  ASSERT_TRUE(replayed) << replayed.error().ToString();
  EXPECT_EQ(replayed->selected, 3);
  EXPECT_EQ(replayed->replayed, 2);
  EXPECT_EQ(replayed->refused, 1);
  EXPECT_EQ(Rows(replayed->bronze, "order_id, placed, _file, _row, _batch_id"),
            (Lines{"ORD2|2024-12-01|a.csv|2|2", "X1|2024-01-01|a.csv|1|2"}));
  EXPECT_EQ(replayed->quarantine.removed.size(), quarantine.files.size());
  EXPECT_EQ(Rows(replayed->quarantine, "id, state, resolved_batch, _batch_id"),
            (Lines{"1-0-1|replayed|2|1", "1-0-2|replayed|2|1", "1-0-3|open|-|1"}));

  const delta::Snapshot bronze2 = Committed(replayed->bronze, &bronze), quarantine2 = Committed(replayed->quarantine, &quarantine);
  request.edits.clear();
  request.bronze.snapshot = &bronze2;
  request.quarantine.snapshot = &quarantine2;
  request.batch = Batch(3);
  const auto again = Replay(request, Env());
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(again->selected, 1);
  EXPECT_EQ(again->replayed, 0);
  EXPECT_FALSE(again->bronze.changes());
  request.ids = {"1-0-1"};
  const auto done = Replay(request, Env());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, "no-such-quarantine-row");
}

TEST_F(IngestTest, DiscardMarksOnlyTheChosen) {
  const auto first = Ingest(Request({Put("a.csv", std::string(kHeader) + "X1,2024-01-01,1,1\nORD2,2024-13-01,2,2\n")}), Env());
  ASSERT_TRUE(first);
  const delta::Snapshot quarantine = Committed(first->quarantine);
  DiscardRequest request;
  request.where = "\"row\" = 2";
  request.quarantine = {"quarantine/orders", &quarantine};
  request.batch = Batch(2);
  const auto discarded = Discard(request, Env());
  ASSERT_TRUE(discarded) << discarded.error().ToString();
  EXPECT_EQ(Rows(discarded->quarantine, "id, state, len(violations)"), (Lines{"1-0-1|open|1", "1-0-2|discarded|1"}));
  EXPECT_FALSE(discarded->bronze.changes());
  request.where = "nonsense > 1";
  EXPECT_EQ(Discard(request, Env()).error().code, "bad-predicate");
}

TEST_F(IngestTest, ALaterBatchAddsColumnsAndRefusesOtherTypes) {
  const auto first = Ingest(Request({Put("a.csv", std::string(kHeader) + "ORD1,2024-01-01,1,1\n")}), Env());
  ASSERT_TRUE(first);
  const delta::Snapshot bronze = Committed(first->bronze);
  auto request = Request({Put("b.csv", "order_id,placed,amount,quantity,channel\nORD2,2024-01-01,1,1,web\n")}, 2);
  request.bronze.snapshot = &bronze;
  const auto second = Ingest(request, Env());
  ASSERT_TRUE(second) << second.error().ToString();
  EXPECT_TRUE(second->bronze.schema_changed);
  EXPECT_EQ(second->bronze.schema.fields.back().name, "channel");
  EXPECT_EQ(Rows(second->bronze, "order_id, channel, _row"), (Lines{"ORD2|web|1"}));
  source_.contract.columns[3].type = DataType::Of(TypeKind::kString);
  const auto changed = Ingest(request, Env());
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, "column-type-changed");
  request.replaces = Replaces::kTable;
  const auto anew = Ingest(request, Env());
  ASSERT_TRUE(anew) << anew.error().ToString();
  EXPECT_TRUE(anew->bronze.overwrite);
  EXPECT_TRUE(anew->bronze.replaces_schema);
  EXPECT_EQ(anew->bronze.schema.Find("quantity")->type.ToString(), "string");
}

// Rows that are there already, in splits; each block of a few.
class MemoryRows : public sources::RowSource {
 public:
  MemoryRows(int readers, int64_t rows) : readers_(readers), rows_(rows) {}
  Result<std::vector<contract::Field>> Columns() override {
    return std::vector<contract::Field>{
        {"order_id", DataType::Of(TypeKind::kString)}, {"amount", DataType::Decimal(12, 2)}, {"note", DataType::Of(TypeKind::kBigint)}};
  }
  Result<sources::RowPlan> Plan(const std::string&) override { return sources::RowPlan{}; }
  Result<std::unique_ptr<formats::RecordReader>> Read(const sources::RowSplit& split, const formats::ReadRequest& request) override {
    if (split.part == "broken") return Fail(RetryableError("peer-lost", "the peer is gone"));
    SLUICE_TRY(auto plan, formats::PlanTyped(request, {"order_id", "amount", "note"}));
    const int now = ++open_;
    int most = most_open_;
    while (now > most && !most_open_.compare_exchange_weak(most, now)) {
    }
    return std::make_unique<Reader>(*this, std::move(plan), std::stoll(split.part));
  }
  int max_readers() const override { return readers_; }
  Result<std::string> CursorAfter() override { return "1"; }
  int most_open() const { return most_open_; }

 private:
  class Reader : public formats::RecordReader {
   public:
    Reader(MemoryRows& source, std::shared_ptr<const formats::TypedPlan> plan, int64_t split)
        : source_(source), plan_(std::move(plan)), split_(split) {}
    ~Reader() override { --source_.open_; }
    Result<std::unique_ptr<formats::RawBlock>> Next() override {
      if (at_ == source_.rows_) return std::unique_ptr<formats::RawBlock>();
      constexpr int64_t kRows = 7;
      arrow::StringBuilder ids;
      arrow::StringBuilder amounts;  // decoded as the contract says
      arrow::Int64Builder notes;
      const int64_t first = at_;
      for (; at_ < std::min(source_.rows_, first + kRows); ++at_) {
        const bool good = ids.Append("ORD" + std::to_string(split_ * 1000 + at_)).ok() &&
                          amounts.Append(at_ % 10 == 3 ? "NaN" : "1.50").ok() && notes.Append(split_).ok();
        if (!good) return Fail(BugError("out of memory"));
      }
      const auto schema = arrow::schema(
          {arrow::field("order_id", arrow::utf8()), arrow::field("amount", arrow::utf8()), arrow::field("note", arrow::int64())});
      return formats::TypedRows(arrow::RecordBatch::Make(schema, at_ - first, {*ids.Finish(), *amounts.Finish(), *notes.Finish()}), plan_,
                                source_.next_row_.fetch_add(at_ - first) + 1);
    }

   private:
    MemoryRows& source_;
    std::shared_ptr<const formats::TypedPlan> plan_;
    int64_t split_, at_ = 0;
  };

  const int readers_;
  const int64_t rows_;
  std::atomic<int> open_ = 0, most_open_ = 0;
  std::atomic<int64_t> next_row_ = 0;
};

class RowsTest : public IngestTest {
 protected:
  void SetUp() override {
    IngestTest::SetUp();
    source_.contract.columns = {Column("order_id", DataType::Of(TypeKind::kString)), Column("amount", DataType::Decimal(12, 2))};
  }
  // The fixture's numbers are for one thread.
  Environment Threaded() {
    Environment environment = Env();
    environment.random = &SystemRandom();
    return environment;
  }
  IngestRequest RequestOf(sources::RowSource& rows, std::vector<std::string> parts) {
    IngestRequest request = Request({});
    request.rows = RowInput{&rows, {}};
    for (std::string& part : parts) request.rows->splits.push_back({"public.orders", std::move(part), 64 << 20});
    return request;
  }
};

TEST_F(RowsTest, ReadsEachSplitByAThreadOfItsOwnAndCountsEveryRow) {
  MemoryRows rows(4, 100);
  Environment environment = Threaded();
  environment.input = nullptr;
  environment.budget.threads = 3;
  const auto result = Ingest(RequestOf(rows, {"0", "1", "2", "3", "4", "5"}), environment);
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(result->total.read, 600);
  EXPECT_EQ(result->total.quarantined, 60);
  EXPECT_LE(rows.most_open(), 3);
  EXPECT_EQ(Rows(result->bronze, "count(DISTINCT order_id), count(DISTINCT _row), min(_file), max(note), typeof(any_value(note))"),
            (Lines{"540|540|public.orders|5|BIGINT"}));
  EXPECT_EQ(Rows(result->quarantine, "count(DISTINCT id), min(violations[1].rule), min(violations[1].value), min(file)"),
            (Lines{"60|type|NaN|public.orders"}));
}

TEST_F(RowsTest, ReadsInOrderWhereTheFirstOfAKeyStays) {
  MemoryRows rows(4, 100);
  source_.contract.unique = {"note"};
  source_.contract.columns.push_back(Column("note", DataType::Of(TypeKind::kBigint)));
  source_.contract.columns[0].type = DataType::Of(TypeKind::kString);
  Environment environment = Threaded();
  environment.budget.threads = 3;
  const auto result = Ingest(RequestOf(rows, {"2", "0", "1"}), environment);
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(rows.most_open(), 1);
  EXPECT_EQ(Rows(result->bronze, "order_id, _row"), (Lines{"ORD0|101", "ORD1000|201", "ORD2000|1"}));
}

TEST_F(RowsTest, LeavesNothingBehindWhereOneSplitFails) {
  MemoryRows rows(4, 100);
  const auto result = Ingest(RequestOf(rows, {"0", "1", "broken", "3"}), Threaded());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "peer-lost");
  EXPECT_EQ(ObjectsIn("bronze/orders"), 0);
  EXPECT_EQ(ObjectsIn("quarantine/orders"), 0);
}

}  // namespace
}  // namespace sluice::ingest
