// One live file against what the log says of it.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "core/counted.h"
#include "core/text.h"
#include "delta/deletion_vector.h"
#include "tables/check.h"
#include "tables/scan.h"

namespace sluice::tables {
namespace {

namespace ondemand = simdjson::ondemand;
using contract::DataType;
using contract::Field;
using contract::TypeKind;

// What the statistics say of one leaf column.
struct LeafStats {
  std::string sql, name;  // over the scan; for messages
  DataType type;
  std::optional<std::string> min, max;  // texts of the values
  std::optional<int64_t> nulls;
};

struct FileStats {
  std::optional<int64_t> rows;
  bool tight = true;
  std::vector<LeafStats> leaves;
};

// Statistics are nested as the columns are, under their physical names.
class StatsReader {
 public:
  StatsReader(const contract::Schema& schema, delta::ColumnMapping mapping) : schema_(schema), mapping_(mapping) {}

  Result<FileStats> Read(const std::string& stats) try {
    const simdjson::padded_string text(stats);
    ondemand::parser parser;
    ondemand::document document = parser.iterate(text);
    for (auto member : ondemand::object(document.get_object())) {
      const std::string key(std::string_view(member.unescaped_key()));
      ondemand::value value = member.value();
      if (value.is_null()) continue;
      if (key == "numRecords") out_.rows = value.get_int64();
      if (key == "tightBounds") out_.tight = value.get_bool();
      for (const auto* part : {"minValues", "maxValues", "nullCount"})
        if (key == part) ReadFields(schema_.fields, value.get_object(), "", "", part[0] == 'n' ? 'n' : part[1]);
    }
    return std::move(out_);
  } catch (const simdjson::simdjson_error& error) {
    return Fail(delta::BadLog(fmt::format("the statistics are no JSON: {}", error.what())));
  }

 private:
  void ReadFields(const std::vector<Field>& fields, ondemand::object object, const std::string& sql, const std::string& name, char part) {
    for (auto member : object) {
      const std::string key(std::string_view(member.unescaped_key()));
      ondemand::value value = member.value();
      const auto field = std::find_if(fields.begin(), fields.end(),
                                      [&](const Field& f) { return EqualsIgnoreCase(delta::PhysicalName(f, mapping_), key); });
      if (field == fields.end() || value.is_null()) continue;
      const std::string column = sql.empty() ? QuoteIdentifier(field->name) : fmt::format("({}).{}", sql, QuoteIdentifier(field->name));
      const std::string path = name.empty() ? field->name : name + "." + field->name;
      if (value.type() == ondemand::json_type::object && field->type.kind == TypeKind::kStruct)
        ReadFields(field->type.children, value.get_object(), column, path, part);
      else
        Put(LeafOf(column, path, field->type), value, part);
    }
  }

  LeafStats& LeafOf(const std::string& sql, const std::string& name, const DataType& type) {
    for (LeafStats& leaf : out_.leaves)
      if (leaf.sql == sql) return leaf;
    return out_.leaves.emplace_back(LeafStats{sql, name, type, {}, {}, {}});
  }

  // A number as it stands there: a decimal keeps all its digits.
  static void Put(LeafStats& leaf, ondemand::value value, char part) {
    if (part == 'n') {
      leaf.nulls = value.get_int64();
      return;
    }
    const bool text = value.type() == ondemand::json_type::string;
    (part == 'i' ? leaf.min : leaf.max) =
        text ? std::string(std::string_view(value.get_string())) : std::string(Trim(std::string_view(value.raw_json_token())));
  }

  const contract::Schema& schema_;
  const delta::ColumnMapping mapping_;
  FileStats out_;
};

// For each leaf: its NULLs, rows below the minimum, rows above the maximum, and whether a bound cannot be read as the column's type.
std::string CheckSql(const LeafStats& leaf) {
  const auto bound = [&](const std::optional<std::string>& text) {
    return text ? fmt::format("TRY_CAST({} AS {})", QuoteLiteral(*text), leaf.type.ToDuckDb())
                : fmt::format("CAST(NULL AS {})", leaf.type.ToDuckDb());
  };
  // Statistics have milliseconds: a maximum stands for all of its last one.
  const bool instant = leaf.type.kind == TypeKind::kTimestamp || leaf.type.kind == TypeKind::kTimestampNtz;
  const std::string above = instant ? fmt::format("{} >= {} + INTERVAL 1 MILLISECOND", leaf.sql, bound(leaf.max))
                                    : fmt::format("{} > {}", leaf.sql, bound(leaf.max));
  std::vector<std::string> unread;
  for (const auto& text : {leaf.min, leaf.max})
    if (text) unread.push_back(bound(text) + " IS NULL");
  return fmt::format("count(*) FILTER (WHERE {0} IS NULL), count(*) FILTER (WHERE {0} < {1}), count(*) FILTER (WHERE {2}), {3}", leaf.sql,
                     bound(leaf.min), above, unread.empty() ? "false" : Join(unread, " OR "));
}

class FileChecker {
 public:
  FileChecker(const FileCheck& check, const delta::Add& add)
      : check_(check), add_(add), mapping_(delta::ColumnMappingOf(check.snapshot.protocol, check.snapshot.metadata)) {}

