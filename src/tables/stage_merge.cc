// merge: the source's winning rows against the table's, key by key.
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "delta/json_text.h"
#include "tables/prune.h"
#include "tables/read_where.h"
#include "tables/row_change.h"
#include "tables/tombstones.h"

namespace sluice::tables {
namespace {

// -1, 0, 1 as a's sequence is below, at or above b's. NULL is the lowest.
std::string CompareSequence(const std::string& a, const std::string& b, const std::vector<std::string>& sequence) {
  std::string sql = "0";
  for (size_t i = sequence.size(); i-- > 0;) {
    const std::string x = a + "." + QuoteIdentifier(sequence[i]), y = b + "." + QuoteIdentifier(sequence[i]);
    sql = fmt::format(
        "CASE WHEN {0} IS NOT DISTINCT FROM {1} THEN {2} WHEN {0} IS NULL THEN -1 WHEN {1} IS NULL THEN 1 WHEN {0} > {1} THEN 1 ELSE -1 "
        "END",
        x, y, sql);
  }
  return sql;
}

class Merge {
 public:
  Merge(const TableTarget& target, engines::Connection& connection, const Source& source, const MergeSpec& spec,
        const StageOptions& options)
      : target_(target), connection_(connection), source_(source), spec_(spec), options_(options), temp_(connection, options) {}

  Result<StagedChange> Stage() {
    SLUICE_TRY(plan_, PlanTable(target_, Freedom::kEvolve, options_));
    SLUICE_CHECK(ResolveColumns());
    SLUICE_CHECK(ReadSource());
    SLUICE_CHECK(PickWinners());
    SLUICE_CHECK(MatchTable());
    SLUICE_CHECK(MatchTombstones());
    SLUICE_CHECK(CheckHits());
    SLUICE_CHECK(FindMissing());
    SLUICE_CHECK(Count());
    if (counts_.added + counts_.changed + counts_.deleted + fresh_tombstones_ == 0 && plan_.widened.empty() && !plan_.schema_changed)
      return NoChange(plan_, counts_);
    return Write();
  }

 private:
  Status ResolveColumns() {
    columns_ = plan_.InputColumns();
    if (spec_.key.empty()) return Fail(UserError("missing-key", fmt::format("{}: a merge needs a key", target_.name)));
    SLUICE_TRY(key_, KnownColumns(plan_.schema, spec_.key, "merge key"));
    SLUICE_TRY(sequence_, KnownColumns(plan_.schema, spec_.sequence_by, "sequence_by"));
    SLUICE_TRY(updated_, KnownColumns(plan_.schema, spec_.update, "update"));
    if (updated_.empty()) {
      updated_ = columns_;
    } else {
      for (const std::string& name : columns_)
        if (Has(sequence_, name) || contract::IsMetadataColumn(name)) updated_.push_back(name);
    }
    for (const std::string& name : columns_)
      if (!contract::IsMetadataColumn(name) && !Has(key_, name)) compared_.push_back(name);
    return Ok();
  }

