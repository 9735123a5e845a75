#include <fmt/format.h>

#include <algorithm>

#include "contract/zone.h"
#include "core/text.h"
#include "project/build.h"
#include "project/names.h"

namespace sluice::project {
namespace {

using config::GivenKey;
using sources::FileFormat;

std::optional<FileFormat> FormatByEnding(std::string_view files) {
  std::string path = ToLower(files);
  for (const char* packed : {".gz", ".zst", ".zstd", "*"})
    if (path.ends_with(packed)) path.resize(path.size() - std::string_view(packed).size());
  for (const char* ending : {".csv", ".tsv"})
    if (path.ends_with(ending)) return FileFormat::kCsv;
  for (const char* ending : {".ndjson", ".jsonl", ".json"})
    if (path.ends_with(ending)) return FileFormat::kNdjson;
  return path.ends_with(".parquet") ? std::optional(FileFormat::kParquet) : std::nullopt;
}

FileFormat FormatOf(const ReadSpec& spec, Diagnostics& diagnostics) {
  if (spec.format && spec.format->value == ReadFormat::kDelta) {
    diagnostics.Add(UserError("key-of-another-load", "format: delta is of load: external")
                        .At(spec.format->where)
                        .Hint("write load: external and table: FOLDER to read a Delta table where it is"));
    return FileFormat::kParquet;
  }
  const auto format = spec.format ? std::optional(static_cast<FileFormat>(spec.format->value)) : FormatByEnding(spec.files->value);
  if (!format && !spec.files->value.empty())
    diagnostics.Add(UserError("missing-key", fmt::format("\"{}\" does not tell the files' format", spec.files->value))
                        .At(spec.files->where)
                        .Hint("add format: csv, ndjson or parquet"));
  return format.value_or(FileFormat::kCsv);
}

// One byte of ASCII; "tab" and "\t" for a tab; "" where `may_be_empty`.
std::optional<std::string> CharacterOf(const std::optional<PlacedText>& text, std::string_view key, bool may_be_empty,
                                       Diagnostics& diagnostics) {
  if (!text) return std::nullopt;
  std::string value = text->value == "tab" || text->value == "\\t" ? "\t" : text->value;
  if (value.empty() ? may_be_empty : value.size() == 1 && static_cast<unsigned char>(value[0]) < 0x80 && value != "\n" && value != "\r")
    return value;
  diagnostics.Add(UserError("bad-character", fmt::format("\"{}\" must be one ASCII character, found \"{}\"", key, text->value))
                      .At(text->where)
                      .Hint("write \";\", \"|\" or tab"));
  return std::nullopt;
}

void RefuseCsvKeys(const ReadSpec& spec, Diagnostics& diagnostics) {
  for (const char* key : {"delimiter", "quote", "escape", "comment", "header", "skip"})
    if (const GivenKey* given = FindGiven(spec.given, key); given && !given->inherited)
      diagnostics.Add(UserError("key-of-another-format", fmt::format("\"{}\" is of format: csv", key))
                          .At(given->where)
                          .Hint("remove it, or write format: csv"));
}

std::string MarkerOf(const std::optional<PlacedText>& text, Diagnostics& diagnostics) {
  if (!text) return "";
  if (!text->value.empty() && !text->value.starts_with('/') && text->value.find("..") == std::string::npos) return text->value;
  diagnostics.Add(UserError("bad-marker", fmt::format("\"done_marker\" must be a name beside the file, found \"{}\"", text->value))
                      .At(text->where)
                      .Hint("write \"{name}.done\", \"{stem}.ok\" or _SUCCESS: {name} is the file's name, {stem} that without its ending"));
  return "";
}

bool RefuseTable(const ReadSpec& spec, Diagnostics& diagnostics) {
  if (const GivenKey* table = FindGiven(spec.given, "table"); table && !table->inherited) {
    diagnostics.Add(UserError("key-of-another-load", "\"table\" is of load: external")
                        .At(table->where)
                        .Hint("write load: external to read the table where it is, or files: \"FOLDER/*.parquet\" to ingest its files"));
    return true;
  }
  return false;
}

sources::Read BuildRead(const ReadSpec& spec, Diagnostics& diagnostics) {
  sources::Read read;
  read.where = spec.where;
  if (RefuseTable(spec, diagnostics)) return read;
  if (!spec.files) {
    if (!FindGiven(spec.given, "files"))
      diagnostics.Add(UserError("missing-key", "\"read\" lacks \"files\"").At(spec.where).Hint("add files: \"orders/*.csv\""));
    return read;
  }
  if (spec.files->where.known()) CheckBelowConnection(*spec.files, "files", "bad-glob", diagnostics);
  read.files = spec.files->value.starts_with("./") ? spec.files->value.substr(2) : spec.files->value;
  read.format = FormatOf(spec, diagnostics);
  read.compression = spec.compression;
  read.csv.delimiter = CharacterOf(spec.delimiter, "delimiter", false, diagnostics);
  read.csv.quote = CharacterOf(spec.quote, "quote", true, diagnostics);
  read.csv.escape = CharacterOf(spec.escape, "escape", true, diagnostics);
  read.csv.comment = CharacterOf(spec.comment, "comment", true, diagnostics);
  read.csv.header = spec.header;
  if (spec.skip) read.csv.skip = static_cast<int>(*spec.skip);
  read.on_changed_file = spec.on_changed_file;
  read.on_renamed_file = spec.on_renamed_file;
  read.on_copied_file = spec.on_copied_file;
  read.order = spec.order;
  read.settle_micros = spec.settle;
  read.done_marker = MarkerOf(spec.done_marker, diagnostics);
  if (read.format != FileFormat::kCsv) RefuseCsvKeys(spec, diagnostics);
  return read;
}

Connection FindConnection(const SourceSpec& spec, const Project& project, Diagnostics& diagnostics) {
  if (!spec.connection) {
    if (FindGiven(spec.given, "connection")) return {};  // what it is was refused
    diagnostics.Add(UserError("missing-key", fmt::format("the source {} lacks \"connection\"", spec.name.value))
                        .At(spec.where)
                        .Hint("add connection: NAME, one of the project's connections"));
    return {};
  }
  const auto found = project.connections.find(spec.connection->value);
  if (found != project.connections.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [name, connection] : project.connections) names.push_back(name);
  diagnostics.Add(UserError("unknown-connection", fmt::format("there is no connection \"{}\"{}", spec.connection->value,
                                                              DidYouMean(spec.connection->value, names)))
                      .At(spec.connection->where)
                      .Hint(names.empty() ? "declare one in sluice.yml, connections: { drop: { type: files, path: ./landing } }"
                                          : "sluice.yml declares " + Join(names, ", ")));
  return {};
}

std::vector<std::string> NamesOf(const std::vector<contract::ColumnContract>& columns) {
  std::vector<std::string> names;
  for (const auto& column : columns) names.push_back(column.name);
  return names;
}

void CheckTellsTime(const PlacedText& of, const std::vector<contract::ColumnContract>& columns, Diagnostics& diagnostics) {
  using contract::TypeKind;
  for (const auto& column : columns) {
    const TypeKind kind = column.type.kind;
    if (!EqualsIgnoreCase(column.name, of.value) || kind == TypeKind::kDate || kind == TypeKind::kTimestamp ||
        kind == TypeKind::kTimestampNtz)
      continue;
    diagnostics.Add(UserError("freshness-column",
                              fmt::format("column \"{}\" is a {}: it can't tell how fresh the data is", of.value, column.type.ToString()))
                        .At(of.where)
                        .Hint("name a date or timestamp, or leave `of` out: then the time of the last load counts"));
  }
}

// Every column that the source's keys name is in its contract, where it has one.
void CheckColumnUses(const SourceSpec& spec, const Source& source, Diagnostics& diagnostics) {
  CheckPartitioning(spec.partition_by, source.contract.columns, diagnostics);
  if (!source.contract.declared) return;
  if (spec.freshness && spec.freshness->of) CheckTellsTime(*spec.freshness->of, source.contract.columns, diagnostics);
  if (source.external) return;  // its contract need not name every column
  const std::vector<std::string> names = NamesOf(source.contract.columns);
  if (spec.deduplicate) {
    CheckColumns(spec.deduplicate->key, names, "deduplicate key", "this contract", diagnostics);
    CheckColumns(spec.deduplicate->order_by, names, "deduplicate order_by", "this contract", diagnostics);
  }
  if (spec.freshness && spec.freshness->of) CheckColumns({*spec.freshness->of}, names, "freshness column", "this contract", diagnostics);
}

Freshness BuildFreshness(const FreshnessSpec& spec, Diagnostics& diagnostics) {
  if (!spec.within && !spec.warn && !spec.broken)
    diagnostics.Add(
        UserError("missing-key", "\"freshness\" has neither within nor warn").At(spec.where).Hint("write freshness: { within: 24h }"));
  return {spec.within, spec.warn, spec.of ? spec.of->value : "", spec.where};
}

void CheckDeduplicate(const DeduplicateSpec& spec, Diagnostics& diagnostics) {
  CheckDistinct(spec.key, "duplicate-item", "the key column", diagnostics);
}

void CheckKeep(const SourceSpec& spec, Diagnostics& diagnostics) {
  const GivenKey* keep = FindGiven(spec.given, "keep");
  if (keep && !keep->inherited && spec.load != Load::kFull)
    diagnostics.Add(UserError("key-of-another-load", "\"keep\" is of load: full").At(keep->where).Hint("write load: full, or remove keep"));
}

}  // namespace

const GivenKey* FindGiven(const config::GivenKeys& given, std::string_view name) {
  for (const GivenKey& key : given)
    if (key.name == name) return &key;
  return nullptr;
}

bool CheckBelowConnection(const PlacedText& path, std::string_view key, const std::string& code, Diagnostics& diagnostics) {
  const std::string& text = path.value;
  const auto refuse = [&](const std::string& message, const std::string& hint) {
    diagnostics.Add(UserError(code, fmt::format("\"{}\" {}", key, message)).At(path.where).Hint(hint));
    return false;
  };
  const std::vector<std::string> parts = Split(text, '/');
  if (text.empty())
    return refuse("is empty", key == "files" ? "write a glob such as \"orders/*.csv\"" : "write a folder such as sales/orders");
  if (text.starts_with('/') || text.find("://") != std::string::npos)
    return refuse("is below the connection's path and cannot be absolute", "write the folder as the connection's path");
  if (std::find(parts.begin(), parts.end(), "..") != parts.end())
    return refuse("cannot leave the connection's path", "make another connection with that path");
  return true;
}

Source BuildSource(const SourceSpec& spec, const Project& project, bool zone_is_said, Diagnostics& diagnostics) {
  Source source;
  source.name = spec.name.value;
  source.where = spec.where;
  CheckName(spec.name, "a source", diagnostics);
  source.connection = FindConnection(spec, project, diagnostics);
  if (spec.load == Load::kExternal)
    source.external = BuildExternal(spec, source.connection, diagnostics);
  else if (spec.read)
    source.read = BuildRead(*spec.read, diagnostics);
  else if (!FindGiven(spec.given, "read"))
    diagnostics.Add(UserError("missing-key", fmt::format("the source {} lacks \"read\"", spec.name.value))
                        .At(spec.where)
                        .Hint("add read: { files: \"NAME/*.csv\" }"));
  source.load = spec.load;
  source.keep = spec.keep;
  if (!source.external) CheckKeep(spec, diagnostics);
  if (spec.deduplicate) {
    CheckDeduplicate(*spec.deduplicate, diagnostics);
    source.deduplicate = {TextsOf(spec.deduplicate->key), TextsOf(spec.deduplicate->order_by)};
  }
  source.partition_by = TextsOf(spec.partition_by);
  const std::string zone = zone_is_said ? project.timezone : "";
  if (spec.contract)
    source.contract = BuildContract(*spec.contract, source.read.format, zone, diagnostics);
  else
    source.contract.zone = zone;
  CheckColumnUses(spec, source, diagnostics);
  const bool all_known = source.contract.declared && source.contract.on_new_column != contract::OnNewColumn::kEvolve;
  source.checks = BuildChecks(
      spec.checks, {"bronze." + source.name, all_known ? NamesOf(source.contract.columns) : std::vector<std::string>{}}, diagnostics);
  if (spec.freshness) source.freshness = BuildFreshness(*spec.freshness, diagnostics);
  if (!source.external) source.maintenance = BuildMaintenance(spec.maintenance, diagnostics);
  source.properties = BuildProperties(spec.properties, project, diagnostics);
  source.fingerprint = Fingerprint(source, project.root);
  return source;
}

}  // namespace sluice::project