  Result<std::vector<delta::Finding>> Run(std::optional<int64_t> size) {
    SLUICE_CHECK(PartitionValues());
    if (!size)
      Note("file-missing", "the log names it, and it is not there");
    else if (*size != add_.size)
      Note("file-size", fmt::format("it has {}, the log says {}", Counted(*size, "byte"), add_.size));
    SLUICE_CHECK(DeletionVector());
    if (size) SLUICE_CHECK(Contents());
    return std::move(findings_);
  }

 private:
  void Note(std::string code, std::string message) { findings_.push_back({std::move(code), add_.path, std::move(message)}); }

  Status PartitionValues() {
    for (const std::string& name : check_.snapshot.metadata.partition_columns) {
      const Field* field = check_.snapshot.schema.Find(name);
      if (field == nullptr) continue;
      const auto found = add_.partition_values.find(delta::PhysicalName(*field, mapping_));
      if (found == add_.partition_values.end()) {
        Note("bad-partition-value", fmt::format("the log has no value of the partition column {}", name));
      } else if (!found->second) {
        if (!field->nullable) Note("bad-partition-value", fmt::format("{} is NULL, and must not be", name));
      } else {
        SLUICE_TRY(const auto parsed, check_.connection.Scalar(fmt::format("SELECT TRY_CAST({} AS {}) IS NULL",
                                                                           QuoteLiteral(*found->second), field->type.ToDuckDb())));
        if (parsed == "true")
          Note("bad-partition-value", fmt::format("{} = \"{}\" is no {}", name, *found->second, field->type.ToString()));
      }
    }
    return Ok();
  }

  Status DeletionVector() {
    if (!add_.deletion_vector) return Ok();
    auto rows = delta::ReadDeletionVector(check_.store, check_.root, *add_.deletion_vector);
    if (rows) {
      last_deleted_ = rows->empty() ? -1 : rows->back();
      return Ok();
    }
    if (rows.error().kind == ErrorKind::kRetryable) return Fail(std::move(rows).error());
    Note("bad-deletion-vector", rows.error().message);
    return Ok();
  }

  // All rows of the file, those that the deletion vector takes away among them: statistics are of all.
  Status Contents() {
    FileStats stats;
    if (!add_.stats.empty()) {
      auto read = StatsReader(check_.snapshot.schema, mapping_).Read(add_.stats);
      if (!read) {
        Note("wrong-statistics", read.error().message);
      } else {
        stats = *std::move(read);
      }
    }
    delta::Add whole = add_;
    whole.deletion_vector.reset();
    ScanOptions options;
    options.only = std::vector<delta::Add>{std::move(whole)};
    SLUICE_TRY(const Scan scan, ScanFor(check_.store, check_.root, check_.snapshot, options));
    std::vector<std::string> items = {"count(*)"};
    for (const LeafStats& leaf : stats.leaves) items.push_back(CheckSql(leaf));
    // Every column is read, whether it has statistics or not.
    for (const Field& field : scan.schema.fields) items.push_back(fmt::format("count({})", QuoteIdentifier(field.name)));
    const auto rows = check_.connection.Rows(fmt::format("SELECT {} FROM {}", Join(items, ", "), scan.sql));
    if (!rows) {
      if (rows.error().kind == ErrorKind::kRetryable && rows.error().code != "sql-io") return Fail(rows.error());
      Note("file-unreadable", rows.error().message);
      return Ok();
    }
    Compare(stats, rows->at(0));
    return Ok();
  }

  void Compare(const FileStats& stats, const std::vector<std::optional<std::string>>& seen) {
    const int64_t count = std::stoll(seen.at(0).value_or("0"));
    if (stats.rows && *stats.rows != count)
      Note("wrong-statistics", fmt::format("numRecords is {}, the file has {}", *stats.rows, Counted(count, "row")));
    if (add_.deletion_vector && !stats.rows)
      Note("wrong-statistics", "numRecords is missing, which a file with a deletion vector must have");
    if (last_deleted_ >= count)
      Note("bad-deletion-vector", fmt::format("it removes row {}, and the file has {}", last_deleted_, Counted(count, "row")));
    for (size_t i = 0; i < stats.leaves.size(); ++i) {
      const LeafStats& leaf = stats.leaves[i];
      const auto at = [&](size_t k) { return seen.at(1 + 4 * i + k).value_or("0"); };
      if (stats.tight && leaf.nulls && std::to_string(*leaf.nulls) != at(0))
        Note("wrong-statistics", fmt::format("nullCount of {} is {}, the file has {}", leaf.name, *leaf.nulls, at(0)));
      if (at(1) != "0")
        Note("wrong-statistics",
             fmt::format("{} a {} below the minimum {}", Counted(std::stoll(at(1)), "row has", "rows have"), leaf.name, *leaf.min));
      if (at(2) != "0")
        Note("wrong-statistics",
             fmt::format("{} a {} above the maximum {}", Counted(std::stoll(at(2)), "row has", "rows have"), leaf.name, *leaf.max));
      if (at(3) == "true") Note("wrong-statistics", fmt::format("a bound of {} is no {}", leaf.name, leaf.type.ToString()));
    }
  }

  const FileCheck& check_;
  const delta::Add& add_;
  const delta::ColumnMapping mapping_;
  int64_t last_deleted_ = -1;
  std::vector<delta::Finding> findings_;
};

}  // namespace

Result<std::vector<delta::Finding>> CheckFile(const FileCheck& check, const delta::Add& add, std::optional<int64_t> size) {
  return FileChecker(check, add).Run(size);
}

}  // namespace sluice::tables
