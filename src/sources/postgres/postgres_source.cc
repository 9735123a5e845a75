#include "sources/postgres/postgres_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <set>

#include "core/text.h"
#include "sources/postgres/catalog.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/cursor.h"
#include "sources/postgres/reader.h"

namespace sluice::sources::postgres {
namespace {

constexpr int64_t kSplitBytes = 32LL << 20;  // of a table's heap, about
constexpr int64_t kMostSplits = 1024;

using SteadyTime = std::chrono::steady_clock::time_point;

bool IsTime(Wire wire) { return wire == Wire::kDate || wire == Wire::kTimestamp || wire == Wire::kTimestampTz; }
bool IsNumber(Wire wire) {
  return wire == Wire::kInt2 || wire == Wire::kInt4 || wire == Wire::kInt8 || wire == Wire::kDecimal || wire == Wire::kNumeric;
}

class PostgresSource : public RowSource {
 public:
  PostgresSource(Settings settings, RowsRead read, const std::atomic<bool>* cancel)
      : settings_(std::move(settings)), read_(std::move(read)), cancel_(cancel) {}

  Result<std::vector<contract::Field>> Columns() override {
    SLUICE_CHECK(Begin());
    std::vector<contract::Field> fields;
    for (const Column& column : columns_) fields.push_back({column.name, ContractTypeOf(column.type), true, {}});
    return fields;
  }

  Result<RowPlan> Plan(const std::string& cursor) override {
    SLUICE_CHECK(Begin());
    next_row_ = 0;
    return read_.incremental ? PlanIncrement(cursor) : PlanSnapshot();
  }

  Result<std::unique_ptr<formats::RecordReader>> Read(const RowSplit& split, const formats::ReadRequest& request) override {
    SLUICE_TRY(auto connection, TakeConnection());
    ReadPlan plan;
    plan.columns = columns_;
    plan.sql = Select(split.part);
    plan.next_row = &next_row_;
    if (sees_transactions_) plan.see = [this](uint32_t xmin) { See(xmin); };
    plan.still_allowed = [this] { return CheckAge(); };
    plan.give_back = [this](std::unique_ptr<Connection> one) { GiveBack(std::move(one)); };
    return OpenReader(std::move(connection), std::move(plan), request);
  }

  int max_readers() const override { return std::max(1, settings_.max_connections - 1); }  // one holds the snapshot

  Result<std::string> CursorAfter() override {
    if (!read_.incremental) return "null";
    const std::lock_guard lock(mutex_);
    return ToJson(Advance(before_, sight_, seen_));
  }

 private:
  // ---- The snapshot that all of it is read in

  // Connects and opens the transaction; once.
  Status Begin() {
    if (leader_ != nullptr) return Ok();
    auto connection = Connection::Open(settings_, cancel_);
    if (!connection) return Fail(std::move(connection).error());
    leader_ = std::move(*connection);
    if (auto begun = BeginOn(*leader_); !begun) {
      leader_ = nullptr;
      return begun;
    }
    return Ok();
  }

  Status BeginOn(Connection& leader) {
    if (read_.incremental) SLUICE_CHECK(LookBefore(leader));
    SLUICE_CHECK(leader.Begin());
    began_ = std::chrono::steady_clock::now();
    SLUICE_TRY(const auto exported, leader.Query("SELECT pg_catalog.pg_export_snapshot()"));
    exported_ = exported.at(0).at(0).value_or("");
    return FindWhatIsRead(leader);
  }

  Status FindWhatIsRead(Connection& connection) {
    if (!read_.table.empty()) {
      SLUICE_TRY(relation_, FindRelation(connection, settings_, read_));
    }
    return FindReadColumns(connection);
  }

  // The highest value, then who is at work, both before the snapshot is taken: see Advance.
  Status LookBefore(Connection& leader) {
    SLUICE_CHECK(leader.Begin());
    SLUICE_CHECK(FindWhatIsRead(leader));
    SLUICE_CHECK(CheckCursorColumn());
    SLUICE_TRY(sight_.top, Top(leader));
    SLUICE_CHECK(leader.Query("COMMIT"));
    SLUICE_TRY(sight_.open, OpenTransactions(leader));
    return Ok();
  }

