#include "sources/postgres/postgres_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "core/text.h"
#include "formats/typed_rows.h"
#include "sources/postgres/catalog.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/cursor.h"
#include "sources/postgres/reader.h"

namespace sluice::sources::postgres {
namespace {

constexpr int64_t kSplitBytes = 32LL << 20;  // of a table's heap, about
constexpr int64_t kMostSplits = 1024;
constexpr const char* kFullLoad = R"({"load":"full"})";  // what stands for the cursor of a snapshot
constexpr int64_t kDayMicros = 86'400'000'000;

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
    std::map<std::string, std::string> seen;  // by how tables tell them apart
    for (const Column& column : columns_)
      if (const auto [at, is_new] = seen.emplace(ToLower(column.name), column.name); !is_new) return Fail(Twins(at->second, column.name));
    for (const Column& column : columns_) fields.push_back({column.name, ContractTypeOf(column.type), true, {}});
    return fields;
  }

  Result<RowPlan> Plan(const std::string& cursor) override {
    SLUICE_CHECK(CheckLoad(cursor));
    before_.reset();
    if (read_.incremental && cursor != "null") {
      SLUICE_TRY(before_, ParseCursor(cursor));
    }
    SLUICE_CHECK(Begin());
    next_row_ = 0;
    return read_.incremental ? PlanIncrement() : PlanSnapshot();
  }

  Result<std::unique_ptr<formats::RecordReader>> Read(const RowSplit& split, const formats::ReadRequest& request) override {
    SLUICE_TRY(auto connection, TakeConnection());
    ReadPlan plan;
    SLUICE_TRY(plan.columns, ColumnsFor(request));
    plan.sql = Select(plan.columns, split.part);
    plan.next_row = &next_row_;
    if (sees_transactions_) plan.see = [this](uint32_t xmin) { See(xmin); };
    plan.still_allowed = [this] { return CheckAge(); };
    plan.give_back = [this](std::unique_ptr<Connection> one) { GiveBack(std::move(one)); };
    return OpenReader(std::move(connection), std::move(plan), request);
  }

  int max_readers() const override { return std::max(1, settings_.max_connections - 1); }  // one holds the snapshot

  Result<std::string> CursorAfter() override {
    if (!read_.incremental) return kFullLoad;
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
    leader_->PointAt(read_.where);
    if (auto begun = BeginOn(*leader_); !begun) {
      leader_ = nullptr;
      return begun;
    }
    return Ok();
  }

  Status BeginOn(Connection& leader) {
    began_ = SteadyMicros();
    leader.EndBy(EndOfAge(), TooOld());
    if (read_.incremental) SLUICE_CHECK(LookBefore(leader));
    began_ = SteadyMicros();
    leader.EndBy(EndOfAge(), TooOld());
    SLUICE_CHECK(leader.Begin());
    SLUICE_TRY(const auto exported, leader.Query("SELECT pg_catalog.pg_export_snapshot()"));
    exported_ = exported.at(0).at(0).value_or("");
    SLUICE_CHECK(FindWhatIsRead(leader));
    return Hold(leader);
  }

  // Locks all that is read, parts of tables and tables behind views too, against TRUNCATE and ALTER TABLE. What was emptied or rewritten
  // between the snapshot and the lock has files that no snapshot of before sees rows in: it is read anew. An index that came meanwhile
  // is no such thing.
  Status Hold(Connection& connection) const {
    SLUICE_CHECK(connection.Query("EXPLAIN " + Select(columns_, "")));
    SLUICE_TRY(const auto rewritten,
               connection.Query(
                   "SELECT l.relation::pg_catalog.regclass::pg_catalog.text FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_class c ON "
                   "c.oid = l.relation WHERE l.locktype = 'relation' AND l.pid = pg_catalog.pg_backend_pid() AND l.database <> 0 AND "
                   "CASE WHEN c.oid IS NULL THEN pg_catalog.pg_get_indexdef(l.relation) IS NULL ELSE c.relkind IN ('r', 'm') AND "
                   "c.relfilenode <> 0 AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid) END ORDER BY 1 LIMIT 1"));
    if (rewritten.empty()) return Ok();
    return Fail(RetryableError("postgres-rewritten", fmt::format("{} was emptied or rewritten while the read of {} began",
                                                                 rewritten[0][0].value_or("a table"), Name()))
                    .At(read_.where));
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
    SLUICE_TRY(const bool idle, IsAsBefore(leader));
    if (!idle) {
      SLUICE_TRY(sight_.top, Top(leader));
    }
    SLUICE_CHECK(leader.Query("COMMIT"));
    SLUICE_TRY(sight_.open, OpenTransactions(leader));
    return Ok();
  }

