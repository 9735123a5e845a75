#include <fmt/format.h>

#include <algorithm>

#include "contract/zone.h"
#include "core/counted.h"
#include "core/text.h"
#include "formats/bytes.h"
#include "formats/encoding.h"
#include "formats/format.h"
#include "formats/xlsx_cells.h"
#include "project/build.h"
#include "project/names.h"
#include "sources/read_keys.h"
#include "sources/source.h"

namespace sluice::project {
namespace {

using config::GivenKey;
using sources::FileFormat;

std::optional<FileFormat> FormatByEnding(std::string path) {
  while (path.ends_with('*')) path.pop_back();
  const std::string lower = ToLower(path);
  const std::string_view name = std::string_view(lower).substr(0, lower.size() - formats::CompressionOfEnding(lower).second);
  if (name.ends_with(".txt") || name.ends_with(".psv")) return std::nullopt;  // of fixed places as well as of separated values
  const formats::FormatTraits* format = formats::FormatOfPath(path);
  return format == nullptr ? std::nullopt : std::optional(format->format);
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
                        .Hint("add format: csv, ndjson, json, xml, xlsx, fixed, parquet, orc or avro"));
  return format.value_or(FileFormat::kCsv);
}

// One byte of ASCII, or "".
std::optional<std::string> CharacterOf(const std::optional<PlacedText>& text, std::string_view key, Diagnostics& diagnostics) {
  if (!text) return std::nullopt;
  std::string value = sources::CharacterText(text->value);
  if (value.empty() || (value.size() == 1 && static_cast<unsigned char>(value[0]) < 0x80 && value != "\n" && value != "\r")) return value;
  diagnostics.Add(UserError("bad-character", fmt::format("\"{}\" must be one ASCII character, found \"{}\"", key, text->value))
                      .At(text->where)
                      .Hint("write \";\", \"|\" or tab"));
  return std::nullopt;
}

// `tab` and "\t" for a tab.
std::optional<std::string> DelimiterOf(const std::optional<PlacedText>& text, Diagnostics& diagnostics) {
  constexpr size_t kLongest = 8;
  if (!text) return std::nullopt;
  std::string value = sources::CharacterText(text->value);
  const bool ascii = std::all_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!value.empty() && value.size() <= kLongest && ascii && value.find_first_of("\r\n\"") == std::string::npos) return value;
  diagnostics.Add(UserError("bad-character", fmt::format("\"delimiter\" must be 1 to {} ASCII characters other than quotes and line ends, "
                                                         "found \"{}\"",
                                                         kLongest, value))
                      .At(text->where)
                      .Hint("write \";\", \"||\" or tab"));
  return std::nullopt;
}

std::string EncodingOf(const std::optional<PlacedText>& text, Diagnostics& diagnostics) {
  if (!text) return "";
  auto known = formats::ParseEncoding(text->value);
  if (known) return *std::move(known);
  diagnostics.Add(std::move(known).error().At(text->where));
  return "";
}

// Keys that are of some formats only, and values of keys that cannot stand together.
void RefuseOtherKeys(const ReadSpec& spec, const sources::Read& read, Diagnostics& diagnostics) {
  bool other = false;
  for (const GivenKey& given : spec.given) {
    const auto error = given.inherited ? std::nullopt : sources::KeyOfAnotherFormat(given.name, read.format);
    if (error) diagnostics.Add(Error(*error).At(given.where));
    other |= error.has_value();
  }
  const auto wrong = other ? std::nullopt : sources::KeysThatExcludeEachOther(read);
  const GivenKey* given = wrong ? FindGiven(spec.given, wrong->key) : nullptr;
  if (wrong) diagnostics.Add(Error(wrong->error).At(given == nullptr ? spec.where : given->where));
}

void BuildFormatOptions(const ReadSpec& spec, sources::Read* read, Diagnostics& diagnostics) {
  const auto text = [](const std::optional<PlacedText>& placed) { return placed ? placed->value : ""; };
  read->members = text(spec.members);
  read->options.xlsx = {text(spec.sheet), text(spec.range), spec.header ? std::optional(*spec.header > 0) : std::nullopt};
  read->options.record = text(spec.record);
  read->options.fixed.skip = spec.skip.value_or(0);
  read->options.fixed.pad = spec.pads_short_lines;
  if (spec.range && !formats::ParseRange(spec.range->value))
    diagnostics.Add(UserError("bad-range", fmt::format("\"{}\" is no range of cells", spec.range->value))
                        .At(spec.range->where)
                        .Hint("write \"B3:F\", \"A1:D100\" or \"A:F\""));
  if (read->format == FileFormat::kXml && read->options.record.empty())
    diagnostics.Add(
        UserError("missing-key", "format: xml lacks \"record\"").At(spec.where).Hint("say which element is a record: record: order"));
}