  static Result<std::vector<std::string>> OpenTransactions(Connection& leader) {
    SLUICE_TRY(const auto rows, leader.Query("SELECT virtualtransaction FROM pg_catalog.pg_locks WHERE locktype = 'virtualxid' AND pid <> "
                                             "pg_catalog.pg_backend_pid() UNION SELECT 'prepared' FROM pg_catalog.pg_prepared_xacts"));
    std::vector<std::string> open;
    for (const Row& row : rows) open.push_back(row[0].value_or(""));
    return open;
  }

  Status CheckAge() const {
    const auto age = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began_).count();
    if (age <= settings_.max_snapshot_age_micros) return Ok();
    return Fail(
        UserError("postgres-snapshot-age", fmt::format("reading {} took longer than its snapshot may be held: {} s", Name(),
                                                       settings_.max_snapshot_age_micros / 1'000'000))
            .At(read_.where)
            .Hint("raise max_snapshot_age of the connection, if the server can bear that VACUUM waits so long; or read from a replica"));
  }

  // ---- Connections

  Result<std::unique_ptr<Connection>> TakeConnection() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
      }
      if (settings_.max_connections <= 1) {
        if (leader_ == nullptr) return Fail(BugError("two splits of a source with one connection were read at a time"));
        return std::move(leader_);
      }
    }
    SLUICE_TRY(auto connection, Connection::Open(settings_, cancel_));
    SLUICE_CHECK(connection->Begin(exported_));
    return connection;
  }

  void GiveBack(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex_);
    if (leader_ == nullptr)
      leader_ = std::move(connection);
    else
      idle_.push_back(std::move(connection));
  }

  // ---- What is read

  std::string Name() const { return read_.table.empty() ? "query" : read_.table; }
  std::string From() const { return read_.table.empty() ? "(" + read_.query + "\n) AS query" : relation_.name.Quoted(); }

  Status FindReadColumns(Connection& leader) {
    SLUICE_TRY(const auto found, FindColumns(leader, "SELECT * FROM " + From()));
    columns_.clear();
    std::vector<std::string> names;
    std::set<std::string> excluded(read_.exclude.begin(), read_.exclude.end()), hashed(read_.hash.begin(), read_.hash.end());
    for (const FoundColumn& column : found) {
      names.push_back(column.name);
      if (column.name == read_.cursor) cursor_wire_ = column.type.wire;
      if (excluded.erase(column.name) > 0) continue;
      const bool hash = hashed.erase(column.name) > 0;
      columns_.push_back({column.name, hash ? WireType{Wire::kText, Ask::kText} : column.type, hash});
    }
    for (const auto& [left, key] : {std::pair(&excluded, "exclude"), std::pair(&hashed, "hash")})
      if (!left->empty()) return Fail(UnknownColumn(*left->begin(), key, names));
    if (!read_.cursor.empty() && std::find(names.begin(), names.end(), read_.cursor) == names.end())
      return Fail(UnknownColumn(read_.cursor, "cursor", names));
    if (columns_.empty())
      return Fail(UserError("postgres-no-columns", fmt::format("{} has no column to read", Name())).At(read_.where).Hint("exclude fewer"));
    return Ok();
  }

  Error UnknownColumn(const std::string& column, std::string_view key, const std::vector<std::string>& names) const {
    return UserError("unknown-column",
                     fmt::format("\"{}\" names \"{}\", which {} does not have{}", key, column, Name(), DidYouMean(column, names)))
        .At(read_.where)
        .Hint("its columns are " + Join(names, ", "));
  }

  static std::string Item(const Column& column) {
    if (!column.hashed) return SelectItem(column.name, column.type);
    return fmt::format("pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to({0}::pg_catalog.text, 'UTF8')), 'hex') AS {0}",
                       QuoteIdentifier(column.name));
  }

  // `range`: of ctid, or "".
  std::string Select(const std::string& range) const {
    std::vector<std::string> items, conditions;
    for (const Column& column : columns_) items.push_back(Item(column));
    if (sees_transactions_) items.emplace_back("xmin");
    for (const std::string& condition : {changed_, range})
      if (!condition.empty()) conditions.push_back("(" + condition + ")");
    const std::string where = conditions.empty() ? "" : " WHERE " + Join(conditions, " AND ");
    return "SELECT " + Join(items, ", ") + " FROM " + From() + where;
  }

  // ---- Plans

  Result<RowPlan> PlanSnapshot() {
    RowPlan plan;
    plan.why = "a snapshot of " + Name();
    plan.splits = Ranges();
    return plan;
  }

  // Ranges of pages; the last has no end, for a page that came after them is in no snapshot of before. All parts of a partitioned table
  // have pages of these numbers.
  std::vector<RowSplit> Ranges() const {
    const int64_t count = relation_.has_rows_of_its_own ? std::clamp<int64_t>(relation_.bytes / kSplitBytes, 1, kMostSplits) : 1;
    if (count == 1 || relation_.pages < count) return {{Name(), "", relation_.bytes}};
    std::vector<RowSplit> splits;
    for (int64_t i = 0; i < count; ++i) {
      std::string range = fmt::format("ctid >= '({},0)'", relation_.pages * i / count);
      if (i + 1 < count) range += fmt::format(" AND ctid < '({},0)'", relation_.pages * (i + 1) / count);
      splits.push_back({Name(), std::move(range), relation_.bytes / count});
    }
    return splits;
  }

  std::string Of() const {
    const std::string from = read_.table.empty() ? "query " + Hex(Hash64(read_.query)) : relation_.name.Quoted();
    return read_.cursor.empty() ? from : from + " by " + QuoteIdentifier(read_.cursor);
  }

  Status CheckCursorColumn() const {
    if (read_.cursor.empty()) return Ok();
    const bool time = IsTime(cursor_wire_);
    const std::string what = fmt::format("the cursor column \"{}\" of {}", read_.cursor, Name());
    if (!time && !IsNumber(cursor_wire_))
      return Fail(UserError("postgres-cursor-type", what + " is neither a number nor a date or timestamp")
                      .At(read_.where)
                      .Hint("name a column that grows with every change, or none: then the whole table is looked at each time"));
    if (read_.lookback != 0 && time != read_.lookback_is_time)
      return Fail(UserError("postgres-cursor-type", fmt::format("{} is a {}, and lookback is not", what, time ? "time" : "number"))
                      .At(read_.where)
                      .Hint(time ? "write lookback: 10m" : "write lookback: 1000"));
    return Ok();
  }

  // The highest value of the cursor column: of times none that lies ahead, for whoever comes next may write an earlier one. A clock without
  // a zone may be anywhere, so that it counts from a day ago.
  Result<std::optional<std::string>> Top(Connection& leader) {
    if (read_.cursor.empty()) return std::nullopt;
    const std::string column = QuoteIdentifier(read_.cursor);
    std::string top = fmt::format("pg_catalog.max({})", column);
    if (cursor_wire_ == Wire::kTimestampTz) top = fmt::format("least({}, pg_catalog.now())", top);
    if (cursor_wire_ == Wire::kTimestamp) top = fmt::format("least({}, LOCALTIMESTAMP - interval '1 day')", top);
    if (cursor_wire_ == Wire::kDate) top = fmt::format("least({}, CURRENT_DATE - 2)", top);
    SLUICE_TRY(const auto rows, leader.Query(fmt::format("SELECT {}::pg_catalog.text FROM {}", top, From())));
    return rows.at(0).at(0);
  }

  Result<std::string> Server() {
    SLUICE_TRY(const auto rows, leader_->Query("SELECT system_identifier FROM pg_catalog.pg_control_system()"));
    return rows.at(0).at(0).value_or("");
  }

  std::string AboveFloor(const std::string& floor) const {
    const std::string column = QuoteIdentifier(read_.cursor), value = QuoteLiteral(floor);
    std::string least = value;
    if (cursor_wire_ == Wire::kTimestampTz) least = fmt::format("{}::timestamptz - interval '{} microseconds'", value, read_.lookback);
    if (cursor_wire_ == Wire::kTimestamp) least = fmt::format("{}::timestamp - interval '{} microseconds'", value, read_.lookback);
    if (cursor_wire_ == Wire::kDate) least = fmt::format("{}::date - {}", value, (read_.lookback + 86'399'999'999) / 86'400'000'000);
    if (IsNumber(cursor_wire_)) least = fmt::format("{} - {}", floor, read_.lookback);
    return fmt::format("({0} >= {1} OR {0} IS NULL)", column, least);
  }

  Result<RowPlan> PlanIncrement(const std::string& cursor) {
    before_.reset();
    seen_.clear();
    if (cursor != "null") {
      SLUICE_TRY(before_, ParseCursor(cursor));
      if (before_->of != Of())
        return Fail(UserError("other-cursor", fmt::format("the last batch read {}, this one would read {}", before_->of, Of()))
                        .At(read_.where)
                        .Hint("make the table anew: sluice run --full-refresh --reload-sources; or go back to what was read"));
    }
    sight_.of = Of();
    SLUICE_TRY(sight_.server, Server());
    SLUICE_TRY(const auto snapshot, leader_->Query("SELECT pg_catalog.pg_current_snapshot()"));
    SLUICE_TRY(sight_.snapshot, ParseSnapshot(snapshot.at(0).at(0).value_or("")));
    RowPlan plan;
    if (before_ && before_->server == sight_.server && before_->snapshot == sight_.snapshot.text) {
      plan.why = "nothing was committed in the database since the last batch";
      return plan;
    }
    sees_transactions_ = relation_.has_rows_of_its_own;
    SLUICE_CHECK(FindChanged(&plan));
    return plan;
  }

  Status FindChanged(RowPlan* plan) {
    changed_.clear();
    if (!before_) {
      plan->why = "all rows of " + Name() + ", the first time";
      plan->splits = Ranges();
      return Ok();
    }
    plan->why = "rows of " + Name() + " that changed";
    std::vector<std::string> conditions;
    if (before_->floor && !read_.cursor.empty()) conditions.push_back(AboveFloor(*before_->floor));
    if (sees_transactions_ && before_->server == sight_.server) {
      SLUICE_TRY(const auto written, NotTakenBefore(*before_, sight_.snapshot));
      if (written)
        conditions.push_back(*written);
      else
        plan->notes.emplace_back("more than 2,147,483,648 transactions ran since the last batch: rows that it took may come again");
    } else if (sees_transactions_) {
      plan->notes.emplace_back("this is another server than the one of the last batch: rows that it took may come again");
    }
    changed_ = Join(conditions, " AND ");
    if (before_->mark && !sight_.open.empty() && Advance(before_, sight_, {}).mark == before_->mark)
      plan->notes.emplace_back(fmt::format("transactions that were open at an earlier batch still are: rows from {} on are looked at",
                                           before_->floor.value_or("the beginning")));
    plan->splits = changed_.empty() ? Ranges() : std::vector<RowSplit>{{Name(), "", 0}};
    return Ok();
  }

  // A transaction whose number is of the last snapshot's own time is kept: its neighbours may still be open.
  void See(uint32_t xmin) {
    const int64_t whole = WholeTransaction(xmin, sight_.snapshot);
    if (whole < sight_.snapshot.xmin) return;
    const std::lock_guard lock(mutex_);
    seen_.insert(whole);
  }

  const Settings settings_;
  const RowsRead read_;
  const std::atomic<bool>* cancel_;
  std::unique_ptr<Connection> leader_;  // holds the snapshot; where there is only one connection, a reader has it meanwhile
  SteadyTime began_;
  std::string exported_;
  Relation relation_;
  std::vector<Column> columns_;
  Wire cursor_wire_ = Wire::kText;
  std::string changed_;             // SQL: which rows are taken
  bool sees_transactions_ = false;  // xmin is read with each row
  std::optional<Cursor> before_;
  Sight sight_;
  std::atomic<int64_t> next_row_ = 0;
  std::mutex mutex_;  // of what follows, and leader_ while splits are read
  std::vector<std::unique_ptr<Connection>> idle_;
  std::set<int64_t> seen_;
};

}  // namespace

Result<std::unique_ptr<RowSource>> OpenPostgresSource(const SourceSpec& spec) {
  return std::make_unique<PostgresSource>(spec.postgres, spec.rows, spec.cancel);
}

Result<std::vector<TableSummary>> ListTables(const Settings& settings, const std::atomic<bool>* cancel) {
  SLUICE_TRY(const auto connection, Connection::Open(settings, cancel));
  SLUICE_TRY(const auto rows,
             connection->Query(
                 "SELECT n.nspname || '.' || c.relname, CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' "
                 "WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END, CASE WHEN c.relkind IN ('r', 'm') "
                 "THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END, greatest(c.reltuples, 0)::int8 FROM pg_catalog.pg_class c JOIN "
                 "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT "
                 "c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND "
                 "n.nspname NOT LIKE 'pg\\_temp%' AND pg_catalog.has_table_privilege(c.oid, 'SELECT') ORDER BY 1"));
  std::vector<TableSummary> tables;
  for (const Row& row : rows)
    tables.push_back({row[0].value_or(""), row[1].value_or(""), std::stoll(row[2].value_or("0")), std::stoll(row[3].value_or("0"))});
  return tables;
}

}  // namespace sluice::sources::postgres