  // Was nothing committed since the last batch? Then the highest value, which may cost a scan, is not looked up. If something is until the
  // snapshot is taken, the floor stays where it is.
  Result<bool> IsAsBefore(Connection& leader) const {
    if (!relation_.has_rows_of_its_own || !before_) return false;
    SLUICE_TRY(const auto rows, leader.Query("SELECT pg_catalog.pg_current_snapshot(), pg_catalog.pg_is_in_recovery()"));
    return rows.at(0).at(0) == before_->snapshot && rows.at(0).at(1) == "f";
  }

  static Result<std::vector<std::string>> OpenTransactions(Connection& leader) {
    SLUICE_TRY(const auto rows, leader.Query("SELECT virtualtransaction FROM pg_catalog.pg_locks WHERE locktype = 'virtualxid' AND pid <> "
                                             "pg_catalog.pg_backend_pid() UNION SELECT 'prepared' FROM pg_catalog.pg_prepared_xacts"));
    std::vector<std::string> open;
    for (const Row& row : rows) open.push_back(row[0].value_or(""));
    return open;
  }

  int64_t EndOfAge() const { return began_ + settings_.max_snapshot_age_micros; }
  Status CheckAge() const { return SteadyMicros() <= EndOfAge() ? Ok() : Fail(TooOld()); }

  Error TooOld() const {
    return UserError("postgres-snapshot-age", fmt::format("reading {} took longer than its snapshot may be held: {} s", Name(),
                                                          settings_.max_snapshot_age_micros / 1'000'000))
        .At(read_.where)
        .Hint("raise max_snapshot_age of the connection, if the server can bear that VACUUM waits so long; or read from a replica");
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
    connection->PointAt(read_.where);
    connection->EndBy(EndOfAge(), TooOld());
    SLUICE_CHECK(connection->Begin(exported_));
    SLUICE_CHECK(Hold(*connection));
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
    SLUICE_CHECK(RefuseTwins());
    for (const auto& [left, key] : {std::pair(&excluded, "exclude"), std::pair(&hashed, "hash")})
      if (!left->empty()) return Fail(UnknownColumn(*left->begin(), key, names));
    if (!read_.cursor.empty() && std::find(names.begin(), names.end(), read_.cursor) == names.end())
      return Fail(UnknownColumn(read_.cursor, "cursor", names));
    if (columns_.empty())
      return Fail(UserError("postgres-no-columns", fmt::format("{} has no column to read", Name())).At(read_.where).Hint("exclude fewer"));
    return Ok();
  }

  // Two columns of one name, as queries may have them, cannot be told apart.
  Status RefuseTwins() const {
    std::set<std::string> seen;
    for (const Column& column : columns_)
      if (!seen.insert(column.name).second) return Fail(Twins(column.name, column.name));
    return Ok();
  }
  Error Twins(const std::string& one, const std::string& other) const {
    return UserError("duplicate-column",
                     fmt::format("{} has the columns \"{}\" and \"{}\", which a table cannot tell apart", Name(), one, other))
        .At(read_.where)
        .Hint(one == other ? "give one of them another name in the query"
                           : "leave one out: exclude; or give it another name in the contract, with from");
  }

  Error UnknownColumn(const std::string& column, std::string_view key, const std::vector<std::string>& names) const {
    return UserError("unknown-column",
                     fmt::format("\"{}\" names \"{}\", which {} does not have{}", key, column, Name(), DidYouMean(column, names)))
        .At(read_.where)
        .Hint("its columns are " + Join(names, ", "));
  }

  static std::string Item(const Column& column) {
    if (!column.hashed) return SelectItem(column.name, column.type);
    return fmt::format(
        "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to({0}::pg_catalog.text, CASE "
        "pg_catalog.getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END)), 'hex') AS {0}",
        QuoteIdentifier(column.name));
  }

  // What the contract wants as text comes as text.
  Result<std::vector<Column>> ColumnsFor(const formats::ReadRequest& request) const {
    std::vector<std::string> names;
    for (const Column& column : columns_) names.push_back(column.name);
    SLUICE_TRY(const auto typed, formats::PlanTyped(request, names));
    std::vector<Column> columns = columns_;
    for (const auto& planned : typed->columns.columns) {
      if (planned.file_column < 0) continue;
      const contract::DataType* wanted = &planned.field.type;
      if (wanted->kind == contract::TypeKind::kList) wanted = &wanted->children[0].type;
      WireType& type = columns[static_cast<size_t>(planned.file_column)].type;
      if (wanted->kind == contract::TypeKind::kString) type = AsTexts(type);
    }
    return columns;
  }

