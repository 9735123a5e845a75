// `load: external`: a table of another owner.
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "project/build.h"

namespace sluice::project {
namespace {

using config::GivenKey;

struct NotHere {
  const char* key;
  const char* why;
  const char* hint;
};

void Refuse(const config::GivenKeys& given, const NotHere& key, Diagnostics& diagnostics) {
  const GivenKey* found = FindGiven(given, key.key);
  if (found == nullptr || found->inherited) return;
  diagnostics.Add(UserError("key-of-another-load", fmt::format("\"{}\" does not fit load: external: {}", key.key, key.why))
                      .At(found->where)
                      .Hint(key.hint));
}

void RefuseIngestKeys(const SourceSpec& spec, Diagnostics& diagnostics) {
  constexpr NotHere kOfSource[] = {
      {"keep", "what the table keeps is its owner's to say", "remove it"},
      {"deduplicate", "its rows are not ingested, so none can be left out",
       "deduplicate in a model: store: merge, with key and sequence_by"},
      {"maintenance", "how its files lie is its owner's to say", "remove it"},
      {"partition_by", "it is partitioned as its owner made it", "remove it, or partition the model that reads it"},
  };
  for (const NotHere& key : kOfSource) Refuse(spec.given, key, diagnostics);
  if (!spec.read) return;
  for (const char* key : {"compression", "members", "encoding",    "delimiter",       "quote",           "escape",
                          "comment",     "header",  "skip",        "footer",          "sheet",           "range",
                          "widths",      "record",  "short_lines", "on_changed_file", "on_renamed_file", "on_copied_file",
                          "order",       "settle",  "done_marker"})
    Refuse(spec.read->given, {key, "it says how files are ingested", "remove it"}, diagnostics);
}

// Of a contract only what the table's own schema can be held against; no row can be set aside in a table that is not Sluice's.
void RefuseRowRules(const ContractSpec& contract, bool parquet, Diagnostics& diagnostics) {
  const char* const kAsCheck = "write it under checks: of the source, which holds back what depends on it; or in a model";
  for (const GivenKey& key : contract.given)
    if (key.name != "columns")
      Refuse(contract.given, {key.name.c_str(), "no row of it passes through Sluice, so none can be set aside or changed", kAsCheck},
             diagnostics);
  for (const ContractColumnSpec& column : contract.columns) {
    for (const GivenKey& key : column.given) {
      static const std::vector<std::string> kOfSchemas = {"name", "type", "not_null", "description", "pii"};
      if (std::find(kOfSchemas.begin(), kOfSchemas.end(), key.name) != kOfSchemas.end()) continue;
      Refuse(column.given, {key.name.c_str(), "no row of it passes through Sluice, so none can be set aside or changed", kAsCheck},
             diagnostics);
    }
    if (column.not_null && parquet)
      Refuse(column.given,
             {"not_null", "a folder of Parquet files has no schema of its own that could promise it",
              "write checks: [{ not_null: [COLUMN] }]"},
             diagnostics);
  }
}

External::Format FormatOf(const ReadSpec& spec, Diagnostics& diagnostics) {
  if (!spec.format) return spec.table ? External::Format::kDelta : External::Format::kParquet;
  if (spec.format->value == ReadFormat::kParquet) return External::Format::kParquet;
  if (spec.format->value != ReadFormat::kDelta)
    diagnostics.Add(UserError("external-format", "load: external reads Delta and Parquet tables")
                        .At(spec.format->where)
                        .Hint("write format: delta or parquet; or load: append, to ingest these files"));
  return External::Format::kDelta;
}

std::string Below(const std::string& folder, std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty() || path == ".") return folder;
  return folder.ends_with('/') ? folder + std::string(path) : fmt::format("{}/{}", folder, path);
}

// The folders before the first wildcard or `column=value`, and the glob below them.
std::pair<std::string, std::string> SplitGlob(std::string_view glob) {
  while (glob.starts_with("./")) glob.remove_prefix(2);
  const size_t special = std::min(glob.find_first_of("*?[{="), glob.size());
  const size_t slash = glob.substr(0, special).rfind('/');
  if (slash == std::string_view::npos) return {"", std::string(glob)};
  return {std::string(glob.substr(0, slash)), std::string(glob.substr(slash + 1))};
}

}  // namespace

External BuildExternal(const SourceSpec& spec, const Connection& connection, Diagnostics& diagnostics) {
  External external;
  RefuseIngestKeys(spec, diagnostics);
  const bool whose = spec.read && (spec.read->table || spec.read->files);
  if (!whose) {
    const bool refused =
        FindGiven(spec.given, "read") && (!spec.read || FindGiven(spec.read->given, "table") || FindGiven(spec.read->given, "files"));
    if (!refused)
      diagnostics.Add(UserError("missing-key", fmt::format("the source {} does not say which table it is", spec.name.value))
                          .At(spec.read ? spec.read->where : spec.where)
                          .Hint("add read: { table: FOLDER, format: delta }, or format: parquet"));
    return external;
  }
  const ReadSpec& read = *spec.read;
  external.format = FormatOf(read, diagnostics);
  const bool parquet = external.format == External::Format::kParquet;
  const PlacedText& path = read.table ? *read.table : *read.files;
  external.where = path.where;
  if (spec.contract) RefuseRowRules(*spec.contract, parquet, diagnostics);
  if (read.table && read.files)
    diagnostics.Add(UserError("conflicting-keys", "\"table\" and \"files\" exclude each other")
                        .At(read.files->where)
                        .Hint("table: names a folder; files: some of the Parquet files in one"));
  if (!read.table && !parquet)
    diagnostics.Add(UserError("external-format", "a Delta table is a folder, and its log says which files are its own")
                        .At(path.where)
                        .Hint("write table: FOLDER instead of files"));
  if (!CheckBelowConnection(path, read.table ? "table" : "files", read.table ? "bad-table-path" : "bad-glob", diagnostics)) return external;
  if (read.table) {
    external.folder = Below(connection.path, path.value);
    external.files = parquet ? "**" : "";
    return external;
  }
  const auto [folder, files] = SplitGlob(path.value);
  external.folder = Below(connection.path, folder);
  external.files = files;
  return external;
}

}  // namespace sluice::project
