// MERGE INTO.
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "delta/json_text.h"
#include "tables/dml_statement.h"
#include "tables/prune.h"

namespace sluice::tables {
namespace {

using When = MergeClause::When;
using Then = MergeClause::Then;

class MergeInto : Statement {
 public:
  MergeInto(const TableTarget& target, engines::Connection& connection, const Source& source, const MergeStatement& statement,
            const StageOptions& options)
      : Statement(target, connection, options), source_(source), statement_(statement) {}

  Result<StagedChange> Stage() {
    SLUICE_CHECK(Plan());
    SLUICE_CHECK(CheckClauses());
    SLUICE_CHECK(ReadSource());
    for (const MergeClause& clause : statement_.clauses) SLUICE_CHECK(Resolve(clause));
    TableTarget brings = target_;
    std::erase_if(brings.schema.fields, [&](const auto& field) { return !statement_.brought.contains(field.name); });
    SLUICE_CHECK(CheckBrought(brings, plan_, connection_, {"FROM " + T("src"), {}}));
    SLUICE_TRY(counts_.read, temp_.Count("FROM " + T("src")));
    SLUICE_CHECK(ChooseFiles());
    SLUICE_CHECK(Match());
    SLUICE_CHECK(RefuseAmbiguous());
    SLUICE_CHECK(KeepChanges());
    std::string inserted;
    if (Has(When::kNotMatched)) {
      SLUICE_CHECK(Insert());
      inserted = fmt::format("SELECT {} FROM {}", Columns("", columns_), T("ins"));
    }
    if (counts_.added + counts_.changed + counts_.deleted == 0) return NoChange(plan_, counts_);
    CommitParts parts;
    parts.counts = counts_;
    parts.operation = "MERGE";
    parts.parameters = {{"predicate", delta::JsonString(on_)}};
    return Write(std::move(parts), inserted);
  }

 private:
  struct Clause {
    When when;
    std::string condition;
    Then then;
    std::vector<ColumnValue> set;
  };

  bool Has(When when) const {
    return std::any_of(clauses_.begin(), clauses_.end(), [&](const Clause& clause) { return clause.when == when; });
  }

  Error Bad(const std::string& why) const { return UserError("bad-merge", fmt::format("{}: {}", target_.name, why)); }

  Status CheckClauses() {
    for (const std::string& name : statement_.match) {
      const contract::Field* field = plan_.schema.Find(name);
      if (field == nullptr)
        return Fail(UserError("unknown-column", fmt::format("{} has no column \"{}\" to match by{}", target_.name, name,
                                                            DidYouMean(name, plan_.schema.Names()))));
      match_.push_back(field->name);
    }
    on_ = match_.empty() ? statement_.on : SameKey("target", "source", match_);
    if (on_.empty()) return Fail(Bad("a MERGE needs a condition"));
    if (statement_.clauses.empty()) return Fail(Bad("a MERGE needs a clause"));
    std::set<When> decided;
    for (const MergeClause& clause : statement_.clauses) {
      if ((clause.then == Then::kInsert) != (clause.when == When::kNotMatched))
        return Fail(Bad("only source rows without a match can be inserted, and only inserted"));
      if (clause.then == Then::kUpdate && clause.when == When::kNotMatchedBySource && clause.set.empty())
        return Fail(Bad("an update of rows that the source does not have must say what is set"));
      if (decided.contains(clause.when))
        return Fail(
            UserError("unreachable-clause", fmt::format("{}: a clause WHEN {} stands behind one without a condition, which takes every row",
                                                        target_.name, NameOf(clause.when)))
                .Hint("only the last clause of a kind may have no AND …: put it last, or give it a condition"));
      if (clause.condition.empty()) decided.insert(clause.when);
    }
    return Ok();
  }

  static std::string_view NameOf(When when) {
    return when == When::kMatched ? "MATCHED" : when == When::kNotMatched ? "NOT MATCHED" : "NOT MATCHED BY SOURCE";
  }