  // `range`: of ctid, or "".
  std::string Select(const std::vector<Column>& columns, const std::string& range) const {
    std::vector<std::string> items, conditions;
    for (const Column& column : columns) items.push_back(Item(column));
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
    // Before version 14 a range of pages costs a look at all.
    const bool ranges = relation_.has_rows_of_its_own && leader_->ServerVersion() >= 140000;
    const int64_t count = ranges ? std::clamp<int64_t>(relation_.bytes / kSplitBytes, 1, kMostSplits) : 1;
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
    if (read_.lookback > 0 && time != read_.lookback_is_time)
      return Fail(UserError("postgres-cursor-type", fmt::format("{} is a {}, and lookback is not", what, time ? "time" : "number"))
                      .At(read_.where)
                      .Hint(time ? "write lookback: 10m" : "write lookback: 1000"));
    return Ok();
  }

  // The highest value of the cursor column that the floor may follow: of times none that lies ahead, for whoever comes next may write an
  // earlier one, and never the clock's own time, below which lie those that are cut to seconds. A clock without a zone may be anywhere,
  // so that it counts from a day ago. NaN and infinity stand above all numbers.
  Result<std::optional<std::string>> Top(Connection& leader) {
    if (read_.cursor.empty()) return std::nullopt;
    const std::string column = QuoteIdentifier(read_.cursor);
    std::string within;
    if (cursor_wire_ == Wire::kTimestampTz) within = " <= pg_catalog.now()";
    if (cursor_wire_ == Wire::kTimestamp) within = " <= LOCALTIMESTAMP - interval '1 day'";
    if (cursor_wire_ == Wire::kDate) within = " <= CURRENT_DATE - 2";
    if (cursor_wire_ == Wire::kDecimal || cursor_wire_ == Wire::kNumeric)
      within = leader.ServerVersion() >= 140000 ? " < 'Infinity'::pg_catalog.numeric" : " < 'NaN'::pg_catalog.numeric";
    const std::string where = within.empty() ? "" : " WHERE " + column + within;
    SLUICE_TRY(const auto rows, leader.Query(fmt::format("SELECT pg_catalog.max({})::pg_catalog.text FROM {}{}", column, From(), where)));
    std::optional<std::string> top = rows.at(0).at(0);
    if (top && top->find("nfinity") != std::string::npos) top.reset();
    return top;
  }

  // Whose transaction numbers and values these are: the cluster, its history (a promotion or a restore begins another), the database.
  Result<std::string> Server() {
    SLUICE_TRY(const auto rows,
               leader_->Query(
                   "SELECT s.system_identifier, d.oid, CASE WHEN pg_catalog.pg_is_in_recovery() THEN greatest(c.timeline_id, "
                   "r.min_recovery_end_timeline)::pg_catalog.text ELSE pg_catalog.ltrim(pg_catalog.left(pg_catalog.pg_walfile_name("
                   "CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE pg_catalog.pg_current_wal_lsn() END), 8), '0') END, d.datname, "
                   "pg_catalog.pg_is_in_recovery() FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c, "
                   "pg_catalog.pg_control_recovery() r, pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()"));
    const Row& row = rows.at(0);
    recovers_ = row.at(4) == "t";
    return fmt::format("system {}, timeline {}, database {} ({})", row[0].value_or(""), row[2].value_or(""), row[3].value_or(""),
                       row[1].value_or(""));
  }

  // Rows of snapshots beside those of increments would be there twice.
  Status CheckLoad(const std::string& cursor) const {
    if (cursor == "null" || (cursor == kFullLoad) != read_.incremental) return Ok();
    return Fail(UserError("other-cursor", read_.incremental ? "the last batch was of load: full, this one would be of load: incremental"
                                                            : "the last batch was of load: incremental, this one would be of load: full")
                    .At(read_.where)
                    .Hint("make the table anew: sluice run --full-refresh --reload-sources; or go back to what was written"));
  }

  // A cursor is of one table of one database and its one history: elsewhere, rows would be taken for known that never came.
  Status CheckCursor() const {
    const auto other = [&](const std::string& was, const std::string& is) {
      return Fail(UserError("other-cursor", fmt::format("the last batch read {}, this one would read {}", was, is))
                      .At(read_.where)
                      .Hint("make the table anew: sluice run --full-refresh --reload-sources; or go back to what was read"));
    };
    if (before_->of != Of()) return other(before_->of, Of());
    if (before_->server != sight_.server) return other(before_->server, sight_.server);
    SLUICE_TRY(const Snapshot before, ParseSnapshot(before_->snapshot));
    if (sight_.snapshot.xmax >= before.xmin) return Ok();
    return other(fmt::format("up to transaction {}", before.xmin),
                 fmt::format("a database whose newest is {}: a copy of before, or a replica that lags behind", sight_.snapshot.xmax));
  }