std::string MarkerOf(const std::optional<PlacedText>& text, Diagnostics& diagnostics) {
  if (!text) return "";
  std::string plain = text->value;  // without what stands for the file's name
  for (const std::string_view part : {"{name}", "{stem}"})
    for (size_t at = plain.find(part); at != std::string::npos; at = plain.find(part)) plain.erase(at, part.size());
  if (!plain.empty() && !plain.starts_with('/') && plain.find_first_of("{}") == std::string::npos && plain.find("..") == std::string::npos)
    return text->value;
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
  read.encoding = EncodingOf(spec.encoding, diagnostics);
  read.csv.delimiter = DelimiterOf(spec.delimiter, diagnostics);
  read.csv.quote = CharacterOf(spec.quote, "quote", diagnostics);
  read.csv.escape = CharacterOf(spec.escape, "escape", diagnostics);
  read.csv.comment = CharacterOf(spec.comment, "comment", diagnostics);
  if (spec.header) read.csv.header = *spec.header > 0;
  read.csv.header_rows = static_cast<int>(std::max<int64_t>(1, spec.header.value_or(1)));
  if (spec.skip) read.csv.skip = static_cast<int>(*spec.skip);
  read.csv.footer = static_cast<int>(spec.footer.value_or(0));
  read.on_changed_file = spec.on_changed_file;
  read.on_renamed_file = spec.on_renamed_file;
  read.on_copied_file = spec.on_copied_file;
  read.order = spec.order;
  read.settle_micros = spec.settle;
  read.done_marker = MarkerOf(spec.done_marker, diagnostics);
  BuildFormatOptions(spec, &read, diagnostics);
  RefuseOtherKeys(spec, read, diagnostics);
  return read;
}

using FixedFields = std::vector<formats::FixedField>;

const std::string& FieldOf(const ContractColumnSpec& column) { return column.from ? column.from->value : column.name.value; }

// One behind the other, in the order of the contract's columns.
FixedFields FieldsByWidths(const ReadSpec& read, const std::vector<ContractColumnSpec>& columns, Diagnostics& diagnostics) {
  if (read.widths.size() < columns.size())
    diagnostics.Add(UserError("missing-key", fmt::format("\"widths\" has {} for {} columns of the contract",
                                                         Counted(read.widths.size(), "width"), columns.size()))
                        .At(FindGiven(read.given, "widths")->where)
                        .Hint("give each column its width, in their order"));
  FixedFields fields;
  int64_t at = 0;
  for (size_t i = 0; i < read.widths.size(); ++i) {
    fields.push_back({i < columns.size() ? FieldOf(columns[i]) : fmt::format("column_{}", i + 1), at, read.widths[i]});
    at += read.widths[i];
  }
  return fields;
}

FixedFields FieldsByPlaces(const std::vector<ContractColumnSpec>& columns, Diagnostics& diagnostics) {
  FixedFields fields;
  for (const ContractColumnSpec& column : columns) {
    if (!column.start || !column.width) {
      diagnostics.Add(UserError("missing-key", fmt::format("the column \"{}\" does not say where it stands in the line", column.name.value))
                          .At(column.where)
                          .Hint("add start and width, or write read: { widths: [10, 8, 12] }"));
      continue;
    }
    const formats::FixedField field = {FieldOf(column), *column.start - 1, *column.width};
    const auto other = std::find_if(fields.begin(), fields.end(), [&](const formats::FixedField& f) {
      return f.start < field.start + field.width && field.start < f.start + f.width;
    });
    if (other != fields.end())
      diagnostics.Add(UserError("conflicting-keys", fmt::format("the column \"{}\" stands where \"{}\" does: characters {} to {}",
                                                                field.name, other->name, other->start + 1, other->start + other->width))
                          .At(column.where)
                          .Hint("mend start or width: each character of a line is of one field"));
    fields.push_back(field);
  }
  std::stable_sort(fields.begin(), fields.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
  return fields;
}

// Where the fields of format: fixed stand: by `widths`, or by the columns' own start and width.
void PlaceFields(const SourceSpec& spec, Source* source, Diagnostics& diagnostics) {
  FixedFields& fields = source->read.options.fixed.fields;
  const std::vector<ContractColumnSpec> none;
  const auto& columns = spec.contract ? spec.contract->columns : none;
  const bool fixed = source->read.format == FileFormat::kFixed;
  const auto says = [](const ContractColumnSpec& column) { return column.start || column.width; };
  const auto one = std::find_if(columns.begin(), columns.end(), says);
  if (one != columns.end() && (!fixed || !spec.read->widths.empty())) {
    diagnostics.Add(UserError("key-of-another-format",
                              fixed ? "\"start\" and \"width\" stand beside \"widths\"" : "\"start\" and \"width\" are of format: fixed")
                        .At(one->where)
                        .Hint(fixed ? "write the one or the others" : "remove them, or write format: fixed"));
    return;
  }
  if (!fixed) return;
  fields = spec.read->widths.empty() ? FieldsByPlaces(columns, diagnostics) : FieldsByWidths(*spec.read, columns, diagnostics);
  if (columns.empty() && fields.empty())
    diagnostics.Add(UserError("missing-key", "format: fixed lacks \"widths\"")
                        .At(spec.read->where)
                        .Hint("write widths: [10, 8, 12], or a contract whose columns have start and width"));
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
  source.where = spec.where;
  const bool command = IsCommand(spec);
  source.connection = command ? Connection{"command", "command", "", spec.where, std::nullopt, std::nullopt, project.root}
                              : FindConnection(spec, project, diagnostics);
  const bool rows = sources::GivesRows(source.connection.type);
  const PlacedText name = NameOfTable(spec, source.connection.postgres.has_value());
  source.name = name.value;
  if (!source.connection.postgres || !IsTablePattern(spec)) CheckName(name, "a source", diagnostics);
  if (rows) {
    source.rows = command                  ? BuildCommand(spec, diagnostics)
                  : source.connection.http ? BuildRequests(spec, diagnostics)
                                           : BuildRows(spec, diagnostics);
    source.read.where = source.rows.where;
  } else if (!source.connection.type.empty()) {
    RefuseKeysOfRows(spec, diagnostics);
  }
  if (rows)
    source.read.format = command || source.connection.http ? FileFormat::kNdjson : FileFormat::kParquet;  // values as those of such files
  else if (spec.load == Load::kExternal)
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
  if (spec.read && !source.external && !rows) PlaceFields(spec, &source, diagnostics);
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
