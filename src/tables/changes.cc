#include "tables/changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/text.h"
#include "core/time.h"
#include "delta/commit.h"
#include "delta/deletion_vector.h"
#include "delta/log_files.h"
#include "delta/path.h"
#include "engines/row_set.h"
#include "tables/change.h"
#include "tables/row_writer.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::TypeKind;

// A file of which rows changed, at one version.
struct Changed {
  delta::Add file;                           // with the deletion vector that hides what did not change
  std::string type;                          // "" where the file says it of each row
  int64_t version = 0, timestamp = 0;        // milliseconds
  std::optional<std::vector<int64_t>> rows;  // only these
};

delta::Add AsAdd(const delta::Remove& remove) {
  delta::Add add;
  add.path = remove.path;
  add.partition_values = remove.partition_values;
  add.size = remove.size.value_or(0);
  add.deletion_vector = remove.deletion_vector;
  return add;
}

class ChangeReader {
 public:
  ChangeReader(store::ObjectStore& store, std::string_view root, const std::optional<std::vector<std::string>>& columns, bool net)
      : store_(store), root_(root), columns_(columns), net_(net) {}

  Result<Changes> Read(int64_t from, int64_t to) {
    if (from > to) return Fail(UserError("bad-range", fmt::format("there are no versions from {} to {}", from, to)));
    SLUICE_TRY(const delta::Snapshot snapshot, delta::LoadSnapshot(store_, root_, to));
    SLUICE_TRY(delta::LogRange range, delta::ReadCommits(store_, root_, from - 1, to));
    if (!range.complete || range.commits.size() != static_cast<size_t>(to - from + 1))
      return WhyNot(fmt::format("a part of the log from version {} on is gone", from));
    SLUICE_TRY(const delta::Snapshot newest, delta::LoadSnapshot(store_, root_));
    return Read({snapshot, std::move(range.commits), std::nullopt}, newest);
  }

  // `newest`: the newest version there is; what it holds is there.
  Result<Changes> Read(const ChangeRange& range, const delta::Snapshot& newest) {
    snapshot_ = &range.upto;
    range_ = &range;
    SLUICE_CHECK(Start());
    for (const delta::LogCommit& commit : range.commits) {
      if (!changes_.why_not.empty()) return std::move(changes_);
      SLUICE_CHECK(Take(commit));
    }
    if (changes_.why_not.empty()) SLUICE_CHECK(FindGoneFiles(newest));
    if (!changes_.why_not.empty()) return std::move(changes_);
    SLUICE_CHECK(Write());
    return std::move(changes_);
  }

 private:
  static Changes WhyNot(std::string why) {
    Changes none;
    none.why_not = std::move(why);
    return none;
  }

  // The table as the range finds it: as it leaves it, unless a commit of it changed the metadata; of version 0 nothing is before.
  Status Start() {
    const auto changes_metadata = [](const delta::LogCommit& commit) {
      return std::any_of(commit.actions.begin(), commit.actions.end(),
                         [](const delta::Action& action) { return std::holds_alternative<delta::Metadata>(action); });
    };
    if (std::none_of(range_->commits.begin(), range_->commits.end(), changes_metadata)) {
      metadata_ = snapshot_->metadata;
      schema_ = snapshot_->schema;
      return Ok();
    }
    const int64_t from = range_->commits.front().version;
    if (from == 0) return Ok();
    auto before = delta::LoadSnapshot(store_, root_, from - 1);
    if (!before) {
      changes_.why_not = fmt::format("version {} cannot be read any more", from - 1);
      return Ok();
    }
    metadata_ = before->metadata;
    schema_ = before->schema;
    return Ok();
  }

  Status TakeMetadata(const delta::Metadata& now, int64_t version) {
    SLUICE_TRY(contract::Schema schema, delta::ParseSchemaString(now.schema_string));
    if (metadata_) {
      if (metadata_->id != now.id) changes_.why_not = fmt::format("version {} replaced the table by another", version);
      const SchemaChange change = CompareSchemas(schema_, schema);
      if (!change.breaking.empty()) changes_.why_not = fmt::format("version {} changed columns: {}", version, Join(change.breaking, "; "));
      if (metadata_->partition_columns != now.partition_columns)
        changes_.why_not = fmt::format("version {} changed the partitioning", version);
    }
    metadata_ = now;
    schema_ = std::move(schema);
    return Ok();
  }