  Status Resolve(const MergeClause& clause) {
    std::vector<Assignment> set = clause.set;
    if (clause.then != Then::kDelete && set.empty())
      for (const std::string& column : columns_) set.push_back({column, "source." + QuoteIdentifier(column)});
    std::vector<std::string> seen;
    if (clause.when != When::kNotMatched) seen.push_back(EmptyRelation(plan_.schema, "target"));
    if (clause.when != When::kNotMatchedBySource) seen.push_back(fmt::format("(FROM {} LIMIT 0) source", T("src")));
    SLUICE_TRY(auto values, Resolved(set, Join(seen, ", "), clause.when != When::kNotMatched));
    clauses_.push_back({clause.when, clause.condition, clause.then, std::move(values)});
    return Ok();
  }

  Status ReadSource() {
    SLUICE_TRY(const auto columns, connection_.Describe(source_.sql, source_.params));
    std::vector<std::string> names;
    std::set<std::string> known;
    for (const auto& column : columns) {
      names.push_back(column.name);
      if (known.insert(ToLower(column.name)).second) continue;
      return Fail(UserError("duplicate-column", fmt::format("the source of the merge has two columns called \"{}\"", column.name))
                      .Hint("name one differently: … AS other_name"));
    }
    Avoid(names);
    SLUICE_CHECK(
        temp_.Create("src", fmt::format("SELECT *, row_number() OVER () AS {} FROM ({})", Own("id"), source_.sql), source_.params));
    return CheckComparable(columns);
  }

  Status CheckComparable(const std::vector<engines::Connection::Column>& columns) {
    for (const std::string& name : match_) {
      const auto column =
          std::find_if(columns.begin(), columns.end(), [&](const auto& other) { return EqualsIgnoreCase(other.name, name); });
      if (column == columns.end())
        return Fail(UserError("unknown-column", fmt::format("the source of the merge has no column \"{}\" to match by", name)));
      const std::string type = plan_.schema.Find(name)->type.ToDuckDb();
      // For = DuckDB casts what it then fails to cast.
      if (connection_.Describe(fmt::format("SELECT target.{0} <= source.{0} FROM {1}, {2} source", QuoteIdentifier(name),
                                           EmptyRelation(plan_.schema, "target"), T("src"))))
        continue;
      SLUICE_TRY(const int64_t values, temp_.Count(fmt::format("FROM {} WHERE {} IS NOT NULL", T("src"), QuoteIdentifier(name))));
      if (values == 0) {  // a plain NULL is an INTEGER to DuckDB
        SLUICE_CHECK(connection_.Execute(fmt::format("ALTER TABLE {} ALTER {} TYPE {} USING NULL", T("src"), QuoteIdentifier(name), type)));
        continue;
      }
      return Fail(UserError("type-mismatch", fmt::format("column \"{}\" is {} in {} and {} in the source: they cannot be compared", name,
                                                         plan_.schema.Find(name)->type.ToString(), target_.name, column->duckdb_type))
                      .Hint(fmt::format("CAST({} AS …) in the source", name)));
    }
    return Ok();
  }

  // Those that can have a row which a source row matches, and those with a row that a clause asks for where none does.
  Status ChooseFiles() {
    engines::AnyConditions unmatched;
    for (const Clause& clause : clauses_)
      if (clause.when == When::kNotMatchedBySource)
        unmatched.push_back(engines::ConditionsOf(connection_, clause.condition, "target", false));
    std::vector<const delta::Add*> files;
    if (match_.empty()) {
      unmatched.push_back(engines::ConditionsOf(connection_, on_, "target", true));
      SLUICE_TRY(files, FilesWhere(unmatched));
    } else {
      SLUICE_TRY(files, FilesOfKeys());
      if (!unmatched.empty()) SLUICE_CHECK(AddFiles(unmatched, &files));
    }
    SLUICE_TRY(rows_, TargetRows(target_, plan_, files));
    return Ok();
  }

  Result<std::vector<const delta::Add*>> FilesOfKeys() {
    const FileFacts facts = FactsOf(target_, plan_);
    read_where_ = PartitionsOfKeys(connection_, facts, match_, T("src"));
    return FilesWithKeys(connection_, facts, FilesThere(read_where_, FilesOf(target_)), match_, T("src"));
  }

