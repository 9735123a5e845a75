// scd2: the history of the keys that the source touches is computed anew from its versions and the source's rows, then compared
// with what the table has. So late rows split intervals, and rows delivered again change nothing.
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "delta/json_text.h"
#include "tables/prune.h"
#include "tables/row_change.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::TypeKind;

constexpr const char* kFrom = "valid_from";
constexpr const char* kTo = "valid_to";
constexpr const char* kCurrent = "is_current";

std::string SurrogateName(const std::string& table) { return table.substr(table.rfind('.') + 1) + "_sk"; }

// The same text in every engine, whatever its habits of printing: lengths keep composite keys apart.
std::string SurrogateKey(const contract::Schema& schema, const std::vector<std::string>& key, const std::string& from) {
  const auto text = [&](const std::string& sql, const DataType& type) {
    const bool instant = type.kind == TypeKind::kTimestamp || type.kind == TypeKind::kTimestampNtz;
    return instant ? fmt::format("CAST(epoch_us({}) AS VARCHAR)", sql) : fmt::format("CAST({} AS VARCHAR)", sql);
  };
  std::vector<std::string> parts;
  for (const std::string& name : key) {
    const std::string value = text(QuoteIdentifier(name), schema.Find(name)->type);
    parts.push_back(fmt::format("length({0}) || ':' || {0}", value));
  }
  parts.push_back(text(from, schema.Find(kFrom)->type));
  return fmt::format("md5({})", Join(parts, " || '|' || "));
}

class Scd2 {
 public:
  Scd2(const TableTarget& target, engines::Connection& connection, const Source& source, const Scd2Spec& spec, const StageOptions& options)
      : target_(target), connection_(connection), source_(source), spec_(spec), options_(options), temp_(connection, options) {}

  Result<StagedChange> Stage() {
    SLUICE_TRY(plan_, PlanTable(target_, Freedom::kEvolve, options_));
    SLUICE_CHECK(ResolveColumns());
    SLUICE_CHECK(ReadSource());
    SLUICE_CHECK(PickOnePerInstant());
    SLUICE_CHECK(ReadHistory());
    SLUICE_CHECK(RefuseContradictions());
    SLUICE_CHECK(ComputeVersions());
    SLUICE_CHECK(Compare());
    if (counts_.added + counts_.changed + vanished_ == 0 && plan_.widened.empty() && !plan_.schema_changed) return NoChange(plan_, counts_);
    return Write();
  }

 private:
  Status ResolveColumns() {
    surrogate_ = SurrogateName(target_.name);
    for (const std::string& name : plan_.InputColumns())
      if (!IsOwn(name)) columns_.push_back(name);
    const contract::Schema& schema = plan_.schema;
    if (spec_.key.empty() || spec_.sequence_by.empty())
      return Fail(UserError("missing-key", fmt::format("{}: scd2 needs key and sequence_by", target_.name)));
    SLUICE_TRY(key_, KnownColumns(schema, spec_.key, "scd2 key"));
    SLUICE_TRY(sequence_, KnownColumns(schema, spec_.sequence_by, "sequence_by"));
    SLUICE_TRY(tracked_, KnownColumns(schema, spec_.track, "track"));
    if (!tracked_.empty()) return Ok();
    for (const std::string& name : columns_)
      if (!contract::IsMetadataColumn(name) && !Has(key_, name) && !Has(sequence_, name)) tracked_.push_back(name);
    return Ok();
  }