  Status Take(const delta::LogCommit& commit) {
    std::vector<const delta::Add*> adds;
    std::vector<const delta::Remove*> removes;
    std::vector<const delta::CdcFile*> told;
    for (const delta::Action& action : commit.actions) {
      if (const auto* metadata = std::get_if<delta::Metadata>(&action)) SLUICE_CHECK(TakeMetadata(*metadata, commit.version));
      if (const auto* add = std::get_if<delta::Add>(&action); add && add->data_change) adds.push_back(add);
      if (const auto* remove = std::get_if<delta::Remove>(&action); remove && remove->data_change) removes.push_back(remove);
      if (const auto* cdc = std::get_if<delta::CdcFile>(&action)) told.push_back(cdc);
    }
    if (adds.empty() && removes.empty() && told.empty()) return Ok();
    SLUICE_TRY(const int64_t timestamp, TimestampOf(commit));
    if (!told.empty()) {
      changes_.only_inserts = false;
      for (const delta::CdcFile* cdc : told) {
        delta::Add file;
        file.path = cdc->path;
        file.partition_values = cdc->partition_values;
        file.size = cdc->size;
        told_.push_back({std::move(file), "", commit.version, timestamp, std::nullopt});
      }
      return Ok();
    }
    if (!removes.empty() && !(metadata_ && delta::IsEnabled(*metadata_, "delta.enableChangeDataFeed"))) {
      changes_.why_not =
          fmt::format("version {} removed rows, and the table kept no change data (delta.enableChangeDataFeed)", commit.version);
      return Ok();
    }
    return Derive(adds, removes, commit.version, timestamp);
  }

  // Adds are inserts, removes are deletes; of a file that is both, the difference of its deletion vectors.
  Status Derive(const std::vector<const delta::Add*>& adds, const std::vector<const delta::Remove*>& removes, int64_t version,
                int64_t timestamp) {
    std::map<std::string, const delta::Remove*> removed;
    for (const delta::Remove* remove : removes) removed[delta::PathKey(remove->path)] = remove;
    for (const delta::Add* add : adds) {
      const auto was = removed.find(delta::PathKey(add->path));
      if (was == removed.end()) {
        derived_.push_back({*add, "insert", version, timestamp, std::nullopt});
        continue;
      }
      SLUICE_CHECK(Difference(*add, *was->second, version, timestamp));
      removed.erase(was);
    }
    for (const auto& [path, remove] : removed) {
      changes_.only_inserts = false;
      derived_.push_back({AsAdd(*remove), "delete", version, timestamp, std::nullopt});
    }
    return Ok();
  }

  Result<std::vector<int64_t>> RowsOf(const delta::Add& file) {
    if (!file.deletion_vector) return std::vector<int64_t>{};
    return delta::ReadDeletionVector(store_, root_, *file.deletion_vector);
  }