  Status AddFiles(const engines::AnyConditions& any, std::vector<const delta::Add*>* files) {
    const ReadWhere before = std::move(read_where_);
    SLUICE_TRY(const auto more, FilesWhere(any));
    if (before && read_where_)
      read_where_->insert(read_where_->end(), before->begin(), before->end());
    else
      read_where_ = std::nullopt;
    const std::set<const delta::Add*> known(files->begin(), files->end());
    for (const delta::Add* add : more)
      if (!known.contains(add)) files->push_back(add);
    return Ok();
  }

  // The number of the first clause of `when` that holds, else NULL.
  std::string ClauseOf(When when) const {
    std::string sql = "CASE";
    for (size_t i = 0; i < clauses_.size(); ++i)
      if (clauses_[i].when == when) sql += fmt::format(" WHEN {} THEN {}", OrTrue(clauses_[i].condition), i);
    return Has(when) ? sql + " ELSE NULL END" : "CAST(NULL AS INTEGER)";
  }

  std::string NewValue(const std::string& column, When when, const std::string& other) const {
    const std::string name = QuoteIdentifier(column);
    std::string sql = "CASE " + Own("clause");
    bool any = false;
    for (size_t i = 0; i < clauses_.size(); ++i) {
      if (clauses_[i].when != when) continue;
      for (const ColumnValue& set : clauses_[i].set)
        if (set.column == column) sql += fmt::format(" WHEN {} THEN {}", i, set.value), any = true;
    }
    return any ? fmt::format("{} ELSE {} END AS {}", sql, other, name) : fmt::format("{} AS {}", other, name);
  }

  // Why a row's values cannot be what its clause makes them.
  std::string Broken(When when) const {
    std::string sql;
    for (size_t i = 0; i < clauses_.size(); ++i) {
      std::vector<std::string> all;
      for (const ColumnValue& set : clauses_[i].set)
        if (!set.broken.empty()) all.push_back(set.broken);
      if (clauses_[i].when == when && !all.empty()) sql += fmt::format(" WHEN {} THEN coalesce({})", i, Join(all, ", "));
    }
    return sql.empty() ? "CAST(NULL AS VARCHAR)" : fmt::format("CASE {}{} END", Own("clause"), sql);
  }

  std::string Deletes() const {
    std::vector<std::string> numbers;
    for (size_t i = 0; i < clauses_.size(); ++i)
      if (clauses_[i].then == Then::kDelete) numbers.push_back(std::to_string(i));
    return numbers.empty() ? "false" : fmt::format("{} IN ({})", Own("clause"), Join(numbers, ", "));
  }

  // SELECT of rows of the table with their clause and what they would become.
  std::string Touched(When when, const std::string& id, const std::string& from) const {
    std::vector<std::string> items, same;
    for (const std::string& column : columns_) {
      const std::string name = QuoteIdentifier(column);
      items.push_back(NewValue(column, when, "target." + name));
      const bool set = std::any_of(clauses_.begin(), clauses_.end(), [&](const Clause& clause) {
        return clause.when == when &&
               std::any_of(clause.set.begin(), clause.set.end(), [&](const ColumnValue& a) { return a.column == column; });
      });
      if (set) same.push_back(fmt::format("n.{} IS NOT DISTINCT FROM n.{}{}", name, Own("old_"), items.size()));
      if (set) items.back() += fmt::format(", target.{} AS {}{}", name, Own("old_"), items.size());
    }
    const std::string deletes = Deletes(), here = fmt::format("{}, {}", Own("file"), Own("row"));
    return fmt::format(
        "SELECT {0}, {1}, {2}, {13}, NOT ({3}) AS {4}, NOT ({3}) AND {5} AS {6}, {7} FROM (SELECT {8} AS {0}, {9} AS {1}, {10}, {14} AS "
        "{13}, {11} FROM {12}) n",
        Own("id"), Own("clause"), here, deletes, Own("updated"), same.empty() ? "true" : Join(same, " AND "), Own("same"),
        Columns("n", columns_), id, ClauseOf(when), Place(), Join(items, ", "), from, Own("broken"), Broken(when));
  }