  static bool Has(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
  bool IsOwn(const std::string& name) const {
    return EqualsIgnoreCase(name, kFrom) || EqualsIgnoreCase(name, kTo) || EqualsIgnoreCase(name, kCurrent) ||
           EqualsIgnoreCase(name, surrogate_);
  }
  std::string T(const std::string& suffix) const { return temp_.Name(suffix); }
  std::string Key(const std::string& alias = "") const { return Columns(alias, key_); }

  Status ReadSource() {
    SLUICE_CHECK(CheckBrought(target_, plan_, connection_, source_));
    const std::string typed = TypedSource(source_, plan_.schema, columns_, spec_.delete_when);
    SLUICE_CHECK(
        temp_.Create("all", fmt::format("SELECT *, {} AS __from FROM ({})", QuoteIdentifier(sequence_[0]), typed), source_.params));
    SLUICE_TRY(counts_.read, temp_.Count("FROM " + T("all")));
    SLUICE_CHECK(CheckKeys(connection_, target_, key_, T("all")));
    SLUICE_TRY(const auto unordered, FirstKey(connection_, key_, fmt::format("SELECT {} FROM {} WHERE __from IS NULL", Key(), T("all"))));
    if (unordered) return Fail(DataError("null-sequence", fmt::format("{}: {} has NULL in {}", target_.name, *unordered, sequence_[0])));
    return temp_.Create("src", fmt::format("FROM {}{}", T("all"), spec_.ignore_deletes ? " WHERE NOT __deleted" : ""));
  }

  // `event`: one row per key and instant; the later columns of sequence_by decide, equal ones must agree.
  Status PickOnePerInstant() {
    std::vector<std::string> order;
    for (size_t i = 1; i < sequence_.size(); ++i) order.push_back(QuoteIdentifier(sequence_[i]) + " DESC NULLS LAST");
    const std::string highest =
        order.empty() ? "" : fmt::format(" QUALIFY rank() OVER (PARTITION BY {}, __from ORDER BY {}) = 1", Key(), Join(order, ", "));
    SLUICE_CHECK(temp_.Create("top", fmt::format("FROM {}{}", T("src"), highest)));
    const std::string distinct = fmt::format("SELECT DISTINCT {}, __from, __deleted{} FROM {}", Key(), Listed(tracked_), T("top"));
    SLUICE_TRY(const auto tie,
               FirstKey(connection_, key_, fmt::format("SELECT {0} FROM ({1}) GROUP BY {0}, __from HAVING count(*) > 1", Key(), distinct)));
    if (tie) return Fail(Ambiguous(*tie, "rows of this batch"));
    return temp_.Create("event", fmt::format("FROM {} QUALIFY row_number() OVER (PARTITION BY {}, __from ORDER BY {}) = 1", T("top"), Key(),
                                             Columns("", columns_)));
  }

  static std::string Listed(const std::vector<std::string>& names) { return names.empty() ? "" : ", " + Columns("", names); }

  Error Ambiguous(const std::string& key, const std::string& where) const {
    return DataError("ambiguous-sequence",
                     fmt::format("{}: {} with {} have the same {} and different values", target_.name, where, key, Join(sequence_, ", ")))
        .Hint("give sequence_by a column that orders the changes of a key");
  }

  // `hist`: the versions of the touched keys with their places. Keys missing from a snapshot get an event that closes them.
  Status ReadHistory() {
    auto files = FilesOf(target_);
    if (!spec_.close_missing_at) {
      const FileFacts facts{plan_.schema, plan_.partition_columns, MappingOf(target_)};
      SLUICE_TRY(files, FilesWithKeys(connection_, facts, std::move(files), key_, T("event")));
    }
    SLUICE_TRY(const std::string rows, TargetRows(target_, plan_, files));
    if (spec_.close_missing_at) SLUICE_CHECK(CloseMissing(rows));
    SLUICE_CHECK(temp_.Create("hist", fmt::format("SELECT t.* FROM {} t SEMI JOIN {} e ON {}", rows, T("event"), SameKey("t", "e", key_))));
    SLUICE_TRY(
        const auto twice,
        FirstKey(connection_, key_, fmt::format("SELECT {0} FROM {1} GROUP BY {0}, {2} HAVING count(*) > 1", Key(), T("hist"), kFrom)));
    if (twice)
      return Fail(DataError("duplicate-key", fmt::format("{}: the table has two versions of {} from one instant", target_.name, *twice)));
    return Ok();
  }

  Status CloseMissing(const std::string& rows) {
    const std::string at = fmt::format("CAST({} AS {})", QuoteLiteral(*spec_.close_missing_at), plan_.schema.Find(kFrom)->type.ToDuckDb());
    return connection_.Execute(fmt::format(
        "INSERT INTO {} BY NAME SELECT {}, {} AS __from, true AS __deleted FROM {} t ANTI JOIN {} s ON {} WHERE t.{} AND t.{} < {}",
        T("event"), Key("t"), at, rows, T("all"), SameKey("t", "s", key_), kCurrent, kFrom, at));
  }

  // The same instant must tell the same in the batch and in the table.
  Status RefuseContradictions() {
    const std::string same = SameValues("e", "h", tracked_);
    SLUICE_TRY(const auto version,
               FirstKey(connection_, key_,
                        fmt::format("SELECT {} FROM {} e JOIN {} h ON {} AND e.__from = h.{} WHERE e.__deleted OR NOT ({})", Key("e"),
                                    T("event"), T("hist"), SameKey("e", "h", key_), kFrom, same)));
    if (version) return Fail(Ambiguous(*version, "the table's version and this batch's row"));
    // A delete shows as an end with no version from there on.
    SLUICE_CHECK(temp_.Create(
        "closed", fmt::format("SELECT {0}, h.{1} AS __from FROM {2} h ANTI JOIN {2} n ON {3} AND n.{4} = h.{1} WHERE h.{1} IS NOT NULL",
                              Key("h"), kTo, T("hist"), SameKey("h", "n", key_), kFrom)));
    SLUICE_TRY(const auto revived, FirstKey(connection_, key_,
                                            fmt::format("SELECT {} FROM {} e JOIN {} c ON {} AND e.__from = c.__from WHERE NOT e.__deleted",
                                                        Key("e"), T("event"), T("closed"), SameKey("e", "c", key_))));
    return revived ? Status(Fail(Ambiguous(*revived, "the delete in the table and this batch's row"))) : Ok();
  }

  // `version`: what the touched keys' history must be.
  Status ComputeVersions() {
    const std::string own =
        fmt::format("SELECT {}, {} AS __from, false AS __deleted, false AS __fresh FROM {}", Columns("", columns_), kFrom, T("hist"));
    const std::string closed = fmt::format("SELECT {}, __from, true AS __deleted, false AS __fresh FROM {}", Key(), T("closed"));
    const auto fresh = [&](const std::string& known, const std::string& from) {
      return fmt::format("NOT EXISTS (FROM {} k WHERE {} AND k.{} = e.__from)", known, SameKey("k", "e", key_), from);
    };
    const std::string news = fmt::format("SELECT {}, e.__from, e.__deleted, true AS __fresh FROM {} e WHERE {} AND {}",
                                         Columns("e", columns_), T("event"), fresh(T("hist"), kFrom), fresh(T("closed"), "__from"));
    SLUICE_CHECK(temp_.Create("line", fmt::format("{} UNION ALL BY NAME {} UNION ALL BY NAME {}", own, closed, news)));
    std::vector<std::string> state;
    for (const std::string& name : tracked_) state.push_back(fmt::format("{0} := {0}", QuoteIdentifier(name)));
    state.push_back("__deleted := __deleted");
    const std::string packed = fmt::format("struct_pack({})", Join(state, ", "));
    const std::string window = fmt::format("OVER (PARTITION BY {} ORDER BY __from)", Key());
    SLUICE_CHECK(temp_.Create(
        "turn", fmt::format("FROM {0} QUALIFY CASE WHEN row_number() {2} = 1 THEN NOT __deleted ELSE {1} IS DISTINCT FROM lag({1}) {2} END",
                            T("line"), packed, window)));
    return temp_.Create("version",
                        fmt::format("SELECT * FROM (SELECT *, lead(__from) {} AS __to FROM {}) WHERE NOT __deleted", window, T("turn")));
  }

  // `put`: versions to write; `gone`: places of those that they replace.
  Status Compare() {
    const std::string match = fmt::format("{} AND h.{} = v.__from", SameKey("h", "v", key_), kFrom);
    SLUICE_CHECK(temp_.Create(
        "put",
        fmt::format("SELECT v.*, h.{} IS NULL AS __new FROM {} v LEFT JOIN {} h ON {} WHERE h.{} IS NULL OR h.{} IS DISTINCT FROM v.__to",
                    kFileColumn, T("version"), T("hist"), match, kFileColumn, kTo)));
    SLUICE_CHECK(temp_.Create("gone", fmt::format("SELECT h.{} AS file, h.{} AS row, v.__from IS NULL AS vanished, v.__from IS NOT NULL AS "
                                                  "updated FROM {} h LEFT JOIN {} v ON {} "
                                                  "WHERE v.__from IS NULL OR h.{} IS DISTINCT FROM v.__to",
                                                  kFileColumn, kRowColumn, T("hist"), T("version"), match, kTo)));
    SLUICE_TRY(counts_.added, temp_.Count(fmt::format("FROM {} WHERE __new", T("put"))));
    SLUICE_TRY(counts_.changed, temp_.Count(fmt::format("FROM {} WHERE NOT __new", T("put"))));
    SLUICE_TRY(vanished_, temp_.Count(fmt::format("FROM {} WHERE vanished", T("gone"))));
    SLUICE_TRY(counts_.deleted, temp_.Count(fmt::format("FROM {} WHERE __deleted AND __fresh", T("turn"))));
    SLUICE_TRY(const int64_t effective, temp_.Count(fmt::format("FROM {} t SEMI JOIN {} a ON {} AND a.__from = t.__from WHERE t.__fresh",
                                                                T("turn"), T("all"), SameKey("t", "a", key_))));
    counts_.same = counts_.read - effective;
    return Ok();
  }

  Result<StagedChange> Write() {
    SLUICE_TRY(const auto change, RowChange::Start(target_, connection_, plan_, options_, T("gone")));
    const std::string versions =
        fmt::format("SELECT {}, {} AS {}, __from AS {}, __to AS {}, __to IS NULL AS {} FROM {}", Columns("", columns_),
                    SurrogateKey(plan_.schema, key_, "__from"), QuoteIdentifier(surrogate_), kFrom, kTo, kCurrent, T("put"));
    SLUICE_CHECK(change->Put(versions + " WHERE __new", Arrival::kInsert));
    SLUICE_CHECK(change->Put(versions + " WHERE NOT __new", Arrival::kUpdate));
    CommitParts parts;
    parts.counts = counts_;
    parts.operation = "MERGE";
    parts.parameters = {{"predicate", delta::JsonString(SameKey("source", "target", key_))}};
    return change->Finish(std::move(parts));
  }

  const TableTarget& target_;
  engines::Connection& connection_;
  const Source& source_;
  const Scd2Spec& spec_;
  const StageOptions& options_;
  TempTables temp_;
  TablePlan plan_;
  std::string surrogate_;
  std::vector<std::string> columns_;  // the model's and the metadata columns
  std::vector<std::string> key_, sequence_, tracked_;
  ChangeCounts counts_;
  int64_t vanished_ = 0;  // versions that a late row made part of another
};

}  // namespace