  Status Difference(const delta::Add& now, const delta::Remove& then, int64_t version, int64_t timestamp) {
    SLUICE_TRY(const auto after, RowsOf(now));
    SLUICE_TRY(const auto before, RowsOf(AsAdd(then)));
    const auto keep = [&](const std::vector<int64_t>& a, const std::vector<int64_t>& b, const char* type) {
      std::vector<int64_t> rows;
      std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(rows));
      if (rows.empty()) return;
      delta::Add file = now;
      file.deletion_vector.reset();
      derived_.push_back({std::move(file), type, version, timestamp, std::move(rows)});
      if (std::string_view(type) == "delete") changes_.only_inserts = false;
    };
    keep(after, before, "delete");
    keep(before, after, "insert");
    return Ok();
  }

  Result<int64_t> TimestampOf(const delta::LogCommit& commit) {
    if (range_->staged_timestamp && commit.version == range_->commits.back().version) return *range_->staged_timestamp;
    if (metadata_ && delta::IsEnabled(*metadata_, "delta.enableInCommitTimestamps"))
      if (const auto own = delta::InCommitTimestamp(commit.actions)) return *own;
    SLUICE_TRY(const auto file, store_.Head(delta::LogKey(root_, delta::CommitFileName(commit.version))));
    return file.modified.millis();
  }

  // What the table does not hold any more may have been vacuumed.
  Status FindGoneFiles(const delta::Snapshot& newest) {
    std::map<std::string, const Changed*> unseen;
    for (const auto* list : {&derived_, &told_})
      for (const Changed& changed : *list)
        if (!delta::IsAbsolutePath(changed.file.path)) unseen[delta::PathKey(changed.file.path)] = &changed;
    if (!derived_.empty())
      for (const delta::Add& add : newest.files) unseen.erase(delta::PathKey(add.path));
    for (const auto& [path, changed] : unseen) {
      const auto found = store_.Head(delta::StoreKey(root_, changed->file.path));
      if (found) continue;
      if (found.error().kind != ErrorKind::kNotFound) return Fail(found.error());
      changes_.why_not = fmt::format("the file {} of version {} was removed (VACUUM)", changed->file.path, changed->version);
      return Ok();
    }
    return Ok();
  }

  Status Write() {
    std::vector<std::string> parts;
    SLUICE_CHECK(Describe());
    SLUICE_CHECK(WriteParts(derived_, snapshot_->schema, &parts));
    contract::Schema with_type = snapshot_->schema;
    with_type.fields.push_back({kChangeType, DataType::Of(TypeKind::kString)});
    SLUICE_CHECK(WriteParts(told_, with_type, &parts));
    if (parts.empty()) {
      SLUICE_TRY(const Scan none, ScanOf({}, snapshot_->schema, {}));
      parts.push_back(
          fmt::format("SELECT *, CAST(NULL AS VARCHAR) AS {}, CAST(NULL AS BIGINT) AS _commit_version, CAST(NULL AS "
                      "TIMESTAMPTZ) AS _commit_timestamp FROM {}",
                      kChangeType, none.sql));
    }
    changes_.scan->sql = "(" + Join(parts, " UNION ALL BY NAME ") + ")";
    if (net_ && !changes_.only_inserts) changes_.scan->sql = Net(changes_.scan->sql);
    return Ok();
  }

  // Of what a version takes and brings, each row as often as it does the one more than the other.
  std::string Net(const std::string& all) const {
    std::vector<std::string> names, values, items;
    for (const contract::Field& field : changes_.scan->schema.fields) {
      const std::string name = QuoteIdentifier(field.name);
      names.push_back(name);
      if (field.name == kChangeType) {
        items.push_back(fmt::format("CASE WHEN __n > 0 THEN 'insert' ELSE 'delete' END AS {}", name));
      } else if (contract::IsMetadataColumn(field.name)) {
        values.push_back(
            fmt::format("any_value({0}) FILTER (WHERE {1} = 'insert') AS __new{0}, any_value({0}) FILTER (WHERE {1} = "
                        "'delete') AS __old{0}",
                        field.name, kChangeType));
        items.push_back(fmt::format("CASE WHEN __n > 0 THEN __new{0} ELSE __old{0} END AS {0}", field.name));
      } else {
        values.push_back(name);
        items.push_back(name);
      }
    }
    const std::string in_or_out = fmt::format("{} IN ('insert', 'delete')", kChangeType);
    return fmt::format(
        "(WITH __all AS NOT MATERIALIZED (SELECT * FROM {0}) SELECT {1} FROM __all WHERE NOT {2} UNION ALL SELECT {1} FROM (SELECT {3}, "
        "unnest(range(abs(__n))) FROM (SELECT {4}, count(*) FILTER (WHERE {5} = 'insert') - count(*) FILTER (WHERE {5} = 'delete') AS __n "
        "FROM __all WHERE {2} GROUP BY ALL HAVING __n <> 0)))",
        all, Join(names, ", "), in_or_out, Join(items, ", "), Join(values, ", "), kChangeType);
  }

  Status Describe() {
    SLUICE_TRY(changes_.scan, ScanOf({}, snapshot_->schema, {}));
    for (const contract::Field& field : contract::ChangeColumns()) changes_.scan->schema.fields.push_back(field);
    changes_.scan->rows = -1;
    for (const auto* list : {&derived_, &told_})
      for (const Changed& changed : *list) ++changes_.scan->files, changes_.scan->bytes += changed.file.size;
    return Ok();
  }

  Result<Scan> ScanOf(std::vector<const delta::Add*> files, const contract::Schema& schema, const std::vector<std::string>& more) {
    ScanOptions options;
    if (columns_) {
      options.columns = *columns_;
      options.columns->insert(options.columns->end(), more.begin(), more.end());
    }
    if (!files.empty()) {
      options.file_column = "__change_file";
      options.row_column = "__change_row";
    }
    const auto mapping = delta::ColumnMappingOf(snapshot_->protocol, snapshot_->metadata);
    return ScanFiles(store_, root_, {schema, snapshot_->metadata.partition_columns, mapping, std::move(files)}, options);
  }

  // A scan names each file once, so that a file that came and went again takes two.
  Status WriteParts(const std::vector<Changed>& changed, const contract::Schema& schema, std::vector<std::string>* parts) {
    std::vector<const Changed*> left;
    for (const Changed& file : changed) left.push_back(&file);
    while (!left.empty()) {
      std::vector<const Changed*> now, later;
      std::set<std::string> named;
      for (const Changed* file : left) (named.insert(delta::PathKey(file->file.path)).second ? now : later).push_back(file);
      SLUICE_TRY(std::string part, Part(now, schema));
      parts->push_back(std::move(part));
      left = std::move(later);
    }
    return Ok();
  }

  Result<std::string> Part(const std::vector<const Changed*>& changed, const contract::Schema& schema) {
    std::vector<const delta::Add*> files;
    std::vector<std::string> facts;
    std::vector<engines::RowsOfFile> rows;
    const bool told = changed.front()->type.empty();
    for (const Changed* file : changed) {
      files.push_back(&file->file);
      const std::string location = delta::FileLocation(store_, root_, file->file.path);
      facts.push_back(fmt::format("({}, {}, {}, make_timestamptz({}), {})", QuoteLiteral(location), QuoteLiteral(file->type), file->version,
                                  file->timestamp * 1000, file->rows ? "true" : "false"));
      if (file->rows) rows.push_back({location, *file->rows});
    }
    SLUICE_TRY(const Scan scan,
               ScanOf(std::move(files), schema, told ? std::vector<std::string>{kChangeType} : std::vector<std::string>{}));
    std::string sql = fmt::format(
        "SELECT s.* EXCLUDE (__change_file, __change_row){}, f.version AS _commit_version, f.moment AS _commit_timestamp FROM {} s JOIN "
        "(VALUES "
        "{}) f(file, type, version, moment, listed) ON s.__change_file = f.file",
        told ? "" : fmt::format(", f.type AS {}", kChangeType), scan.sql, Join(facts, ", "));
    if (!rows.empty()) sql += " WHERE NOT f.listed OR " + engines::Listed(rows, "s.__change_file", "s.__change_row");
    return sql;
  }

  store::ObjectStore& store_;
  const std::string_view root_;
  const std::optional<std::vector<std::string>>& columns_;
  const bool net_;                             // ChangesIn's
  const delta::Snapshot* snapshot_ = nullptr;  // after the last commit
  const ChangeRange* range_ = nullptr;
  std::optional<delta::Metadata> metadata_;
  contract::Schema schema_;
  std::vector<Changed> derived_, told_;
  Changes changes_;
};

}  // namespace

Result<Changes> ChangesFor(store::ObjectStore& store, std::string_view table_root, int64_t from, int64_t to,
                           const std::optional<std::vector<std::string>>& columns) {
  return ChangeReader(store, table_root, columns, false).Read(from, to);
}

Result<Changes> ChangesIn(store::ObjectStore& store, std::string_view table_root, const ChangeRange& range) {
  const std::optional<std::vector<std::string>> all;
  return ChangeReader(store, table_root, all, true).Read(range, range.upto);
}

}  // namespace sluice::tables
