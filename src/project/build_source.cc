#include <fmt/format.h>

#include <algorithm>

#include "contract/zone.h"
#include "core/text.h"
#include "project/build.h"
#include "project/names.h"

namespace sluice::project {
namespace {

using config::GivenKey;

const GivenKey* FindGiven(const config::GivenKeys& given, std::string_view name) {
  for (const GivenKey& key : given)
    if (key.name == name) return &key;
  return nullptr;
}

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
  const auto format = spec.format ? spec.format : FormatByEnding(spec.files.value);
  if (!format && !spec.files.value.empty())
    diagnostics.Add(UserError("missing-key", fmt::format("\"{}\" does not tell the files' format", spec.files.value))
                        .At(spec.files.where)
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

void CheckGlob(const PlacedText& files, Diagnostics& diagnostics) {
  const std::string& glob = files.value;
  const auto refuse = [&](const std::string& message, const std::string& hint) {
    diagnostics.Add(UserError("bad-glob", message).At(files.where).Hint(hint));
  };
  const std::vector<std::string> parts = Split(glob, '/');
  if (glob.empty())
    refuse("\"files\" is empty", "write a glob such as \"orders/*.csv\"");
  else if (glob.starts_with('/') || glob.find("://") != std::string::npos)
    refuse("\"files\" is below the connection's path and cannot be absolute", "write the folder as the connection's path");
  else if (std::find(parts.begin(), parts.end(), "..") != parts.end())
    refuse("\"files\" cannot leave the connection's path", "make another connection with that path");
}

Read BuildRead(const ReadSpec& spec, Diagnostics& diagnostics) {
  Read read;
  if (spec.files.where.known()) CheckGlob(spec.files, diagnostics);
  read.files = spec.files.value.starts_with("./") ? spec.files.value.substr(2) : spec.files.value;
  read.format = FormatOf(spec, diagnostics);
  read.compression = spec.compression;
  read.csv.delimiter = CharacterOf(spec.delimiter, "delimiter", false, diagnostics);
  read.csv.quote = CharacterOf(spec.quote, "quote", true, diagnostics);
  read.csv.escape = CharacterOf(spec.escape, "escape", true, diagnostics);
  read.csv.comment = CharacterOf(spec.comment, "comment", true, diagnostics);
  read.csv.header = spec.header;
  if (spec.skip) read.csv.skip = static_cast<int>(*spec.skip);
  read.on_changed_file = spec.on_changed_file;
  read.where = spec.where;
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

// Every column that the source's keys name is in its contract, where it has one.
void CheckColumnUses(const SourceSpec& spec, const Source& source, Diagnostics& diagnostics) {
  CheckPartitioning(spec.partition_by, source.contract.columns, diagnostics);
  if (!source.contract.declared) return;
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

Source BuildSource(const SourceSpec& spec, const Project& project, bool zone_is_said, Diagnostics& diagnostics) {
  Source source;
  source.name = spec.name.value;
  source.where = spec.where;
  CheckName(spec.name, "a source", diagnostics);
  source.connection = FindConnection(spec, project, diagnostics);
  if (spec.read)
    source.read = BuildRead(*spec.read, diagnostics);
  else if (!FindGiven(spec.given, "read"))
    diagnostics.Add(UserError("missing-key", fmt::format("the source {} lacks \"read\"", spec.name.value))
                        .At(spec.where)
                        .Hint("add read: { files: \"NAME/*.csv\" }"));
  source.load = spec.load;
  source.keep = spec.keep;
  CheckKeep(spec, diagnostics);
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
  source.properties = BuildProperties(spec.properties, project, diagnostics);
  source.fingerprint = Fingerprint(source, project.root);
  return source;
}

}  // namespace sluice::project
