#pragma once
// Interpolate, the second stage: which environment, which values of the vars, and the files with both put in.
#include <map>
#include <string>

#include "project/files.h"
#include "project/spec.h"

namespace sluice::project {

struct Settings {
  Environment environment;
  config::Node project;  // sluice.yml with the environment laid upon it, vars put in
  std::map<std::string, config::Node> vars;
};

// Errors: "unknown-environment", "no-environment", "protected-default", "bad-var", "unknown-var", "var-type"; and what is wrong in any
// environment, chosen or not.
Settings ChooseSettings(const config::Node& project, const LoadOptions& options, Diagnostics& diagnostics);

// "bigint", "double", "boolean", "date", "timestamp" or "string": the SQL type that a var's YAML gives it.
std::string VarType(const config::Node& value);

// The project's defaults for the file `stem` ("models/gold/sales"; the globs may also name the ending), least specific first, as
// one map whose values are marked as inherited.
config::Node DefaultsFor(const ProjectSpec& project, const std::string& stem);

// Keys of the defaults that no source or model could have, and globs that reach nothing, also where no file is reached.
void CheckDefaults(const ProjectSpec& project, Diagnostics& diagnostics);

// Five cron fields and a zone: "0 2 * * * UTC". Error "bad-schedule".
Status CheckCron(std::string_view text);

}  // namespace sluice::project