Result<contract::Schema> Scd2Schema(const std::string& table_name, const contract::Schema& model, const Scd2Spec& spec) {
  if (spec.sequence_by.empty()) return Fail(UserError("missing-key", fmt::format("{}: scd2 needs sequence_by", table_name)));
  SLUICE_TRY([[maybe_unused]] const auto key, KnownColumns(model, spec.key, "scd2 key"));
  SLUICE_TRY([[maybe_unused]] const auto track, KnownColumns(model, spec.track, "track"));
  SLUICE_TRY(const auto sequence, KnownColumns(model, spec.sequence_by, "sequence_by"));
  const DataType instant = model.Find(sequence[0])->type;
  contract::Schema schema = model;
  for (const contract::Field& own :
       {contract::Field{SurrogateName(table_name), DataType::Of(TypeKind::kString)}, contract::Field{kFrom, instant},
        contract::Field{kTo, instant}, contract::Field{kCurrent, DataType::Of(TypeKind::kBoolean)}}) {
    if (model.Find(own.name) != nullptr)
      return Fail(
          UserError("duplicate-column", fmt::format("{}: scd2 adds the column \"{}\", which the model has already", table_name, own.name)));
    schema.fields.push_back(own);
  }
  return schema;
}

Result<StagedChange> StageScd2(const TableTarget& target, engines::Connection& connection, const Source& source, const Scd2Spec& spec,
                               const StageOptions& options) {
  return Scd2(target, connection, source, spec, options).Stage();
}

}  // namespace sluice::tables
