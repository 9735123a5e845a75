#include "tables/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "delta/deletion_vector.h"
#include "delta/path.h"
#include "engines/row_set.h"
#include "store/remote.h"
#include "tables/file_stats.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;

constexpr std::string_view kFileName = "__sluice_file";
// Files whose statistics are asked which columns they have, before a column counts as possibly missing from all.
constexpr size_t kFilesAskedForColumns = 16;

std::string ListOf(const std::vector<std::string>& items) { return "[" + Join(items, ", ") + "]"; }

std::string TypedNull(const DataType& type) { return fmt::format("CAST(NULL AS {})", type.ToDuckDb()); }

// The protocol's text of a partition value as the column's type. An empty text is NULL for every type.
std::string PartitionValue(const std::string& text_sql, const DataType& type) {
  const std::string value = fmt::format("nullif({}, '')", text_sql);
  if (type.kind == TypeKind::kString) return value;
  if (type.kind == TypeKind::kBinary) return fmt::format("encode({})", value);
  return fmt::format("CAST({} AS {})", value, type.ToDuckDb());
}

std::string PartitionText(const delta::PartitionValues& values, const std::string& physical_name) {
  auto found = values.find(physical_name);
  if (found == values.end())
    found = std::find_if(values.begin(), values.end(), [&](const auto& entry) { return EqualsIgnoreCase(entry.first, physical_name); });
  return found == values.end() || !found->second ? "NULL" : QuoteLiteral(*found->second);
}

// `sql`, of the physical type, with the logical names of nested fields.
std::string Renamed(const std::string& sql, const DataType& logical, const DataType& physical, int depth) {
  if (logical == physical) return sql;
  const std::string item = fmt::format("x{}", depth);
  if (logical.kind == TypeKind::kList)
    return fmt::format("list_transform({}, lambda {}: {})", sql, item,
                       Renamed(item, logical.children[0].type, physical.children[0].type, depth + 1));
  if (logical.kind == TypeKind::kMap)
    return fmt::format("map_from_entries(list_transform(map_entries({}), lambda {}: struct_pack(key := {}, value := {})))", sql, item,
                       Renamed(item + ".key", logical.children[0].type, physical.children[0].type, depth + 1),
                       Renamed(item + ".value", logical.children[1].type, physical.children[1].type, depth + 1));
  std::vector<std::string> parts;
  for (size_t i = 0; i < logical.children.size(); ++i) {
    const std::string part = fmt::format("({}).{}", sql, QuoteIdentifier(physical.children[i].name));
    parts.push_back(fmt::format("{} := {}", QuoteIdentifier(logical.children[i].name),
                                Renamed(part, logical.children[i].type, physical.children[i].type, depth)));
  }
  return fmt::format("CASE WHEN {} IS NULL THEN NULL ELSE struct_pack({}) END", sql, Join(parts, ", "));
}

// One scan being written.
class ScanWriter {
 public:
  ScanWriter(store::ObjectStore& store, std::string_view root, const ScanSource& source, const ScanOptions& options)
      : store_(store), root_(root), source_(source), options_(options), physical_(delta::PhysicalSchema(source.schema, source.mapping)) {}

  Result<Scan> Write() {
    SLUICE_CHECK(ChooseColumns());
    SLUICE_CHECK(ReadDeletionVectors());
    SLUICE_CHECK(CheckReadable());
    Measure();
    scan_.sql = source_.files.empty() ? Empty() : Files();
    return std::move(scan_);
  }

 private:
  Status ChooseColumns() {
    std::set<int> wanted;
    if (options_.columns) {
      for (const std::string& name : *options_.columns) {
        const int at = source_.schema.IndexOf(name);
        if (at < 0)
          return Fail(UserError("unknown-column",
                                fmt::format("table {} has no column \"{}\"{}", root_, name, DidYouMean(name, source_.schema.Names()))));
        wanted.insert(at);
      }
    } else {
      for (size_t i = 0; i < source_.schema.fields.size(); ++i) wanted.insert(static_cast<int>(i));
    }
    columns_.assign(wanted.begin(), wanted.end());
    for (int at : columns_) scan_.schema.fields.push_back(source_.schema.fields[at]);
    if (!options_.file_column.empty()) scan_.schema.fields.push_back({options_.file_column, DataType::Of(TypeKind::kString)});
    if (!options_.row_column.empty()) scan_.schema.fields.push_back({options_.row_column, DataType::Of(TypeKind::kBigint)});
    return Ok();
  }

