#include "tables/parquet_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "core/text.h"
#include "core/time.h"
#include "delta/features.h"
#include "delta/path.h"
#include "engines/sql.h"
#include "tables/scan.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;

constexpr const char* kEtag = "sluice.etag";
constexpr const char* kDefinition = "sluice.definition";
constexpr const char* kNullPartition = "__HIVE_DEFAULT_PARTITION__";

bool IsHidden(std::string_view key) {
  for (const std::string& part : Split(key, '/'))
    if (part.starts_with('.') || (part.starts_with('_') && part.find('=') == std::string::npos)) return true;
  return false;
}

bool Counts(std::string_view key, std::string_view glob) {
  if (IsHidden(key)) return false;
  return glob == "**" ? ToLower(key).ends_with(".parquet") : GlobMatch(glob, key);
}

std::string EtagOf(const delta::Add& add) {
  const auto found = add.tags.find(kEtag);
  return found == add.tags.end() ? "" : found->second;
}

bool IsWhole(const std::string& text) {
  const size_t digits = text.size() - (text.starts_with('-') ? 1 : 0);
  return digits > 0 && digits <= 18 && text.find_first_not_of("0123456789", text.size() - digits) == std::string::npos;
}

// What the files' own schemas say of one column.
struct Column {
  Field field;
  std::string seen_in;  // a file that has it so
};

// A folder's next version being made.
class Follower {
 public:
  Follower(store::ObjectStore& store, const std::string& root, const delta::Snapshot* base, const ParquetFolder& folder,
           const Connect& connect)
      : store_(store), root_(root), base_(base), folder_(folder), connect_(connect) {}

  Result<std::vector<delta::PreparedCommit>> Follow() {
    SLUICE_TRY(const auto listed, store_.List(root_ + "/"));
    SLUICE_TRY(files_, FilesOfFolder(listed, root_, folder_.files));
    if (files_.empty())
      return Fail(NotFoundError("no-such-table", fmt::format("no Parquet file lies at {}/{}", store_.Uri(root_), folder_.files)));
    Compare();
    const bool redefined = base_ == nullptr || Definition() != folder_.definition;
    if (!redefined && added_.empty() && changed_.empty() && removed_.empty()) return std::vector<delta::PreparedCommit>();
    all_anew_ = redefined || !changed_.empty() || !removed_.empty();
    SLUICE_CHECK(ReadFiles());
    SLUICE_CHECK(MakeSchema());
    return Commits();
  }

 private:
  std::string Relative(const store::ObjectMeta& object) const { return object.key.substr(root_.size() + 1); }

  std::string Definition() const {
    const auto found = base_->metadata.configuration.find(kDefinition);
    return found == base_->metadata.configuration.end() ? "" : found->second;
  }

  void Compare() {
    std::map<std::string, const delta::Add*> before;
    if (base_ != nullptr)
      for (const delta::Add& add : base_->files) before[delta::PathKey(add.path)] = &add;
    for (const auto& object : files_) {
      const auto known = before.find(Relative(object));
      if (known == before.end()) {
        added_.push_back(&object);
        continue;
      }
      if (known->second->size != object.size || EtagOf(*known->second) != object.etag) {
        changed_.push_back(&object);
        removed_.push_back(known->second);
      }
      before.erase(known);
    }
    for (const auto& [key, gone] : before) removed_.push_back(gone);
  }

  // Schemas of the files to look at, one file for each shape there is; and the rows of the new ones.
  Status ReadFiles() {
    std::vector<std::string> opened, fresh;
    for (const auto& object : files_) location_[store_.Uri(object.key)] = Relative(object);
    if (all_anew_)
      for (const auto& object : files_) opened.push_back(PathText(object));
    for (const auto* some : {&added_, &changed_})
      for (const auto* object : *some) fresh.push_back(PathText(*object));
    if (!all_anew_) opened = fresh;
    SLUICE_TRY(const auto connection, connect_());
    SLUICE_TRY(const auto shapes,
               connection->Rows(fmt::format(
                   "SELECT min(file_name) FROM (SELECT file_name, string_agg(concat_ws(':', name, type, num_children, duckdb_type, "
                   "logical_type), ',' ORDER BY column_id) AS shape FROM parquet_schema([{}]) WHERE column_id > 0 GROUP BY file_name) "
                   "GROUP BY shape ORDER BY 1",
                   Join(opened, ", "))));
    for (const auto& shape : shapes) SLUICE_CHECK(Describe(*connection, shape[0].value_or("")));
    if (fresh.empty()) return Ok();
    SLUICE_TRY(const auto rows,
               connection->Rows(fmt::format("SELECT file_name, num_rows FROM parquet_file_metadata([{}])", Join(fresh, ", "))));
    for (const auto& row : rows) {
      int64_t count = 0;
      const std::string text = row[1].value_or("0");
      std::from_chars(text.data(), text.data() + text.size(), count);
      rows_[NameOf(row[0].value_or(""))] = count;
    }
    return Ok();
  }

