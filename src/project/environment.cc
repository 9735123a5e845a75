#include "project/environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "config/interpolate.h"
#include "config/yaml.h"
#include "core/text.h"
#include "core/time.h"
#include "project/names.h"

namespace sluice::project {
namespace {

using config::Entry;
using config::Node;

const std::vector<std::string> kRunParameters = {"window_start", "window_end", "run_date", "run_started_at"};

std::vector<std::string> NamesIn(const Node& map) {
  std::vector<std::string> keys;
  for (const Entry& entry : map.entries) keys.push_back(entry.key);
  return keys;
}

const Node& MapAt(const Node& map, std::string_view key) {
  static const Node kEmpty = config::EmptyMapAt({});
  const Node* found = map.Find(key);
  return found && found->is_map() ? *found : kEmpty;
}

// Wrong keys and values of every environment, also of those that are not chosen; what will come later only matters in the chosen one.
void CheckEnvironments(const Node& environments, const std::string& chosen, Diagnostics& diagnostics) {
  for (const Entry& entry : environments.entries) {
    CheckName({entry.key, entry.where()}, "an environment", diagnostics);
    Diagnostics found;
    config::Reader reader{found, true, entry.key};
    ProjectSpec ignored;
    EnvironmentType().read(entry.value, reader, &ignored);
    for (Error& error : found.errors)
      if (entry.key == chosen || error.code != "not-yet") diagnostics.Add(std::move(error));
  }
}

// The name of the environment to use; "" after an error, "default" where the project has none.
std::string ChooseName(const Node& project, const LoadOptions& options, Diagnostics& diagnostics) {
  const Node& environments = MapAt(project, "environments");
  const std::vector<std::string> names = NamesIn(environments);
  const Node* by_default = project.Find("default_environment");
  const bool asked = !options.environment.empty();
  const std::string name = asked ? options.environment : by_default && by_default->is_scalar() ? by_default->text : "";
  if (name.empty() && names.empty()) return "default";
  if (name.empty()) {
    if (by_default) return "";  // its kind is refused by the decoder
    diagnostics.Add(UserError("no-environment", "the project does not say which environment to use")
                        .At(project.FindEntry("environments")->where())
                        .Hint(fmt::format("add default_environment: {}, or pass --env NAME", names[0])));
    return "";
  }
  const Node* environment = environments.Find(name);
  if (!environment && names.empty() && name == "default") return name;
  if (!environment) {
    Error error = UserError("unknown-environment", fmt::format("there is no environment \"{}\"{}", name, DidYouMean(name, names)))
                      .Hint(names.empty() ? "declare it in sluice.yml, environments: { " + name + ": {} }"
                                          : "sluice.yml declares " + Join(names, ", "));
    error.where =
        asked ? project.FindEntry("environments") ? project.FindEntry("environments")->where() : project.where() : by_default->where();
    diagnostics.Add(std::move(error));
    return "";
  }
  const Node* is_protected = environment->Find("protected");
  if (!asked && is_protected && is_protected->text == "true")
    diagnostics.Add(UserError("protected-default", fmt::format("\"{}\" is protected and cannot be the default environment", name))
                        .At(by_default->where())
                        .Hint("make another one the default; a protected one is chosen by --env " + name));
  return name;
}

// A --var's text as YAML reads a scalar.
Node FlagValue(const std::string& text) {
  auto parsed = config::ParseYaml(text, "--var");
  if (parsed && parsed->is_scalar()) return *parsed;
  Node node;
  node.kind = config::Kind::kText;
  node.text = text;
  return node;
}

bool FitsVar(const Node& declared, const Node& given) {
  const std::string was = VarType(declared), is = VarType(given);
  return was == is || (was == "double" && is == "bigint") || (was == "timestamp" && is == "date");
}

void OverrideVars(const std::map<std::string, std::string>& flags, std::map<std::string, Node>& vars, Diagnostics& diagnostics) {
  std::vector<std::string> names;
  for (const auto& [name, value] : vars) names.push_back(name);
  for (const auto& [name, text] : flags) {
    const auto declared = vars.find(name);
    if (declared == vars.end()) {
      diagnostics.Add(
          UserError("unknown-var", fmt::format("--var {}: the project has no var of this name{}", name, DidYouMean(name, names)))
              .At({"sluice.yml", 1, 1})
              .Hint("declare it in sluice.yml, vars: { " + name + ": … }"));
      continue;
    }
    Node value = FlagValue(text);
    if (VarType(declared->second) == "string") value.kind = config::Kind::kText;
    if (!FitsVar(declared->second, value)) {
      diagnostics.Add(UserError("var-type", fmt::format("--var {}: \"{}\" is a {}, and sluice.yml declares a {}", name, text,
                                                        VarType(value), VarType(declared->second)))
                          .At(declared->second.where())
                          .Hint("give a value of the declared type, or change the declaration"));
      continue;
    }
    value.mark = declared->second.mark;
    value.text_mark = declared->second.text_mark;
    declared->second = std::move(value);
  }
}

std::map<std::string, Node> ReadVars(const Node& project, const LoadOptions& options, Diagnostics& diagnostics) {
  std::map<std::string, Node> vars;
  for (const Entry& entry : MapAt(project, "vars").entries) {
    if (!CheckName({entry.key, entry.where()}, "a var", diagnostics)) continue;
    if (std::find(kRunParameters.begin(), kRunParameters.end(), entry.key) != kRunParameters.end())
      diagnostics.Add(
          UserError("bad-var", fmt::format("${} is given by the run itself", entry.key)).At(entry.where()).Hint("choose another name"));
    else if (!entry.value.is_scalar())
      diagnostics.Add(UserError("bad-var", fmt::format("the var \"{}\" must be one value, found {}", entry.key, Describe(entry.value)))
                          .At(entry.value.where())
                          .Hint("write a text, number, date, true or false"));
    else if (entry.value.kind == config::Kind::kText && entry.value.text.find("${") != std::string::npos)
      diagnostics.Add(UserError("bad-var", fmt::format("the var \"{}\" is made from another value", entry.key))
                          .At(entry.value.where())
                          .Hint("write the value itself; --var " + entry.key + "=… overrides it"));
    else
      vars[entry.key] = entry.value;
  }
  OverrideVars(options.vars, vars, diagnostics);
  return vars;
}

// How exactly a glob names a path: its fixed start counts most, then all its fixed bytes.
std::pair<size_t, size_t> Specificity(std::string_view glob) {
  const size_t fixed_start = std::min(glob.find_first_of("*?[{"), glob.size());
  return {fixed_start, glob.size() - static_cast<size_t>(std::count(glob.begin(), glob.end(), '*'))};
}

bool Reaches(const std::string& glob, const std::string& stem) {
  return GlobMatch(glob, stem) || GlobMatch(glob, stem + ".yml") || GlobMatch(glob, stem + ".sql");
}

bool IsNumberIn(std::string_view text, int least, int most) {
  if (text.empty() || text.size() > 2 || text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const int value = std::stoi(std::string(text));
  return least <= value && value <= most;
}

// "*", "*/5", "1-5", "1-10/2", "1,15,30"
bool IsCronField(const std::string& field, int least, int most) {
  for (const std::string& part : Split(field, ',')) {
    const std::vector<std::string> step = Split(part, '/');
    if (step.size() > 2 || (step.size() == 2 && !IsNumberIn(step[1], 1, most))) return false;
    if (step[0] == "*") continue;
    const std::vector<std::string> range = Split(step[0], '-');
    if (range.size() > 2 || !IsNumberIn(range[0], least, most)) return false;
    if (range.size() == 2 && (!IsNumberIn(range[1], least, most) || std::stoi(range[1]) < std::stoi(range[0]))) return false;
  }
  return true;
}

}  // namespace

std::string VarType(const Node& value) {
  switch (value.kind) {
    case config::Kind::kBoolean:
      return "boolean";
    case config::Kind::kInteger:
      return "bigint";
    case config::Kind::kNumber:
      return "double";
    default:
      break;
  }
  if (ParseDate(value.text)) return "date";
  return ParseInstant(value.text) ? "timestamp" : "string";
}

Settings ChooseSettings(const Node& project, const LoadOptions& options, Diagnostics& diagnostics) {
  Settings settings;
  settings.environment.name = ChooseName(project, options, diagnostics);
  const Node& environments = MapAt(project, "environments");
  CheckEnvironments(environments, settings.environment.name, diagnostics);
  Node merged = project;
  if (const Node* chosen = environments.Find(settings.environment.name); chosen && chosen->is_map()) {
    const Node* is_protected = chosen->Find("protected");
    settings.environment.is_protected = is_protected && is_protected->text == "true";
    merged = Overlay(project, Without(*chosen, {"protected"}));
    merged.mark = project.mark;
  }
  settings.vars = ReadVars(merged, options, diagnostics);
  // Environments not chosen keep their texts: a var they need may only exist there.
  const Node rest = config::Interpolate(Without(merged, {"environments", "vars"}), settings.vars, diagnostics);
  settings.project = rest;
  for (const Entry& entry : merged.entries)
    if (entry.key == "environments" || entry.key == "vars") settings.project.entries.push_back(entry);
  return settings;
}

Node DefaultsFor(const ProjectSpec& project, const std::string& stem) {
  std::vector<const std::pair<PlacedText, Node>*> reaching;
  for (const auto& entry : project.defaults)
    if (entry.second.is_map() && Reaches(entry.first.value, stem)) reaching.push_back(&entry);
  std::stable_sort(reaching.begin(), reaching.end(),
                   [](auto* a, auto* b) { return Specificity(a->first.value) < Specificity(b->first.value); });
  Node merged = config::EmptyMapAt({});
  merged.inherited = true;
  for (const auto* entry : reaching) merged = Overlay(merged, config::AsInherited(entry->second));
  return merged;
}

void CheckDefaults(const ProjectSpec& project, Diagnostics& diagnostics) {
  for (const auto& [glob, keys] : project.defaults) {
    config::Reader reader{diagnostics, true, glob.value};
    if (glob.value.starts_with("sources")) {
      SourceSpec ignored;
      TableType().read(keys, reader, &ignored);
    } else if (glob.value.starts_with("models")) {
      ModelSpec ignored;
      ModelType().read(keys, reader, &ignored);
    } else {
      diagnostics.Add(UserError("bad-glob", fmt::format("the default \"{}\" reaches nothing", glob.value))
                          .At(glob.where)
                          .Hint("start it with sources/ or models/: models/gold/**"));
    }
  }
}

Status CheckCron(std::string_view text) {
  std::vector<std::string> fields;
  for (const std::string& field : Split(text, ' '))
    if (!field.empty()) fields.push_back(field);
  const auto bad = [&](const std::string& why) {
    return Fail(UserError("bad-schedule", why).Hint("five cron fields and a zone: \"0 2 * * * UTC\" is every day at 02:00 UTC"));
  };
  if (fields.size() != 6)
    return bad(fmt::format("a schedule has minute, hour, day, month, weekday and a zone, found {} of the six", fields.size()));
  static constexpr struct {
    const char* name;
    int least, most;
  } kFields[] = {{"minute", 0, 59}, {"hour", 0, 23}, {"day", 1, 31}, {"month", 1, 12}, {"weekday", 0, 7}};
  for (int i = 0; i < 5; ++i)
    if (!IsCronField(fields[i], kFields[i].least, kFields[i].most))
      return bad(fmt::format("\"{}\" is no {} ({} to {})", fields[i], kFields[i].name, kFields[i].least, kFields[i].most));
  return Ok();
}

}  // namespace sluice::project