  Status ReadDeletionVectors() {
    for (const delta::Add* add : source_.files) {
      if (!add->deletion_vector) continue;
      SLUICE_TRY(auto rows, delta::ReadDeletionVector(store_, root_, *add->deletion_vector));
      if (!rows.empty()) deleted_.push_back({delta::FileLocation(store_, root_, add->path), std::move(rows)});
    }
    return Ok();
  }

  bool NumbersRows() const {
    return !options_.row_column.empty() || !deleted_.empty() ||
           std::any_of(columns_.begin(), columns_.end(), [this](int at) { return IsFilenameColumn(at); });
  }

  // DuckDB takes a filter on a column of this name for one on the files' names, whatever their column is called, as long as nothing else
  // stands in it.
  bool IsFilenameColumn(int at) const { return !IsPartition(at) && EqualsIgnoreCase(physical_.fields[at].name, "filename"); }

  Status CheckReadable() const {
    if (NumbersRows() && physical_.IndexOf("file_row_number") >= 0)
      return Fail(UnsupportedError("unsupported-feature",
                                   fmt::format("table {} has a column named file_row_number, so its rows cannot be numbered", root_)));
    return Ok();
  }

  void Measure() {
    scan_.files = static_cast<int64_t>(source_.files.size());
    scan_.rows = 0;
    for (const delta::Add* add : source_.files) {
      scan_.bytes += add->size;
      if (scan_.rows < 0) continue;
      const auto rows = RowsOf(*add);
      scan_.rows = rows ? scan_.rows + *rows : -1;
    }
  }

  bool IsPartition(int at) const {
    return std::any_of(source_.partition_columns.begin(), source_.partition_columns.end(),
                       [&](const std::string& name) { return EqualsIgnoreCase(name, source_.schema.fields[at].name); });
  }

  std::string Empty() const {
    std::vector<std::string> items;
    for (const Field& field : scan_.schema.fields)
      items.push_back(fmt::format("{} AS {}", TypedNull(field.type), QuoteIdentifier(field.name)));
    return fmt::format("(SELECT {} WHERE false)", Join(items, ", "));
  }

  std::string Files() {
    std::vector<std::string> items;
    for (int at : columns_) items.push_back(fmt::format("{} AS {}", Column(at), QuoteIdentifier(source_.schema.fields[at].name)));
    if (!options_.file_column.empty()) items.push_back(fmt::format("d.{} AS {}", kFileName, QuoteIdentifier(options_.file_column)));
    if (!options_.row_column.empty()) items.push_back("d.file_row_number AS " + QuoteIdentifier(options_.row_column));
    if (items.empty()) items.push_back("NULL");
    std::string from = Data(!options_.file_column.empty() || !joined_.empty() || !deleted_.empty()) + " AS d";
    if (!joined_.empty()) from += fmt::format(" JOIN {} AS p ON d.{} = p.file", PerFile(), kFileName);
    if (!deleted_.empty()) from += " WHERE NOT " + engines::Listed(deleted_, fmt::format("d.{}", kFileName), "d.file_row_number");
    return fmt::format("(SELECT {} FROM {})", Join(items, ", "), from);
  }

  // The value of one column as SQL over d, the files' own columns, and p, what the log says of each file.
  std::string Column(int at) {
    const Field& field = source_.schema.fields[at];
    if (!IsPartition(at)) {
      std::string own = fmt::format("CAST(d.{} AS {})", QuoteIdentifier(physical_.fields[at].name), physical_.fields[at].type.ToDuckDb());
      if (IsFilenameColumn(at)) own = fmt::format("CASE WHEN d.file_row_number >= 0 THEN {} END", own);
      return Renamed(own, field.type, physical_.fields[at].type, 0);
    }
    const std::string first = PartitionText(source_.files.front()->partition_values, physical_.fields[at].name);
    const bool constant = std::all_of(source_.files.begin(), source_.files.end(), [&](const delta::Add* add) {
      return PartitionText(add->partition_values, physical_.fields[at].name) == first;
    });
    if (constant) return PartitionValue(first, field.type);
    joined_.push_back(at);
    return fmt::format("p.c{}", at);
  }

  // Columns that perhaps no file has (all of them older than the column): they must be there to be bound.
  std::vector<int> PerhapsMissing() const {
    std::set<std::string> counted;
    for (size_t i = 0; i < source_.files.size() && i < kFilesAskedForColumns; ++i)
      AddCountedColumns(*source_.files[source_.files.size() - 1 - i], &counted);
    std::vector<int> missing;
    for (int at : columns_)
      if (!IsPartition(at) && !counted.contains(ToLower(physical_.fields[at].name))) missing.push_back(at);
    return missing;
  }