  std::string PathText(const store::ObjectMeta& object) const { return QuoteLiteral(EscapeGlob(store_.Uri(object.key))); }
  std::string NameOf(const std::string& location) const {
    const auto found = location_.find(location);
    return found == location_.end() ? location : found->second;
  }

  Status Describe(engines::Connection& connection, const std::string& location) {
    SLUICE_TRY(const auto columns, connection.Describe(fmt::format("SELECT * FROM read_parquet({}, hive_partitioning = false)",
                                                                   QuoteLiteral(EscapeGlob(location)))));
    for (const auto& column : columns) {
      SLUICE_TRY(DataType type, TypeOf(column, NameOf(location)));
      SLUICE_CHECK(Merge({{column.name, std::move(type), true, {}}, NameOf(location)}));
    }
    return Ok();
  }

  const contract::ColumnContract* Pinned(const std::string& name) const {
    const auto found =
        std::find_if(folder_.pinned.begin(), folder_.pinned.end(), [&](const auto& column) { return EqualsIgnoreCase(column.name, name); });
    return found == folder_.pinned.end() ? nullptr : &*found;
  }

  Result<DataType> TypeOf(const engines::Connection::Column& column, const std::string& file) const {
    auto type = engines::NormaliseType(column.duckdb_type);
    const contract::ColumnContract* pinned = Pinned(column.name);
    if (pinned == nullptr && type) return type;
    if (pinned == nullptr) {
      const bool nanos = column.duckdb_type == "TIMESTAMP_NS";
      return Fail(UnsupportedError("unsupported-type", fmt::format("column \"{}\" of {} is a {}, which tables cannot hold", column.name,
                                                                   file, column.duckdb_type))
                      .Hint(nanos ? fmt::format("name it in contract.columns as timestamp_ntz, and its nanoseconds are cut: {{ name: {}, "
                                                "type: timestamp_ntz }}",
                                                column.name)
                                  : "its owner must write it as another type"));
    }
    const bool cut_nanos = column.duckdb_type == "TIMESTAMP_NS" && pinned->type.kind == TypeKind::kTimestampNtz;
    if (cut_nanos || (type && (*type == pinned->type || contract::IsWidening(*type, pinned->type)))) return pinned->type;
    return Fail(UserError("contract-mismatch", fmt::format("column \"{}\" is a {} here, and {} has a {}", column.name,
                                                           pinned->type.ToString(), file, type ? type->ToString() : column.duckdb_type))
                    .At(pinned->where)
                    .Hint("write its own type or a wider one, and cast it in a model"));
  }

  Status Merge(Column column) {
    const auto same = std::find_if(columns_.begin(), columns_.end(),
                                   [&](const Column& known) { return EqualsIgnoreCase(known.field.name, column.field.name); });
    if (same == columns_.end()) {
      columns_.push_back(std::move(column));
      return Ok();
    }
    if (same->field.type == column.field.type || contract::IsWidening(column.field.type, same->field.type)) return Ok();
    if (!contract::IsWidening(same->field.type, column.field.type))
      return Fail(
          DataError("mixed-types", fmt::format("column \"{}\" is a {} in {} and a {} in {}", column.field.name, same->field.type.ToString(),
                                               same->seen_in, column.field.type.ToString(), column.seen_in))
              .Hint("such files are two tables: give each a source of its own, with files: \"…\""));
    same->field.type = std::move(column.field.type);
    return Ok();
  }

  Status MakeSchema() {
    SLUICE_TRY(const std::vector<Field> partitions, Partitions());
    if (!all_anew_) SLUICE_CHECK(OntoBase(partitions));
    for (const Column& column : columns_) {
      const bool partition = std::any_of(partitions.begin(), partitions.end(),
                                         [&](const Field& field) { return EqualsIgnoreCase(field.name, column.field.name); });
      if (!partition) schema_.fields.push_back(column.field);
    }
    for (const Field& field : partitions) {
      schema_.fields.push_back(field);
      partition_columns_.push_back(field.name);
    }
    return CheckPinnedAreThere();
  }

