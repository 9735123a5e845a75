#include "sources/discover.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/text.h"
#include "formats/format.h"
#include "formats/xml.h"
#include "formats/zip_archive.h"
#include "sources/files/files_source.h"
#include "sources/group_files.h"
#include "sources/propose.h"
#include "sources/read_keys.h"

namespace sluice::sources {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kInitBytesPerFile = 4 << 20;  // looked at of each file by init
const char* const kConnection = "files";

std::string NameOf(FileFormat format) { return std::string(formats::TraitsOf(format).name); }

struct Looked {
  std::unique_ptr<FileSource> source;
  std::vector<InputFile> files;
  TableProfile profile;
  formats::FormatOptions options;
};

// The element that looks like a record in the first of the files that has any.
Result<std::string> RecordElement(store::ObjectStore& store, const std::vector<InputFile>& files) {
  for (const InputFile& file : files) {
    formats::ReadRequest request;
    request.store = &store;
    request.key = file.object.key;
    request.compression = file.compression;
    request.member = file.member;
    SLUICE_TRY(std::string element, formats::DetectRecordElement(request));
    if (!element.empty()) return element;
  }
  return std::string();
}

// The path of an archive's first member of those that `members` picks; "" = it has none, or is none.
std::string InsideOf(store::ObjectStore& store, const std::string& key, const std::string& members = "") {
  const auto archive = store.Head(key);
  if (!archive) return "";
  const auto listing = formats::ListArchive(store, *archive, members);
  return listing && !listing->members.empty() ? listing->members.front().path : "";
}

// Lists, detects and reads the files of a glob as a batch would that had ingested those of the ledger.
Result<Looked> Look(const std::string& folder, Read read, bool accept_guesses, ProfileOptions options, const Ledger& without = {}) {
  SourceSpec spec;
  spec.connection_type = "files";
  spec.location = folder;
  spec.read = std::move(read);
  spec.accept_guesses = accept_guesses;
  SLUICE_TRY(auto source, OpenSource(spec));
  SLUICE_TRY(Offer offer, source->Look(without, Instant{}));
  const FileFormat format = spec.read.format;
  options.format = spec.read.options;
  if (format == FileFormat::kXml && options.format.record.empty()) {
    SLUICE_TRY(options.format.record, RecordElement(source->store(), offer.files));
    if (options.format.record.empty()) return Looked{std::move(source), std::move(offer.files), {.format = format}, {}};
  }
  if (offer.files.empty() && !offer.skipped.empty())
    return Fail(DataError("nothing-to-propose", fmt::format("{}: {}", offer.skipped[0].key, offer.skipped[0].why)));
  SLUICE_TRY(TableProfile profile, ProfileFiles(source->store(), offer.files, format, options));
  return Looked{std::move(source), std::move(offer.files), std::move(profile), options.format};
}

Read ReadOf(const std::string& glob, FileFormat format) {
  Read read;
  read.files = glob;
  read.format = format;
  return read;
}

// Matches this file only, whatever its name has in it.
std::string GlobOf(const std::string& key) {
  std::string glob;
  for (const char c : key)
    glob += std::string("*?[]{}").find(c) == std::string::npos ? std::string(1, c) : c == '[' ? "[[]" : "[" + std::string(1, c) + "]";
  return glob;
}

std::string ProjectYaml(const std::string& name, const std::string& path) {
  return fmt::format(
      "# {0}: from files to tables that can be trusted. Look at sources/ first, then: sluice plan, sluice run\n"
      "project: {0}\n"
      "lake: ./lake                      # where the tables live, in Delta Lake format\n"
      "timezone: UTC                     # of timestamps that a file writes without a zone\n"
      "connections:\n"
      "  {1}: {{ type: files, path: {2} }}\n"
      "# Keys for all files below a path; what a file says itself wins.\n"
      "# defaults:\n"
      "#   sources/**: {{ owner: data@example.com, freshness: {{ within: 24h }} }}\n",
      name, kConnection, YamlText(path));
}

// Why nothing can be said of files in which no column was seen.
Error NoColumns(const std::string& files, FileFormat format, const std::vector<InputFile>& looked) {
  const bool has_bytes = std::any_of(looked.begin(), looked.end(), [](const InputFile& f) { return f.object.size > 0; });
  if (format == FileFormat::kNdjson && has_bytes)
    return UserError("nothing-to-propose", files + " has no line that is a JSON object")
        .Hint(fmt::format("call it .json, which takes arrays and objects over many lines; or make lines: jq -c '.[]' {} > new.ndjson",
                          files));
  if (format == FileFormat::kJson && has_bytes)
    return UserError("nothing-to-propose", files + " has no JSON object, neither by itself nor in an array")
        .Hint("look at one that has records");
  if (format == FileFormat::kXml && has_bytes)
    return UserError("nothing-to-propose", files + " has no element that looks like a record").Hint("look at one that has records");
  return UserError("nothing-to-propose", files + " is empty").Hint("look at one that has records");
}

// How the files are written, as far as all of them are: what differs stays unpinned, and is detected in each.
formats::CsvDialect SharedDialect(const std::vector<InputFile>& files) {
  const auto says_something = [](const InputFile& file) { return file.object.size > 0; };
  const auto first = std::find_if(files.begin(), files.end(), says_something);
  formats::CsvDialect shared = (first == files.end() ? files.front() : *first).csv;
  for (const InputFile& file : files) {
    if (!says_something(file)) continue;
    if (file.csv.delimiter_text() != shared.delimiter_text()) {
      shared.delimiter = ',';
      shared.delimiter_rest.clear();
    }
    if (file.csv.quote != shared.quote || file.csv.escape != shared.escape) shared.quote = shared.escape = '"';
    if (file.csv.header) shared.header = true;
    if (file.csv.skip != shared.skip) shared.skip = 0;
  }
  return shared;
}

// "" where each file's byte order mark says it, or they differ.
std::string SharedEncoding(const std::vector<InputFile>& files) {
  const bool same = std::all_of(files.begin(), files.end(), [&](const InputFile& f) { return f.encoding == files.front().encoding; });
  return files.empty() || !same || files.front().marked ? "" : files.front().encoding;
}

void AddSource(const FileGroup& group, Looked looked, ProjectProposal* out) {
  SourceProposal source;
  source.name = group.name;
  source.connection = kConnection;
  source.files = group.glob;
  source.csv = SharedDialect(looked.files);
  source.encoding = SharedEncoding(looked.files);
  for (const InputFile& file : looked.files)
    for (const std::string& doubt : file.doubts) source.doubts.push_back(file.object.key + ": " + doubt);
  source.options = looked.options;
  const auto files = static_cast<int64_t>(looked.files.size());
  source.profile = std::move(looked.profile);
  int64_t misfits = source.profile.unreadable;
  for (const ColumnProfile& column : source.profile.columns) misfits += column.misfits;
  out->files[fmt::format("sources/{}.yml", source.name)] = SourceYaml(source);
  out->files[fmt::format("models/silver/{}.sql", source.name)] = SilverSql(source);
  out->files[fmt::format("models/silver/{}.yml", source.name)] = SilverYaml(source);
  out->sources.push_back(
      {source.name, source.files, NameOf(group.format), files, source.profile.records, misfits, ProposeKey(source.profile)});
}

std::string WhyLeftOut(const Error& error) { return error.message + (error.hint.empty() ? "" : " (" + error.hint + ")"); }

// A file that is damaged says nothing of the others. nullopt: none can be read, or none is to blame alone.
Result<std::optional<Looked>> LookAtReadable(const std::string& folder, const FileGroup& group, bool accept_guesses,
                                             const ProfileOptions& options, std::vector<Skipped>* skipped) {
  SLUICE_TRY(const auto store, store::OpenStore(folder));
  Ledger damaged;
  std::vector<Skipped> why;
  for (const std::string& key : group.keys) {
    const auto looked = Look(folder, ReadOf(GlobOf(key), group.format), accept_guesses, options);
    if (looked) continue;
    if (looked.error().kind == ErrorKind::kRetryable) return Fail(looked.error());
    SLUICE_TRY(const store::ObjectMeta object, store->Head(key));
    damaged[key] = {object.size, object.etag};
    why.push_back({key, WhyLeftOut(looked.error()) + "; a run stops at it until it is whole or gone"});
  }
  if (damaged.empty() || damaged.size() == group.keys.size()) return std::nullopt;
  auto looked = Look(folder, ReadOf(group.glob, group.format), accept_guesses, options, damaged);
  if (!looked) return std::nullopt;
  skipped->insert(skipped->end(), why.begin(), why.end());
  return std::move(*looked);
}

Status AddGroup(const std::string& folder, const FileGroup& group, bool accept_guesses, ProjectProposal* out) {
  ProfileOptions options;
  options.max_bytes_per_file = kInitBytesPerFile;
  auto looked = Look(folder, ReadOf(group.glob, group.format), accept_guesses, options);
  if (!looked && looked.error().kind == ErrorKind::kData && group.keys.size() > 1) {
    SLUICE_TRY(auto readable, LookAtReadable(folder, group, accept_guesses, options, &out->skipped));
    if (readable) looked = *std::move(readable);
  }
  if (!looked && looked.error().kind == ErrorKind::kRetryable) return Fail(std::move(looked).error());
  if (!looked) {
    out->skipped.push_back({group.glob, WhyLeftOut(looked.error())});
  } else if (looked->profile.columns.empty()) {
    const Error error = NoColumns(group.glob, group.format, looked->files);
    out->skipped.push_back({group.glob, error.message + (group.format == FileFormat::kNdjson ? " (" + error.hint + ")" : "")});
  } else {
    AddSource(group, *std::move(looked), out);
  }
  return Ok();
}

// Folders with a Delta log, relative; "" = the folder itself. None lies within another.
std::vector<std::string> DeltaTablesIn(const std::vector<std::string>& keys) {
  std::vector<std::string> tables;
  for (const std::string& key : keys) {
    const size_t log = key.find("_delta_log/");
    if (log == std::string::npos || (log > 0 && key[log - 1] != '/') || !key.ends_with(".json")) continue;
    const std::string table = key.substr(0, log == 0 ? 0 : log - 1);
    if (std::find(tables.begin(), tables.end(), table) == tables.end()) tables.push_back(table);
  }
  return tables;
}

bool LiesIn(const std::string& key, const std::string& folder) { return folder.empty() || key.starts_with(folder + "/"); }

// A table that somebody keeps already is read where it lies.
void AddDeltaTable(const std::string& table, const std::string& from_name, ProjectProposal* out) {
  std::string name = TableName(table.empty() ? from_name : table.substr(table.rfind('/') + 1));
  while (out->files.contains(fmt::format("sources/{}.yml", name))) name += "_2";
  out->files[fmt::format("sources/{}.yml", name)] = fmt::format(
      "# bronze.{}: a Delta table of another owner, read where it lies and never written.\nconnection: {}\n"
      "read: {{ table: {}, format: delta }}\nload: external\n",
      name, kConnection, table.empty() ? "." : YamlText(table));
  out->sources.push_back({name, table, "delta", 0, 0, 0, {}});
}

std::string FolderName(const std::string& folder) {
  fs::path path = fs::absolute(folder).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

// By the file's name; of an archive by the name of its first member.
Result<FileFormat> FormatOfFile(const fs::path& full, const std::string& shown, const std::string& members) {
  SLUICE_TRY(const auto store, store::OpenStore(full.parent_path().string()));
  const Grouping grouping = GroupFiles({full.filename().string()}, [&](const std::string& key) { return InsideOf(*store, key, members); });
  if (grouping.groups.empty()) return Fail(UserError("unknown-format", fmt::format("{}: {}", shown, grouping.skipped[0].why)));
  return grouping.groups[0].format;
}

Status CheckGiven(const InspectOptions& options, const Read& read) {
  for (const std::string& key : options.given)
    if (auto error = KeyOfAnotherFormat(key, read.format)) return Fail(*std::move(error));
  if (read.format == FileFormat::kFixed && read.options.fixed.fields.empty())
    return Fail(UserError("missing-key", "format: fixed lacks \"widths\"").Hint("say where the fields stand: widths: [10, 8, 12]"));
  if (auto wrong = KeysThatExcludeEachOther(read)) return Fail(std::move(wrong->error));
  return Ok();
}

// Members whose names say another format than that by which all are read.
std::vector<std::string> OddMembers(const std::vector<InputFile>& files, FileFormat format) {
  std::vector<std::string> odd;
  for (const InputFile& file : files) {
    const formats::FormatTraits* own = file.member ? formats::FormatOfPath(file.member.path) : nullptr;
    if (own != nullptr && own->format != format) odd.push_back(file.member.path);
  }
  return odd;
}

}  // namespace

Result<FileLook> LookAtFile(const std::string& path, const InspectOptions& options) {
  std::error_code failed;
  if (fs::is_directory(path, failed))
    return Fail(UserError("no-such-file", fmt::format("{} is a folder", path))
                    .Hint(fmt::format("name one file; of a folder a project is made: sluice init --from {} NEW", path)));
  if (!fs::is_regular_file(path, failed)) return Fail(UserError("no-such-file", fmt::format("there is no file {}", path)));
  const fs::path full = fs::absolute(path);
  Read read = options.read;
  read.files = GlobOf(full.filename().string());
  if (options.format) {
    read.format = *options.format;
  } else {
    SLUICE_TRY(read.format, FormatOfFile(full, path, options.read.members));
  }
  SLUICE_CHECK(CheckGiven(options, read));
  const FileFormat format = read.format;
  SLUICE_TRY(Looked looked, Look(full.parent_path().string(), std::move(read), options.accept_guesses, {}));
  if (looked.files.empty())
    return Fail(UserError("no-such-file", fmt::format("{} is hidden or unfinished by its name", path)).Hint("rename it"));
  if (!options.read.members.empty() && !looked.files.front().member)
    return Fail(UserError("conflicting-keys", fmt::format("\"members\" is of zip archives, and {} is none", path)).Hint("leave it out"));
  std::vector<std::string> odd = options.format ? std::vector<std::string>{} : OddMembers(looked.files, format);
  return FileLook{std::move(looked.source),  format,        std::move(looked.files), std::move(looked.profile),
                  std::move(looked.options), std::move(odd)};
}

Result<Inspection> InspectFile(const std::string& path, const InspectOptions& options) {
  SLUICE_TRY(FileLook look, LookAtFile(path, options));
  if (look.profile.columns.empty()) return Fail(NoColumns(path, look.format, look.files));
  SourceProposal proposal;
  proposal.files = fs::path(path).filename().string();
  proposal.csv = SharedDialect(look.files);
  proposal.encoding = SharedEncoding(look.files);
  proposal.pinned = options.read;
  proposal.given = options.given;
  for (const InputFile& file : look.files) proposal.doubts.insert(proposal.doubts.end(), file.doubts.begin(), file.doubts.end());
  proposal.options = look.options;
  proposal.profile = std::move(look.profile);
  Inspection inspection;
  inspection.file = path;
  inspection.format = NameOf(look.format);
  inspection.files = std::move(look.files);
  inspection.odd_members = std::move(look.odd_members);
  inspection.read_yaml = ReadYaml(proposal);
  inspection.contract_yaml = ContractYaml(proposal.profile);
  inspection.profile = std::move(proposal.profile);
  return inspection;
}

Result<ProjectProposal> ProposeProject(const ProposeRequest& request) {
  std::error_code failed;
  if (!fs::is_directory(request.from, failed)) return Fail(UserError("no-such-folder", fmt::format("there is no folder {}", request.from)));
  SLUICE_TRY(const auto store, store::OpenStore(request.from));
  SLUICE_TRY(const auto listed, store->List(""));
  std::vector<std::string> keys;
  for (const store::ObjectMeta& object : listed) keys.push_back(object.key);
  const std::vector<std::string> tables = DeltaTablesIn(keys);
  std::erase_if(keys, [&](const std::string& key) {
    return std::any_of(tables.begin(), tables.end(), [&](const std::string& table) { return LiesIn(key, table); });
  });
  Grouping grouping = GroupFiles(keys, [&](const std::string& key) { return InsideOf(*store, key); });
  ProjectProposal out;
  out.skipped = std::move(grouping.skipped);
  for (const FileGroup& group : grouping.groups) SLUICE_CHECK(AddGroup(request.from, group, request.accept_guesses, &out));
  for (const std::string& table : tables) AddDeltaTable(table, FolderName(request.from), &out);
  if (out.sources.empty()) {
    const std::string why = out.skipped.empty() ? "it is empty" : out.skipped.front().key + ": " + out.skipped.front().why;
    return Fail(UserError("nothing-to-propose", fmt::format("no file below {} can be made a source; {}", request.from, why))
                    .Hint("CSV, NDJSON, JSON, XML, Excel, Parquet, ORC and Avro files can be read, packed ones too"));
  }
  const std::string name = TableName(request.project_name.empty() ? FolderName(request.from) : request.project_name);
  out.files["sluice.yml"] = ProjectYaml(name, request.connection_path.empty() ? request.from : request.connection_path);
  out.files[".gitignore"] = "lake/\n.sluice/\n";
  return out;
}

}  // namespace sluice::sources