  // Where none is written, one for times: applications' clocks are not the server's.
  int64_t Lookback() const {
    if (read_.lookback >= 0) return read_.lookback;
    if (cursor_wire_ == Wire::kDate) return kDayMicros;
    return IsTime(cursor_wire_) ? 600'000'000 : 0;
  }

  std::string AboveFloor(const std::string& floor) const {
    const std::string column = QuoteIdentifier(read_.cursor), value = QuoteLiteral(floor);
    std::string least = value;
    if (cursor_wire_ == Wire::kTimestampTz) least = fmt::format("{}::timestamptz - interval '{} microseconds'", value, Lookback());
    if (cursor_wire_ == Wire::kTimestamp) least = fmt::format("{}::timestamp - interval '{} microseconds'", value, Lookback());
    if (cursor_wire_ == Wire::kDate) least = fmt::format("{}::date - {}", value, (Lookback() + kDayMicros - 1) / kDayMicros);
    if (IsNumber(cursor_wire_)) {
      const bool exact = cursor_wire_ == Wire::kDecimal || cursor_wire_ == Wire::kNumeric;
      least = fmt::format("{}::pg_catalog.{} - {}", value, exact ? "numeric" : "int8", Lookback());
    }
    return fmt::format("({0} >= {1} OR {0} IS NULL)", column, least);
  }

  Result<RowPlan> PlanIncrement() {
    seen_.clear();
    sight_.of = Of();
    SLUICE_TRY(sight_.server, Server());
    SLUICE_TRY(const auto snapshot, leader_->Query("SELECT pg_catalog.pg_current_snapshot()"));
    SLUICE_TRY(sight_.snapshot, ParseSnapshot(snapshot.at(0).at(0).value_or("")));
    if (before_) SLUICE_CHECK(CheckCursor());
    RowPlan plan;
    // Rows of other servers and of functions come without a transaction here; a replica's snapshot does not tell all that was committed.
    const bool snapshot_tells = relation_.has_rows_of_its_own && !recovers_;
    if (before_ && snapshot_tells && before_->snapshot == sight_.snapshot.text) {
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
    if (sees_transactions_) {
      SLUICE_TRY(const auto written, NotTakenBefore(*before_, sight_.snapshot));
      if (written)
        conditions.push_back(*written);
      else
        plan->notes.emplace_back(
            "too many transactions ran since the last batch for rows' numbers to tell: rows that it took may come again");
      if (written && !before_->floor && sight_.snapshot.xmax >= kNumbersOfRows)
        plan->notes.emplace_back(
            "rows hold 32 bits of their transactions' numbers, which began anew: old rows may come again; a cursor bounds it");
    }
    changed_ = Join(conditions, " AND ");
    if (before_->taken.size() >= kMostTaken)
      plan->notes.emplace_back(fmt::format("more than {} transactions ran beside one that stays open: rows may come again",
                                           FormatCount(static_cast<int64_t>(kMostTaken))));
    if (before_->mark && !sight_.open.empty() && Advance(before_, sight_, {}).mark == before_->mark)
      plan->notes.emplace_back(fmt::format("transactions that were open at an earlier batch still are: rows from {} on are looked at",
                                           before_->floor.value_or("the beginning")));
    plan->splits = changed_.empty() ? Ranges() : std::vector<RowSplit>{{Name(), "", 0}};
    return Ok();
  }

  void See(uint32_t xmin) {
    const auto one = TransactionToKeep(xmin, sight_.snapshot);
    if (!one) return;
    const std::lock_guard lock(mutex_);
    seen_.insert(*one);
  }

  const Settings settings_;
  const RowsRead read_;
  const std::atomic<bool>* cancel_;
  std::unique_ptr<Connection> leader_;  // holds the snapshot; where there is only one connection, a reader has it meanwhile
  int64_t began_ = 0;
  std::string exported_;
  Relation relation_;
  std::vector<Column> columns_;
  Wire cursor_wire_ = Wire::kText;
  std::string changed_;             // SQL: which rows are taken
  bool sees_transactions_ = false;  // xmin is read with each row
  bool recovers_ = false;           // the server is a replica
  std::optional<Cursor> before_;    // of the last batch
  Sight sight_;
  std::atomic<int64_t> next_row_ = 0;
  std::mutex mutex_;  // of what follows, and leader_ while splits are read
  std::vector<std::unique_ptr<Connection>> idle_;
  std::set<int64_t> seen_;
};

}  // namespace

Result<std::unique_ptr<RowSource>> OpenPostgresSource(const SourceSpec& spec) {
  return std::make_unique<PostgresSource>(std::get<Settings>(spec.peer), spec.rows, spec.cancel);
}

}  // namespace sluice::sources::postgres
