#include "sources/discover.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "core/text.h"
#include "sources/files/files_source.h"
#include "sources/group_files.h"
#include "sources/propose.h"

namespace sluice::sources {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kInitBytesPerFile = 4 << 20;  // looked at of each file by init
const char* const kConnection = "files";

std::string NameOf(FileFormat format) { return format == FileFormat::kCsv ? "csv" : format == FileFormat::kNdjson ? "ndjson" : "parquet"; }

struct Looked {
  std::vector<InputFile> files;
  TableProfile profile;
};

// Lists, detects and reads the files of a glob as a batch would.
Result<Looked> Look(const std::string& folder, const std::string& glob, FileFormat format, const CsvPins& csv,
                    const ProfileOptions& options) {
  SourceSpec spec;
  spec.connection_type = "files";
  spec.location = folder;
  spec.read.files = glob;
  spec.read.format = format;
  spec.read.csv = csv;
  SLUICE_TRY(const auto source, OpenSource(spec));
  SLUICE_TRY(Offer offer, source->Look({}, Instant{}));
  SLUICE_TRY(TableProfile profile, ProfileFiles(source->store(), offer.files, format, options));
  return Looked{std::move(offer.files), std::move(profile)};
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

void AddSource(const FileGroup& group, Looked looked, ProjectProposal* out) {
  SourceProposal source;
  source.name = group.name;
  source.connection = kConnection;
  source.files = group.glob;
  source.csv = looked.files.front().csv;
  source.profile = std::move(looked.profile);
  int64_t misfits = source.profile.unreadable;
  for (const ColumnProfile& column : source.profile.columns) misfits += column.misfits;
  out->files[fmt::format("sources/{}.yml", source.name)] = SourceYaml(source);
  out->files[fmt::format("models/silver/{}.sql", source.name)] = SilverSql(source);
  out->files[fmt::format("models/silver/{}.yml", source.name)] = SilverYaml(source);
  out->sources.push_back({source.name, source.files, NameOf(group.format), static_cast<int64_t>(group.keys.size()), source.profile.records,
                          misfits, ProposeKey(source.profile)});
}

Status AddGroup(const std::string& folder, const FileGroup& group, ProjectProposal* out) {
  ProfileOptions options;
  options.max_bytes_per_file = kInitBytesPerFile;
  auto looked = Look(folder, group.glob, group.format, {}, options);
  if (!looked && looked.error().kind == ErrorKind::kRetryable) return Fail(std::move(looked).error());
  if (!looked) {
    const Error& error = looked.error();
    out->skipped.push_back({group.glob, error.message + (error.hint.empty() ? "" : " (" + error.hint + ")")});
  } else if (looked->profile.columns.empty()) {
    out->skipped.push_back({group.glob, "it has no columns: the files are empty"});
  } else {
    AddSource(group, *std::move(looked), out);
  }
  return Ok();
}

std::string FolderName(const std::string& folder) {
  fs::path path = fs::absolute(folder).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

}  // namespace

Result<Inspection> InspectFile(const std::string& path, const InspectOptions& options) {
  std::error_code failed;
  if (!fs::is_regular_file(path, failed)) return Fail(UserError("no-such-file", fmt::format("there is no file {}", path)));
  const fs::path full = fs::absolute(path);
  const std::string name = full.filename().string();
  const Grouping grouping = GroupFiles({name});
  if (grouping.groups.empty()) return Fail(UserError("unknown-format", fmt::format("{}: {}", path, grouping.skipped[0].why)));
  const FileFormat format = grouping.groups[0].format;
  ProfileOptions profile_options;
  if (options.whole_file) profile_options.max_bytes_per_file = 0;
  std::string glob;  // this file only, whatever its name has in it
  for (const char c : name)
    glob += std::string("*?[]{}").find(c) == std::string::npos ? std::string(1, c) : c == '[' ? "[[]" : "[" + std::string(1, c) + "]";
  SLUICE_TRY(Looked looked, Look(full.parent_path().string(), glob, format, options.csv, profile_options));
  Inspection inspection;
  inspection.file = path;
  inspection.format = NameOf(format);
  inspection.input = looked.files.front();
  inspection.contract_yaml = ContractYaml(looked.profile);
  inspection.profile = std::move(looked.profile);
  return inspection;
}

Result<ProjectProposal> ProposeProject(const ProposeRequest& request) {
  std::error_code failed;
  if (!fs::is_directory(request.from, failed)) return Fail(UserError("no-such-folder", fmt::format("there is no folder {}", request.from)));
  SLUICE_TRY(const auto store, store::OpenStore(request.from));
  SLUICE_TRY(const auto listed, store->List(""));
  std::vector<std::string> keys;
  for (const store::ObjectMeta& object : listed) keys.push_back(object.key);
  Grouping grouping = GroupFiles(keys);
  ProjectProposal out;
  out.skipped = std::move(grouping.skipped);
  for (const FileGroup& group : grouping.groups) SLUICE_CHECK(AddGroup(request.from, group, &out));
  if (out.sources.empty()) {
    const std::string why = out.skipped.empty() ? "it is empty" : out.skipped.front().key + ": " + out.skipped.front().why;
    return Fail(UserError("nothing-to-propose", fmt::format("no file below {} can be made a source; {}", request.from, why))
                    .Hint("CSV, NDJSON and Parquet files can be read, also with gzip or zstd"));
  }
  const std::string name = TableName(request.project_name.empty() ? FolderName(request.from) : request.project_name);
  out.files["sluice.yml"] = ProjectYaml(name, request.connection_path.empty() ? request.from : request.connection_path);
  out.files[".gitignore"] = "lake/\n.sluice/\n";
  return out;
}

}  // namespace sluice::sources