  // What the new files say comes on top of what is known of the others, in the order that the table has.
  Status OntoBase(const std::vector<Field>& partitions) {
    std::vector<Column> fresh = std::move(columns_);
    columns_.clear();
    for (const Field& field : base_->schema.fields) {
      const bool partition =
          std::any_of(partitions.begin(), partitions.end(), [&](const Field& one) { return EqualsIgnoreCase(one.name, field.name); });
      if (!partition) columns_.push_back({field, "the files before"});
    }
    for (Column& column : fresh) SLUICE_CHECK(Merge(std::move(column)));
    return Ok();
  }

  Result<std::vector<Field>> Partitions() {
    std::vector<std::string> names;
    std::vector<std::vector<std::optional<std::string>>> values;
    for (const auto& object : files_) {
      const auto found = HivePartitions(Relative(object));
      std::vector<std::string> here;
      for (const auto& [name, value] : found) here.push_back(name);
      if (&object == &files_.front()) {
        names = here;
        values.resize(names.size());
      }
      if (here != names)
        return Fail(
            DataError("mixed-partitions", fmt::format("{} lies below other partitions than {}", Relative(object), Relative(files_.front())))
                .Hint("all files of a table have the same column=value folders: choose them with files: \"…\""));
      for (size_t i = 0; i < found.size(); ++i) values[i].push_back(found[i].second);
    }
    std::vector<Field> partitions;
    for (size_t i = 0; i < names.size(); ++i) {
      const contract::ColumnContract* pinned = Pinned(names[i]);
      partitions.push_back({names[i], pinned != nullptr ? pinned->type : TypeOfPartition(values[i]), true, {}});
    }
    return partitions;
  }

  Status CheckPinnedAreThere() const {
    Diagnostics diagnostics;
    for (const contract::ColumnContract& column : folder_.pinned)
      if (schema_.Find(column.name) == nullptr)
        diagnostics.Add(UserError("contract-mismatch",
                                  fmt::format("no file has a column \"{}\"{}", column.name, DidYouMean(column.name, schema_.Names())))
                            .At(column.where)
                            .Hint("name the columns as the files have them"));
    return diagnostics.ok() ? Ok() : Status(Fail(std::move(diagnostics).Take()));
  }

  // A file that was replaced goes in one commit and comes again in the next: a commit may name a file once.
  Result<std::vector<delta::PreparedCommit>> Commits() {
    delta::PreparedCommit first = Empty(base_ == nullptr ? -1 : base_->version);
    SLUICE_CHECK(AddMetadata(first));
    for (const delta::Add* add : removed_) {
      delta::Remove remove;
      remove.path = add->path;
      remove.deletion_timestamp = folder_.now.millis();
      remove.extended_file_metadata = true;
      remove.partition_values = add->partition_values;
      remove.size = add->size;
      first.actions.emplace_back(std::move(remove));
    }
    for (const auto* object : added_) first.actions.emplace_back(AddOf(*object));
    std::vector<delta::PreparedCommit> commits;
    commits.push_back(std::move(first));
    if (changed_.empty()) return commits;
    delta::PreparedCommit second = Empty(commits.front().read_version + 1);
    for (const auto* object : changed_) second.actions.emplace_back(AddOf(*object));
    commits.push_back(std::move(second));
    return commits;
  }

  delta::PreparedCommit Empty(int64_t read_version) const {
    delta::PreparedCommit commit;
    commit.table_id = base_ == nullptr ? folder_.new_id : base_->metadata.id;
    commit.read_version = read_version;
    commit.reads = delta::ReadScope::kWholeTable;
    commit.operation = "LISTING";
    return commit;
  }

  Status AddMetadata(delta::PreparedCommit& commit) const {
    delta::Metadata metadata = base_ == nullptr ? delta::Metadata{} : base_->metadata;
    metadata.id = commit.table_id;
    metadata.schema_string = delta::ToSchemaString(schema_);
    metadata.partition_columns = partition_columns_;
    metadata.configuration[kDefinition] = folder_.definition;
    if (base_ != nullptr && metadata == base_->metadata) return Ok();
    if (base_ == nullptr) metadata.created_time = folder_.now.millis();
    SLUICE_TRY(const delta::Protocol protocol,
               delta::ProtocolFor(schema_, {}, base_ == nullptr ? std::nullopt : std::optional(base_->protocol)));
    if (base_ == nullptr || !(protocol == base_->protocol)) commit.actions.emplace_back(protocol);
    commit.actions.emplace_back(std::move(metadata));
    return Ok();
  }

