#include "project/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "config/yaml.h"
#include "core/text.h"

namespace sluice::project {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProjectFile = "sluice.yml";

// Paths of the files below `folder`, relative to the root, sorted. Names that start with '.' or '_' are not looked at.
std::vector<std::string> FilesBelow(const std::string& root, const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  auto at = fs::recursive_directory_iterator(root + "/" + folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with('.') || name.starts_with('_')) {
      if (at->is_directory(error)) at.disable_recursion_pending();
      continue;
    }
    if (at->is_regular_file(error)) paths.push_back(at->path().string().substr(root.size() + 1));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string StemOf(const std::string& path) { return path.substr(0, path.rfind('.')); }
std::string NameOf(const std::string& path) { return fs::path(path).stem().string(); }
std::string EndingOf(const std::string& path) { return fs::path(path).extension().string(); }

std::optional<std::string> ReadText(const std::string& root, const std::string& path, Diagnostics& diagnostics) {
  std::ifstream file(root + "/" + path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.good() || file.eof()) {
    if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    return text;
  }
  diagnostics.Add(UserError("unreadable-file", "this file cannot be read").At({path, 1, 1}).Hint("check its permissions"));
  return std::nullopt;
}

std::optional<config::Node> ReadYaml(const std::string& root, const std::string& path, Diagnostics& diagnostics) {
  const auto text = ReadText(root, path, diagnostics);
  if (!text) return std::nullopt;
  auto node = config::ParseYaml(*text, path);
  if (node) return *std::move(node);
  diagnostics.Add(std::move(node).error());
  return std::nullopt;
}

void WarnIgnored(const std::string& path, const std::string& expected, ProjectFiles& files) {
  const std::string ending = EndingOf(path);
  if (ending == ".md" || ending == ".txt") return;
  const std::string hint = ending == ".yaml" ? "rename it to .yml" : expected + "; a name that starts with _ or . is never looked at";
  files.warnings.push_back(UserError("ignored-file", "this file is not looked at").At({path, 1, 1}).Hint(hint));
}

void ReadSources(ProjectFiles& files, Diagnostics& diagnostics) {
  for (const std::string& path : FilesBelow(files.root, "sources")) {
    if (EndingOf(path) != ".yml")
      WarnIgnored(path, "sources/ holds .yml files", files);
    else if (auto node = ReadYaml(files.root, path, diagnostics))
      files.sources.push_back({path, *std::move(node)});
  }
}

std::string DbtAdvice(const config::Node& yaml) {
  if (yaml.Find("models") || yaml.Find("version"))
    return "a dbt schema file lists many models; here each model has a .yml of its own beside its .sql, keys at the top, tests under "
           "checks:";
  return "put NAME.sql beside it, or remove it";
}

bool IsBlankSql(std::string_view sql) {
  for (const std::string& line : Split(sql, '\n')) {
    const std::string_view text = Trim(line);
    if (!text.empty() && !text.starts_with("--") && text != ";") return false;
  }
  return true;
}

void AddModel(const std::string& path, ProjectFiles& files, Diagnostics& diagnostics) {
  const std::vector<std::string> parts = Split(path, '/');
  if (parts.size() < 3) {
    diagnostics.Add(UserError("misplaced-file", "a model lies in the folder of its layer")
                        .At({path, 1, 1})
                        .Hint("move it to models/silver/ or another layer's folder"));
    return;
  }
  const auto sql = ReadText(files.root, path, diagnostics);
  if (!sql) return;
  if (IsBlankSql(*sql))
    diagnostics.Add(UserError("empty-model", "this model has no SELECT").At({path, 1, 1}).Hint("write one SELECT, or remove the file"));
  files.models.push_back({parts[1], NameOf(path), StemOf(path), *sql, std::nullopt});
}

void ReadModels(ProjectFiles& files, Diagnostics& diagnostics) {
  const std::vector<std::string> paths = FilesBelow(files.root, "models");
  for (const std::string& path : paths)
    if (EndingOf(path) == ".sql") AddModel(path, files, diagnostics);
  for (const std::string& path : paths) {
    if (EndingOf(path) == ".sql") continue;
    if (EndingOf(path) != ".yml") {
      WarnIgnored(path, "models/ holds .sql files, each with a .yml beside it where it needs one", files);
      continue;
    }
    auto yaml = ReadYaml(files.root, path, diagnostics);
    if (!yaml) continue;
    const std::string stem = StemOf(path);
    if (!std::binary_search(paths.begin(), paths.end(), stem + ".sql")) {
      diagnostics.Add(UserError("yml-without-sql", fmt::format("there is no {}.sql beside this file", NameOf(path)))
                          .At({path, 1, 1})
                          .Hint(DbtAdvice(*yaml)));
      continue;
    }
    const auto model = std::find_if(files.models.begin(), files.models.end(), [&](const ModelFile& m) { return m.stem == stem; });
    if (model != files.models.end()) model->yaml = *std::move(yaml);
  }
}

void ReadSeedsAndMacros(ProjectFiles& files, Diagnostics& diagnostics) {
  for (const std::string& path : FilesBelow(files.root, "seeds")) {
    if (EndingOf(path) == ".csv")
      files.seeds.push_back(path);
    else
      WarnIgnored(path, "seeds/ holds .csv files", files);
  }
  for (const std::string& path : FilesBelow(files.root, "macros")) {
    if (EndingOf(path) != ".sql")
      WarnIgnored(path, "macros/ holds .sql files", files);
    else if (auto text = ReadText(files.root, path, diagnostics))
      files.macros.push_back({path, *std::move(text)});
  }
}

void RefuseLaterFiles(const std::string& root, Diagnostics& diagnostics) {
  const auto refuse = [&](const std::string& path, const std::string& what) {
    diagnostics.Add(UserError("not-yet", what + " are not supported yet")
                        .At({path, 1, 1})
                        .Hint("move the file out of the project; tables are read from the lake for now"));
  };
  for (const std::string& path : FilesBelow(root, "sinks")) refuse(path, "sinks");
  if (fs::exists(root + "/consumers.yml")) refuse("consumers.yml", "consumers");
}

Error NoProject(const fs::path& from, const fs::path& dbt, const fs::path& misspelt) {
  Error error = UserError("no-project", fmt::format("there is no {} in {} or any folder above it", kProjectFile, from.string()));
  if (!dbt.empty())
    return std::move(error).Hint(
        "this is a dbt project: run `sluice init` beside it, then move models/*.sql to models/LAYER/, write the names of tables in place "
        "of "
        "ref() and source(), and materialized as store: in a .yml beside each model");
  if (!misspelt.empty()) return std::move(error).Hint(fmt::format("rename {} to {}", misspelt.filename().string(), kProjectFile));
  return std::move(error).Hint("go to a project's folder, name it with -C DIR, or make one with `sluice init`");
}

}  // namespace

Result<std::string> FindRoot(const std::string& dir) {
  std::error_code error;
  const fs::path from = fs::weakly_canonical(dir.empty() ? "." : dir, error);
  fs::path dbt, misspelt;
  for (fs::path at = from;; at = at.parent_path()) {
    if (fs::is_regular_file(at / kProjectFile, error)) return at.string();
    if (dbt.empty() && fs::exists(at / "dbt_project.yml", error)) dbt = at;
    for (const char* name : {"sluice.yaml", "Sluice.yml"})
      if (misspelt.empty() && fs::exists(at / name, error)) misspelt = at / name;
    if (at == at.parent_path()) break;
  }
  return Fail(NoProject(from, dbt, misspelt));
}

ProjectFiles ReadProjectFiles(const std::string& root, Diagnostics& diagnostics) {
  ProjectFiles files;
  files.root = root;
  files.project = ReadYaml(root, kProjectFile, diagnostics).value_or(config::Node{});
  ReadSources(files, diagnostics);
  ReadModels(files, diagnostics);
  ReadSeedsAndMacros(files, diagnostics);
  RefuseLaterFiles(root, diagnostics);
  return files;
}

}  // namespace sluice::project