  std::string Data(bool with_file_name) const {
    std::vector<std::string> paths;
    for (const delta::Add* add : source_.files) paths.push_back(QuoteLiteral(EscapeGlob(delta::FileLocation(store_, root_, add->path))));
    const std::string read =
        fmt::format("read_parquet({}, union_by_name = true, hive_partitioning = false{}{})", ListOf(paths),
                    with_file_name ? fmt::format(", filename = '{}'", kFileName) : "", NumbersRows() ? ", file_row_number = true" : "");
    const auto missing = PerhapsMissing();
    if (missing.empty()) return read;
    std::vector<std::string> items;
    for (int at : missing)
      items.push_back(fmt::format("{} AS {}", TypedNull(physical_.fields[at].type), QuoteIdentifier(physical_.fields[at].name)));
    return fmt::format("(SELECT {} WHERE false UNION ALL BY NAME SELECT * FROM {})", Join(items, ", "), read);
  }

  // One row per file: its location and its partition values. DuckDB prunes files by filters on these.
  std::string PerFile() const {
    std::vector<std::string> locations;
    for (const delta::Add* add : source_.files) locations.push_back(QuoteLiteral(delta::FileLocation(store_, root_, add->path)));
    std::string outer = "file";
    std::string inner = fmt::format("unnest({}) AS file", ListOf(locations));
    for (int at : joined_) {
      std::vector<std::string> texts;
      for (const delta::Add* add : source_.files) texts.push_back(PartitionText(add->partition_values, physical_.fields[at].name));
      inner += fmt::format(", unnest(CAST({} AS VARCHAR[])) AS c{}", ListOf(texts), at);
      outer += fmt::format(", {} AS c{}", PartitionValue(fmt::format("c{}", at), source_.schema.fields[at].type), at);
    }
    return fmt::format("(SELECT {} FROM (SELECT {}))", outer, inner);
  }

  store::ObjectStore& store_;
  const std::string_view root_;
  const ScanSource& source_;
  const ScanOptions& options_;
  const contract::Schema physical_;
  std::vector<int> columns_;                  // chosen, as places in the schema
  std::vector<int> joined_;                   // partition columns whose value differs between the files
  std::vector<engines::RowsOfFile> deleted_;  // of files with a deletion vector
  Scan scan_;
};

template <typename Files>
std::vector<const delta::Add*> LiveFiles(const Files& files, const ScanOptions& options) {
  std::set<std::string> removed;
  for (const std::string& path : options.removed_paths) removed.insert(delta::PathKey(path));
  std::vector<const delta::Add*> live;
  for (const delta::Add& add : files)
    if (removed.empty() || !removed.contains(delta::PathKey(add.path))) live.push_back(&add);
  for (const StagedFile& file : options.added) live.push_back(&file.add);
  return live;
}

}  // namespace

std::string EscapeGlob(const std::string& path) {
  if (store::IsRemote(path)) return path;
  std::string out;
  for (char c : path) {
    if (c == '*' || c == '?' || c == '[')
      out += fmt::format("[{}]", c);
    else
      out += c;
  }
  return out;
}

Result<Scan> ScanFiles(store::ObjectStore& store, std::string_view table_root, const ScanSource& source, const ScanOptions& options) {
  return ScanWriter(store, table_root, source, options).Write();
}

Result<Scan> ScanFor(store::ObjectStore& store, std::string_view table_root, const delta::Snapshot& snapshot, const ScanOptions& options) {
  const auto mapping = delta::ColumnMappingOf(snapshot.protocol, snapshot.metadata);
  const ScanSource source{snapshot.schema, snapshot.metadata.partition_columns, mapping,
                          options.only ? LiveFiles(*options.only, options) : LiveFiles(snapshot.files, options)};
  return ScanFiles(store, table_root, source, options);
}

Result<Scan> ScanStaged(store::ObjectStore& store, std::string_view table_root, const contract::Schema& schema,
                        const std::vector<std::string>& partition_columns, const std::vector<StagedFile>& files,
                        delta::ColumnMapping mapping) {
  ScanSource source{schema, partition_columns, mapping};
  for (const StagedFile& file : files) source.files.push_back(&file.add);
  return ScanFiles(store, table_root, source);
}

}  // namespace sluice::tables