  delta::Add AddOf(const store::ObjectMeta& object) const {
    delta::Add add;
    add.path = delta::LogPath(Relative(object));
    for (const auto& [name, value] : HivePartitions(Relative(object))) add.partition_values[name] = value;
    add.size = object.size;
    add.modification_time = object.modified.millis();
    const auto rows = rows_.find(Relative(object));
    if (rows != rows_.end()) add.stats = fmt::format("{{\"numRecords\":{}}}", rows->second);
    add.tags[kEtag] = object.etag;
    return add;
  }

  store::ObjectStore& store_;
  const std::string& root_;
  const delta::Snapshot* base_;
  const ParquetFolder& folder_;
  const Connect& connect_;
  std::vector<store::ObjectMeta> files_;
  std::vector<const store::ObjectMeta*> added_, changed_;
  std::vector<const delta::Add*> removed_;       // gone, or changed
  bool all_anew_ = false;                        // every file's schema counts, and nothing of the base's
  std::map<std::string, std::string> location_;  // as the engine names a file → below the root
  std::map<std::string, int64_t> rows_;          // of new files, by path below the root
  std::vector<Column> columns_;
  contract::Schema schema_;
  std::vector<std::string> partition_columns_;
};

}  // namespace

Result<std::vector<store::ObjectMeta>> FilesOfFolder(const std::vector<store::ObjectMeta>& listed, std::string_view root,
                                                     std::string_view glob) {
  const size_t skip = root.empty() ? 0 : root.size() + 1;
  std::set<std::string> delta_tables;  // with the '/' at the end; "" = the root
  for (const auto& object : listed)
    if (const size_t log = object.key.find("_delta_log/", skip); log == skip || (log != std::string::npos && object.key[log - 1] == '/'))
      delta_tables.insert(object.key.substr(skip, log - skip));
  std::vector<store::ObjectMeta> files;
  for (const auto& object : listed) {
    const std::string key = object.key.substr(skip);
    if (!Counts(key, glob)) continue;
    for (const std::string& table : delta_tables)
      if (key.starts_with(table))
        return Fail(UserError("delta-as-parquet", fmt::format("{} is a Delta table: its log says which of its files count",
                                                              table.empty() ? "this folder" : table.substr(0, table.size() - 1)))
                        .Hint("write table: FOLDER and format: delta"));
    files.push_back(object);
  }
  return files;
}

std::vector<std::pair<std::string, std::optional<std::string>>> HivePartitions(std::string_view relative_key) {
  std::vector<std::pair<std::string, std::optional<std::string>>> found;
  std::vector<std::string> parts = Split(relative_key, '/');
  if (!parts.empty()) parts.pop_back();
  for (const std::string& part : parts) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    const std::string value = PercentDecode(part.substr(equals + 1));
    found.emplace_back(PercentDecode(part.substr(0, equals)), value == kNullPartition ? std::nullopt : std::optional(value));
  }
  return found;
}

DataType TypeOfPartition(const std::vector<std::optional<std::string>>& values) {
  bool whole = true, dates = true, any = false;
  for (const auto& value : values) {
    if (!value) continue;
    any = true;
    whole = whole && IsWhole(*value);
    dates = dates && ParseDate(*value).has_value();
  }
  if (any && whole) return DataType::Of(TypeKind::kBigint);
  return DataType::Of(any && dates ? TypeKind::kDate : TypeKind::kString);
}

Result<std::vector<delta::PreparedCommit>> FollowFolder(store::ObjectStore& store, const std::string& root, const delta::Snapshot* base,
                                                        const ParquetFolder& folder, const Connect& connect) {
  return Follower(store, root, base, folder, connect).Follow();
}

Result<std::vector<std::string>> MovedFiles(store::ObjectStore& store, const std::string& root, const delta::Snapshot& pinned) {
  SLUICE_TRY(const auto listed, store.List(root + "/"));
  std::map<std::string, const store::ObjectMeta*> now;
  for (const auto& object : listed) now[object.key] = &object;
  std::vector<std::string> moved;
  for (const delta::Add& add : pinned.files) {
    const auto found = now.find(delta::StoreKey(root, add.path));
    if (found == now.end() || found->second->size != add.size || found->second->etag != EtagOf(add))
      moved.push_back(delta::PathKey(add.path));
  }
  return moved;
}

}  // namespace sluice::tables
