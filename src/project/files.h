#pragma once
// Which files make up a project? Parse, the first stage.
#include <optional>
#include <string>
#include <vector>

#include "config/node.h"
#include "core/result.h"

namespace sluice::project {

struct YamlFile {
  std::string path;  // relative to the root: "sources/orders.yml"
  config::Node node;
};

struct ModelFile {
  std::string layer, name;  // by first folder and stem
  std::string stem;         // "models/silver/crm/orders"
  std::string sql;
  std::optional<config::Node> yaml;
};

struct MacroFile {
  std::string path, text;
};

struct ProjectFiles {
  std::string root;      // absolute
  config::Node project;  // sluice.yml
  std::vector<YamlFile> sources;
  std::vector<ModelFile> models;
  std::vector<std::string> seeds;  // relative paths
  std::vector<MacroFile> macros;
  std::vector<Error> warnings;
};

// The folder of the sluice.yml that is nearest upward from `dir`. Error "no-project", with advice for a dbt project.
Result<std::string> FindRoot(const std::string& dir);

// Reads and parses every file of the project. A file that is no YAML is reported and left out, so that the others can be looked
// at too. Errors beside those of YAML: "misplaced-file" (a model in no layer's folder), "yml-without-sql", "empty-model",
// "unreadable-file", "not-yet" (sinks, consumers).
ProjectFiles ReadProjectFiles(const std::string& root, Diagnostics& diagnostics);

}  // namespace sluice::project