  // `all`: every pair that matches, and the rows that the source does not have if a clause asks for them.
  Status Match() {
    std::string sql = Touched(When::kMatched, "source." + Own("id"), fmt::format("{} target JOIN {} source ON {}", rows_, T("src"), on_));
    if (Has(When::kNotMatchedBySource))
      sql += " UNION ALL " + Touched(When::kNotMatchedBySource, "CAST(NULL AS BIGINT)",
                                     fmt::format("{} target ANTI JOIN {} source ON {}", rows_, T("src"), on_));
    SLUICE_CHECK(temp_.Create("all", sql));
    return RefuseBroken("all");
  }

  // Whatever rows of the source match it, the row goes (as in Spark).
  bool OnlyDeletes() const {
    return std::count_if(clauses_.begin(), clauses_.end(), [](const Clause& clause) { return clause.when == When::kMatched; }) == 1 &&
           std::any_of(clauses_.begin(), clauses_.end(), [](const Clause& clause) {
             return clause.when == When::kMatched && clause.then == Then::kDelete && clause.condition.empty();
           });
  }

  Status RefuseAmbiguous() {
    if (OnlyDeletes()) return Ok();
    const std::vector<std::string>& named = match_.empty() ? columns_ : match_;
    SLUICE_TRY(const auto twice,
               FirstKey(connection_, named,
                        fmt::format("SELECT {} FROM {} WHERE {} IS NOT NULL QUALIFY count(*) OVER (PARTITION BY {}, {}) > 1",
                                    Columns("", named), T("all"), Own("clause"), Own("file"), Own("row"))));
    if (!twice) return Ok();
    return Fail(DataError("ambiguous-merge", fmt::format("{}: several rows of the source match the row with {}", target_.name, *twice))
                    .Hint("give the source one row for each key"));
  }

  Status KeepChanges() {
    const std::string once = fmt::format(" QUALIFY row_number() OVER (PARTITION BY {}, {}) = 1", Own("file"), Own("row"));
    SLUICE_CHECK(temp_.Create(
        "hit", fmt::format("FROM {} WHERE {} IS NOT NULL AND NOT {}{}", T("all"), Own("clause"), Own("same"), OnlyDeletes() ? once : "")));
    SLUICE_TRY(counts_.changed, CountOf(Own("updated")));
    SLUICE_TRY(counts_.deleted, CountOf("NOT " + Own("updated")));
    SLUICE_TRY(counts_.same, temp_.Count(fmt::format("FROM {} WHERE {} IS NOT NULL AND ({} IS NULL OR {})", T("all"), Own("id"),
                                                     Own("clause"), Own("same"))));
    return Ok();
  }

  Status Insert() {
    std::vector<std::string> items;
    for (const std::string& column : columns_)
      items.push_back(NewValue(column, When::kNotMatched, fmt::format("CAST(NULL AS {})", plan_.schema.Find(column)->type.ToDuckDb())));
    SLUICE_CHECK(temp_.Create(
        "ins", fmt::format("SELECT {0}, {6} AS {7} FROM (SELECT *, {1} AS {2} FROM {3} source WHERE {4} NOT IN (SELECT {4} FROM {5} WHERE "
                           "{4} IS NOT NULL)) source WHERE {2} IS NOT NULL",
                           Join(items, ", "), ClauseOf(When::kNotMatched), Own("clause"), T("src"), Own("id"), T("all"),
                           Broken(When::kNotMatched), Own("broken"))));
    SLUICE_CHECK(RefuseBroken("ins"));
    SLUICE_TRY(counts_.added, temp_.Count("FROM " + T("ins")));
    return Ok();
  }

  const Source& source_;
  const MergeStatement& statement_;
  std::string on_, rows_;
  std::vector<std::string> match_;
  std::vector<Clause> clauses_;
  ChangeCounts counts_;
};

}  // namespace

Result<StagedChange> StageMergeStatement(const TableTarget& target, engines::Connection& connection, const Source& source,
                                         const MergeStatement& statement, const StageOptions& options) {
  return MergeInto(target, connection, source, statement, options).Stage();
}

}  // namespace sluice::tables