  static bool Has(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  Status ReadSource() {
    SLUICE_CHECK(CheckBrought(target_, plan_, connection_, source_));
    for (const std::string& later : spec_.later) SLUICE_CHECK(CheckBrought(target_, plan_, connection_, {later, source_.params}));
    SLUICE_CHECK(CreateSource());
    SLUICE_TRY(counts_.read, temp_.Count("FROM " + temp_.Name("src")));
    return CheckKeys(connection_, target_, key_, temp_.Name("src"));
  }

  // `src`: all arrivals, numbered. What the table has came before any of them.
  Status CreateSource() {
    const auto numbered = [&](const std::string& sql, size_t arrival) {
      return fmt::format("SELECT *, {} AS __arrival FROM ({})", arrival, TypedSource({sql, {}}, plan_.schema, columns_, spec_.delete_when));
    };
    SLUICE_CHECK(temp_.Create("src", numbered(source_.sql, 0), source_.params));
    for (size_t i = 0; i < spec_.later.size(); ++i) SLUICE_CHECK(temp_.Insert("src", numbered(spec_.later[i], i + 1), source_.params));
    return Ok();
  }

  // Of several rows with one key the last arrival wins, of one arrival the highest sequence; `win` has one row for each key.
  Status PickWinners() {
    const std::string src = temp_.Name("src"), key = Columns("", key_);
    SLUICE_CHECK(temp_.Create("dup", fmt::format("SELECT {0} FROM {1} GROUP BY {0} HAVING count(*) > 1", key, src)));
    SLUICE_TRY(const int64_t duplicated, temp_.Count("FROM " + temp_.Name("dup")));
    win_ = src;
    if (duplicated == 0) return Ok();
    std::vector<std::string> order = {"__arrival DESC"};
    for (const std::string& name : sequence_) order.push_back(QuoteIdentifier(name) + " DESC NULLS LAST");
    SLUICE_CHECK(temp_.Create(
        "tied", fmt::format("SELECT s.* FROM {} s SEMI JOIN {} d USING ({}) QUALIFY rank() OVER (PARTITION BY {} ORDER BY {}) = 1", src,
                            temp_.Name("dup"), key, key, Join(order, ", "))));
    SLUICE_CHECK(RefuseTies());
    SLUICE_CHECK(temp_.Create("win", fmt::format("SELECT * FROM {0} s ANTI JOIN {1} d USING ({2}) UNION ALL "
                                                 "SELECT * FROM {3} QUALIFY row_number() OVER (PARTITION BY {2}) = 1",
                                                 src, temp_.Name("dup"), key, temp_.Name("tied"))));
    win_ = temp_.Name("win");
    SLUICE_TRY(const int64_t tied, temp_.Count("FROM " + temp_.Name("tied")));
    SLUICE_TRY(const int64_t beaten, temp_.Count(fmt::format("FROM {} s SEMI JOIN {} d USING ({})", src, temp_.Name("dup"), key)));
    counts_.older += beaten - tied;
    counts_.same += tied - duplicated;  // exact copies
    return Ok();
  }

  Status RefuseTies() {
    std::vector<std::string> all = key_;
    all.insert(all.end(), compared_.begin(), compared_.end());
    SLUICE_TRY(const auto key,
               FirstKey(connection_, key_,
                        fmt::format("SELECT {0} FROM (SELECT DISTINCT {1}, __deleted FROM {2}) GROUP BY {0} HAVING count(*) > 1",
                                    Columns("", key_), Columns("", all), temp_.Name("tied"))));
    return key ? Status(Fail(Ambiguous(*key, "rows of this batch"))) : Ok();
  }

  Error Ambiguous(const std::string& key, const std::string& where) const {
    const std::string what = sequence_.empty() ? "arrived together and have different values"
                                               : fmt::format("have the same {} and different values", Join(sequence_, ", "));
    return DataError("ambiguous-sequence", fmt::format("{}: {} with {} {}", target_.name, where, key, what))
        .Hint("give sequence_by a column that orders the changes of a key");
  }

  // `hit`: each winner that is in the table, where, and what is to become of the row.
  Status MatchTable() {
    auto files = FilesOf(target_);
    if (!spec_.delete_missing) {
      const FileFacts facts = FactsOf(target_, plan_);
      read_where_ = PartitionsOfKeys(connection_, facts, key_, win_);
      SLUICE_TRY(files, FilesWithKeys(connection_, facts, FilesThere(read_where_, std::move(files)), key_, win_));
    }
    SLUICE_TRY(rows_, TargetRows(target_, plan_, files));
    if (SequenceDecides()) {
      SLUICE_CHECK(MatchBySequence());
    } else {
      SLUICE_CHECK(temp_.Create("hit", Matches(Action())));
    }
    return Ok();
  }

  // A row that comes after its key was deleted counts only if it is younger than the delete. What is decided so joins `hit`, without a
  // place. The deletes of this batch are to be remembered likewise.
  Status MatchTombstones() {
    if (sequence_.empty()) return Ok();
    SLUICE_TRY(tombstones_, Tombstones::Of(target_, plan_, key_, sequence_));
    if (!tombstones_->empty()) {
      const std::string unmatched =
          fmt::format("(SELECT * FROM (SELECT *, rowid AS __id FROM {}) w ANTI JOIN {} h ON h.id = w.__id)", win_, temp_.Name("hit"));
      SLUICE_CHECK(temp_.Create(
          "late", fmt::format("SELECT w.__id AS id, min(CASE {} WHEN 1 THEN NULL WHEN 0 THEN CASE WHEN w.__deleted THEN "
                              "'same' ELSE 'tie' END ELSE CASE WHEN w.__deleted THEN 'same' ELSE 'older' END END) AS "
                              "action FROM {} w JOIN {} t ON {} GROUP BY ALL",
                              CompareSequence("w", "t", sequence_), unmatched, tombstones_->Relation(), SameKey("w", "t", key_))));
      SLUICE_CHECK(connection_.Execute(fmt::format("INSERT INTO {} SELECT id, NULL, NULL, action FROM {} WHERE action IS NOT NULL",
                                                   temp_.Name("hit"), temp_.Name("late"))));
    }
    SLUICE_TRY(fresh_tombstones_, temp_.Count(FreshTombstones()));
    return Ok();
  }

  std::string FreshTombstones() const {
    return fmt::format(
        "SELECT {0} FROM (SELECT *, rowid AS __id FROM {1}) w ANTI JOIN (SELECT id FROM {2} WHERE action <> 'delete') h ON "
        "h.id = w.__id WHERE w.__deleted",
        Columns("w", columns_), win_, temp_.Name("hit"));
  }

  std::string Matches(const std::string& action) const {
    return fmt::format("SELECT w.rowid AS id, t.{} AS file, t.{} AS row, {} AS action FROM {} w JOIN {} t ON {}", kFileColumn, kRowColumn,
                       action, win_, rows_, SameKey("w", "t", key_));
  }

  std::string Same() const {
    std::vector<std::string> updatable;
    for (const std::string& name : compared_)
      if (Has(updated_, name)) updatable.push_back(name);
    return SameValues("w", "t", updatable);
  }

  std::string Action() const {
    const std::string changed = fmt::format("CASE WHEN w.__deleted THEN 'delete' WHEN {} THEN 'same' ELSE 'change' END", Same());
    if (sequence_.empty()) return changed;
    return fmt::format("CASE {} WHEN -1 THEN 'older' WHEN 0 THEN CASE WHEN NOT w.__deleted AND {} THEN 'same' ELSE 'tie' END ELSE {} END",
                       CompareSequence("w", "t", sequence_), Same(), changed);
  }

  // A higher sequence is another value: then the other columns need not be read to see that the row changes.
  bool SequenceDecides() const {
    return !sequence_.empty() &&
           std::all_of(sequence_.begin(), sequence_.end(), [&](const std::string& name) { return Has(compared_, name); });
  }

  // All columns are read only where there are rows of one sequence.
  Status MatchBySequence() {
    const std::string action =
        fmt::format("CASE {} WHEN -1 THEN 'older' WHEN 0 THEN 'equal' ELSE CASE WHEN w.__deleted THEN 'delete' ELSE 'change' END END",
                    CompareSequence("w", "t", sequence_));
    SLUICE_CHECK(temp_.Create("hit", Matches(action)));
    const std::string equal = fmt::format("SELECT id FROM {} WHERE action = 'equal'", temp_.Name("hit"));
    SLUICE_TRY(const int64_t undecided, temp_.Count(equal));
    if (undecided == 0) return Ok();
    return connection_.Execute(fmt::format(
        "UPDATE {0} h SET action = n.action FROM (SELECT w.__id AS id, CASE WHEN NOT w.__deleted AND {1} THEN 'same' ELSE 'tie' "
        "END AS action FROM (SELECT *, rowid AS __id FROM {2}) w SEMI JOIN ({3}) e ON e.id = w.__id JOIN {4} t ON {5}) n WHERE "
        "n.id = h.id",
        temp_.Name("hit"), Same(), win_, equal, rows_, SameKey("w", "t", key_)));
  }

  Status CheckHits() {
    const std::string hit = temp_.Name("hit");
    const auto keys_of = [&](const std::string& ids) {
      return fmt::format("SELECT {} FROM {} w WHERE w.rowid IN ({})", Columns("w", key_), win_, ids);
    };
    SLUICE_TRY(const auto twice,
               FirstKey(connection_, key_, keys_of(fmt::format("SELECT id FROM {} GROUP BY id HAVING count(*) > 1", hit))));
    if (twice) return Fail(DataError("duplicate-key", fmt::format("{}: the table itself has {} more than once", target_.name, *twice)));
    SLUICE_TRY(const auto tie, FirstKey(connection_, key_, keys_of(fmt::format("SELECT id FROM {} WHERE action = 'tie'", hit))));
    if (tie) return Fail(Ambiguous(*tie, "the table's row and this batch's"));
    return Ok();
  }

  // `gone`: the places of rows that change or leave.
  Status FindMissing() {
    std::string places = fmt::format("SELECT file, row, action, action = 'change' AS updated FROM {} WHERE action IN ('change', 'delete')",
                                     temp_.Name("hit"));
    if (spec_.delete_missing)
      places += fmt::format(" UNION ALL SELECT t.{}, t.{}, 'missing', false FROM {} t ANTI JOIN {} w ON {}", kFileColumn, kRowColumn, rows_,
                            win_, SameKey("t", "w", key_));
    return temp_.Create("gone", places);
  }

  Status Count() {
    SLUICE_TRY(const auto hits, connection_.Rows(fmt::format("SELECT action, count(*) FROM {} GROUP BY action", temp_.Name("hit"))));
    for (const auto& row : hits) {
      const int64_t n = std::stoll(*row[1]);
      if (*row[0] == "same") counts_.same += n;
      if (*row[0] == "older") counts_.older += n;
      if (*row[0] == "change") counts_.changed += n;
      if (*row[0] == "delete") counts_.deleted += n;
    }
    SLUICE_TRY(const int64_t missing, temp_.Count(fmt::format("FROM {} WHERE action = 'missing'", temp_.Name("gone"))));
    counts_.deleted += missing;
    SLUICE_TRY(counts_.added, temp_.Count(Unmatched("NOT w.__deleted")));
    SLUICE_TRY(const int64_t already_gone, temp_.Count(Unmatched("w.__deleted")));
    counts_.same += already_gone;
    return Ok();
  }

  std::string Unmatched(const std::string& condition) const {
    return fmt::format("SELECT {} FROM (SELECT *, rowid AS __id FROM {}) w ANTI JOIN {} h ON h.id = w.__id WHERE {}",
                       Columns("w", columns_), win_, temp_.Name("hit"), condition);
  }

  Result<StagedChange> Write() {
    SLUICE_TRY(const auto change, RowChange::Start(target_, connection_, plan_, options_, temp_.Name("gone")));
    SLUICE_CHECK(change->Put(Changed(change->touched()), Arrival::kUpdate));
    SLUICE_CHECK(change->Put(Unmatched("NOT w.__deleted"), Arrival::kInsert));
    CommitParts parts;
    if (fresh_tombstones_ > 0) {
      SLUICE_TRY(parts.domain, tombstones_->Remember(target_, connection_, FreshTombstones(), options_));
    }
    SetReads(read_where_, &parts);
    parts.counts = counts_;
    parts.operation = "MERGE";
    parts.parameters = {{"predicate", delta::JsonString(SameKey("source", "target", key_))}};
    return change->Finish(std::move(parts));
  }

  std::string Changed(const std::string& touched) const {
    const std::string from = fmt::format("{} w JOIN {} g ON g.id = w.rowid AND g.action = 'change'", win_, temp_.Name("hit"));
    std::vector<std::string> items;
    for (const std::string& name : columns_) items.push_back((Has(updated_, name) ? "w." : "t.") + QuoteIdentifier(name));
    if (updated_.size() == columns_.size()) return fmt::format("SELECT {} FROM {}", Columns("w", columns_), from);
    return fmt::format("SELECT {} FROM {} JOIN {} t ON t.{} = g.file AND t.{} = g.row", Join(items, ", "), from, touched, kFileColumn,
                       kRowColumn);
  }

  const TableTarget& target_;
  engines::Connection& connection_;
  const Source& source_;
  const MergeSpec& spec_;
  const StageOptions& options_;
  TempTables temp_;
  TablePlan plan_;
  std::vector<std::string> columns_, key_, sequence_;
  std::vector<std::string> updated_;   // what a change takes from the source
  std::vector<std::string> compared_;  // neither key nor metadata
  std::string win_;                    // the temporary table of winners
  std::string rows_;                   // the target's rows, for FROM
  std::optional<Tombstones> tombstones_;
  int64_t fresh_tombstones_ = 0;
  ReadWhere read_where_;
  ChangeCounts counts_;
};

}  // namespace

Result<StagedChange> StageMerge(const TableTarget& target, engines::Connection& connection, const Source& source, const MergeSpec& spec,
                                const StageOptions& options) {
  return Merge(target, connection, source, spec, options).Stage();
}

}  // namespace sluice::tables
