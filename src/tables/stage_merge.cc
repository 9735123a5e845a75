// merge: the source's winning rows against the table's, key by key; the files that hold changed rows are rewritten.
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "delta/json_text.h"
#include "tables/keyed.h"

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
    SLUICE_CHECK(FindMissing());
    SLUICE_CHECK(Count());
    if (counts_.added + counts_.changed + counts_.deleted == 0 && plan_.widened.empty() && !plan_.schema_changed)
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
    SLUICE_CHECK(temp_.Create("src", TypedSource(source_, plan_.schema, columns_, spec_.delete_when), source_.params));
    SLUICE_TRY(counts_.read, temp_.Count("FROM " + temp_.Name("src")));
    return CheckKeys(connection_, target_, key_, temp_.Name("src"));
  }

  // Of several rows with one key the highest sequence wins; `win` has one row for each key.
  Status PickWinners() {
    const std::string src = temp_.Name("src"), key = Columns("", key_);
    SLUICE_CHECK(temp_.Create("dup", fmt::format("SELECT {0} FROM {1} GROUP BY {0} HAVING count(*) > 1", key, src)));
    SLUICE_TRY(const int64_t duplicated, temp_.Count("FROM " + temp_.Name("dup")));
    win_ = src;
    if (duplicated == 0) return Ok();
    std::vector<std::string> order;
    for (const std::string& name : sequence_) order.push_back(QuoteIdentifier(name) + " DESC NULLS LAST");
    const std::string highest =
        order.empty() ? "" : fmt::format(" QUALIFY rank() OVER (PARTITION BY {} ORDER BY {}) = 1", key, Join(order, ", "));
    SLUICE_CHECK(
        temp_.Create("tied", fmt::format("SELECT s.* FROM {} s SEMI JOIN {} d USING ({}){}", src, temp_.Name("dup"), key, highest)));
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
    const std::string what = sequence_.empty() ? "there is no sequence_by to decide between them"
                                               : fmt::format("have the same {} and different values", Join(sequence_, ", "));
    return DataError("ambiguous-sequence",
                     fmt::format("{}: {} with {} {}{}", target_.name, where, key, sequence_.empty() ? ": " : "", what))
        .Hint("give sequence_by a column that orders the changes of a key");
  }

  // `hit`: each winner that is in the table, where, and what is to become of the row.
  Status MatchTable() {
    SLUICE_TRY(rows_, TargetRows(target_, plan_, FilesOf(target_)));
    std::vector<std::string> updatable;
    for (const std::string& name : compared_)
      if (Has(updated_, name)) updatable.push_back(name);
    const std::string same = SameValues("w", "t", updatable);
    const std::string changed = fmt::format("CASE WHEN w.__deleted THEN 'delete' WHEN {} THEN 'same' ELSE 'change' END", same);
    const std::string action =
        sequence_.empty()
            ? changed
            : fmt::format(
                  "CASE {} WHEN -1 THEN 'older' WHEN 0 THEN CASE WHEN NOT w.__deleted AND {} THEN 'same' ELSE 'tie' END ELSE {} END",
                  CompareSequence("w", "t", sequence_), same, changed);
    SLUICE_CHECK(temp_.Create("hit", fmt::format("SELECT w.rowid AS id, t.{} AS file, t.{} AS row, {} AS action FROM {} w JOIN {} t ON {}",
                                                 kFileColumn, kRowColumn, action, win_, rows_, SameKey("w", "t", key_))));
    return CheckHits();
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
    std::string places = fmt::format("SELECT file, row, action FROM {} WHERE action IN ('change', 'delete')", temp_.Name("hit"));
    if (spec_.delete_missing)
      places += fmt::format(" UNION ALL SELECT t.{}, t.{}, 'missing' FROM {} t ANTI JOIN {} w ON {}", kFileColumn, kRowColumn, rows_, win_,
                            SameKey("t", "w", key_));
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
    return fmt::format("SELECT {} FROM {} w WHERE {} AND w.rowid NOT IN (SELECT id FROM {})", Columns("w", columns_), win_, condition,
                       temp_.Name("hit"));
  }

  Result<StagedChange> Write() {
    CommitParts parts;
    SLUICE_TRY(parts.removed, TouchedFiles());
    SLUICE_TRY(const auto writer, RowWriter::Open(target_, plan_, options_));
    SLUICE_TRY(const std::string touched, TargetRows(target_, plan_, parts.removed));
    const std::string at_place = fmt::format("t.{} = g.file AND t.{} = g.row", kFileColumn, kRowColumn);
    SLUICE_CHECK(Put(
        *writer, fmt::format("SELECT {} FROM {} t ANTI JOIN {} g ON {}", Columns("t", columns_), touched, temp_.Name("gone"), at_place)));
    SLUICE_CHECK(Put(*writer, Changed(touched)));
    SLUICE_CHECK(Put(*writer, Unmatched("NOT w.__deleted")));
    SLUICE_TRY(parts.added, writer->Finish());
    parts.counts = counts_;
    parts.reads = delta::ReadScope::kWholeTable;
    parts.operation = "MERGE";
    parts.parameters = {{"predicate", delta::JsonString(SameKey("source", "target", key_))}};
    return MakeChange(target_, std::move(plan_), std::move(parts), options_);
  }

  std::string Changed(const std::string& touched) const {
    const std::string from = fmt::format("{} w JOIN {} g ON g.id = w.rowid AND g.action = 'change'", win_, temp_.Name("hit"));
    std::vector<std::string> items;
    for (const std::string& name : columns_) items.push_back((Has(updated_, name) ? "w." : "t.") + QuoteIdentifier(name));
    if (updated_.size() == columns_.size()) return fmt::format("SELECT {} FROM {}", Columns("w", columns_), from);
    return fmt::format("SELECT {} FROM {} JOIN {} t ON t.{} = g.file AND t.{} = g.row", Join(items, ", "), from, touched, kFileColumn,
                       kRowColumn);
  }

  Result<std::vector<const delta::Add*>> TouchedFiles() {
    if (!plan_.widened.empty()) return FilesOf(target_);
    SLUICE_TRY(const auto paths, connection_.Rows(fmt::format("SELECT DISTINCT file FROM {}", temp_.Name("gone"))));
    return FilesNamed(target_, paths);
  }

  Status Put(RowWriter& writer, const std::string& select) {
    SLUICE_TRY(const auto reader, connection_.Query(select));
    SLUICE_TRY([[maybe_unused]] const int64_t rows, writer.WriteAll(*reader));
    return Ok();
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
  ChangeCounts counts_;
};

}  // namespace

Result<StagedChange> StageMerge(const TableTarget& target, engines::Connection& connection, const Source& source, const MergeSpec& spec,
                                const StageOptions& options) {
  return Merge(target, connection, source, spec, options).Stage();
}

}  // namespace sluice::tables
