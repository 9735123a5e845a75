// The stages in their order: parse → interpolate → decode → validate → build.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "config/interpolate.h"
#include "contract/zone.h"
#include "core/text.h"
#include "project/build.h"
#include "project/environment.h"
#include "project/files.h"
#include "project/names.h"
#include "project/project.h"
#include "project/readable.h"
#include "store/remote.h"

namespace sluice::project {
namespace {

namespace fs = std::filesystem;
using config::Node;

// Decoded files, each with what it came from.
struct Specs {
  ProjectSpec project;
  std::vector<SourceSpec> sources;
  std::vector<std::pair<const ModelFile*, ModelSpec>> models;
};

std::string StemOf(const std::string& path) { return path.substr(0, path.rfind('.')); }

SourceSpec DecodeTable(const PlacedText& name, const Node& keys, Diagnostics& diagnostics) {
  SourceSpec spec;
  config::Reader reader{diagnostics, false, ""};
  TableType().read(keys, reader, &spec);
  spec.name = name;
  spec.of_many = true;
  return spec;
}

// A file with `tables:`: each of them is the path's defaults, then the file's, then its own keys.
void DecodeTables(const YamlFile& file, const Node& defaults, Diagnostics& diagnostics, std::vector<SourceSpec>& sources) {
  Node shared = config::EmptyMapAt(file.node.mark);
  for (const config::Entry& entry : file.node.entries) {
    if (entry.key == "connection")
      shared.entries.push_back(entry);
    else if (entry.key != "tables" && entry.key != "defaults" && SourceFileType().shape->Find(entry.key))
      diagnostics.Add(UserError("misplaced-key", fmt::format("in a file with \"tables\", \"{}\" is of each table", entry.key))
                          .At(entry.where())
                          .Hint(fmt::format("write it in defaults: {{ {}: … }} for all of them", entry.key)));
  }
  const Node* file_defaults = file.node.Find("defaults");
  const Node below = file_defaults && file_defaults->is_map() ? Overlay(defaults, config::AsInherited(*file_defaults)) : defaults;
  const Node* tables = file.node.Find("tables");
  for (const config::Entry& entry : tables->entries)
    sources.push_back(
        DecodeTable({entry.key, entry.where()}, Overlay(Overlay(below, config::AsInherited(shared)), entry.value), diagnostics));
}

void DecodeSource(const YamlFile& file, const ProjectSpec& project, Diagnostics& diagnostics, std::vector<SourceSpec>& sources) {
  const std::string stem = StemOf(file.path);
  const Node defaults = DefaultsFor(project, stem);
  const Node* tables = file.node.Find("tables");
  if (tables && tables->is_map()) {
    // The file's own keys; the tables are decoded one by one below.
    config::Reader reader{diagnostics, true, ""};
    SourceSpec ignored;
    SourceFileType().read(file.node, reader, &ignored);
    DecodeTables(file, defaults, diagnostics, sources);
    return;
  }
  const Node merged = file.node.is_map() ? Overlay(defaults, file.node) : file.node;
  SourceSpec spec;
  config::Reader reader{diagnostics, false, ""};
  SourceFileType().read(merged, reader, &spec);
  if (const config::Entry* stray = merged.FindEntry("defaults"))
    diagnostics.Add(
        UserError("misplaced-key", "\"defaults\" goes with \"tables\"").At(stray->where()).Hint("write its keys at the top of the file"));
  spec.name = {fs::path(stem).filename().string(), {file.path, 1, 1}};
  spec.where = file.node.where();
  sources.push_back(std::move(spec));
}

ModelSpec DecodeModel(const ModelFile& file, const ProjectSpec& project, Diagnostics& diagnostics) {
  ModelSpec spec;
  config::Reader reader{diagnostics, false, ""};
  const Node own = file.yaml ? *file.yaml : config::EmptyMapAt({std::make_shared<const std::string>(file.stem + ".sql"), 1, 1});
  ModelType().read(own.is_map() ? Overlay(DefaultsFor(project, file.stem), own) : own, reader, &spec);
  spec.where = own.where();
  return spec;
}

// Puts the vars into every YAML file but sluice.yml, which has them.
void InterpolateFiles(ProjectFiles& files, const Settings& settings, Diagnostics& diagnostics) {
  for (YamlFile& source : files.sources) source.node = config::Interpolate(source.node, settings.vars, diagnostics);
  for (ModelFile& model : files.models)
    if (model.yaml) model.yaml = config::Interpolate(*model.yaml, settings.vars, diagnostics);
}

Specs DecodeFiles(const ProjectFiles& files, const Node& project, Diagnostics& diagnostics) {
  Specs specs;
  config::Reader reader{diagnostics, false, ""};
  ProjectType().read(project, reader, &specs.project);
  CheckDefaults(specs.project, diagnostics);
  for (const YamlFile& file : files.sources) DecodeSource(file, specs.project, diagnostics, specs.sources);
  for (const ModelFile& file : files.models) specs.models.emplace_back(&file, DecodeModel(file, specs.project, diagnostics));
  return specs;
}

void BuildLayers(const ProjectSpec& spec, Project& project, Diagnostics& diagnostics) {
  if (spec.layers.empty()) return;
  project.layers = TextsOf(spec.layers);
  CheckDistinct(spec.layers, "duplicate-item", "the layer", diagnostics);
  for (const PlacedText& layer : spec.layers) {
    CheckName(layer, "a layer", diagnostics);
    if (layer.value == "seed" || layer.value == "quarantine")
      diagnostics.Add(UserError("bad-name", fmt::format("\"{}\" is the name of Sluice's own tables", layer.value))
                          .At(layer.where)
                          .Hint("choose another name"));
  }
  if (std::find(project.layers.begin(), project.layers.end(), "bronze") == project.layers.end())
    diagnostics.Add(
        UserError("no-bronze", "the layers lack bronze, where sources go").At(spec.layers[0].where).Hint("add bronze as the first"));
}

void BuildSchedules(const ProjectSpec& spec, Project& project, Diagnostics& diagnostics) {
  for (const auto& [name, cron] : spec.schedules) {
    CheckName(name, "a schedule", diagnostics);
    if (auto status = CheckCron(cron.value); !status)
      diagnostics.Add(std::move(status).error().At(cron.where));
    else if (auto zone = contract::Zone::Load(cron.value.substr(cron.value.rfind(' ') + 1)); !zone)
      diagnostics.Add(UserError("unknown-zone", zone.error().message)
                          .At(cron.where)
                          .Hint("end it with a zone of the IANA database such as Europe/Berlin, or UTC"));
    project.schedules[name.value] = cron.value;
  }
}

void BuildTimezone(const ProjectSpec& spec, Project& project, Diagnostics& diagnostics) {
  if (!spec.timezone) return;
  project.timezone = spec.timezone->value;
  if (auto zone = contract::Zone::Load(project.timezone); !zone)
    diagnostics.Add(UserError("unknown-zone", zone.error().message)
                        .At(spec.timezone->where)
                        .Hint("write a zone of the IANA database such as Europe/Berlin, or UTC"));
}

void BuildSeeds(const ProjectFiles& files, Project& project, Diagnostics& diagnostics) {
  for (const std::string& path : files.seeds) {
    const std::string name = fs::path(path).stem().string();
    CheckName({name, {path, 1, 1}}, "a seed", diagnostics);
    project.seeds.push_back({name, files.root + "/" + path, {path, 1, 1}});
  }
}

void BuildTop(const ProjectSpec& spec, const Settings& settings, Project& project, Diagnostics& diagnostics) {
  if (!spec.project.value.empty()) CheckName(spec.project, "a project", diagnostics);
  project.name = spec.project.value;
  project.environment = settings.environment;
  if (spec.lake)
    project.lake = ResolvePlace(*spec.lake, project.root, diagnostics);
  else if (!settings.project.Find("lake"))
    diagnostics.Add(
        UserError("missing-key", "sluice.yml lacks \"lake\"").At(spec.where).Hint("add lake: ./lake, the folder of the tables"));
  for (const auto& [name, value] : settings.vars) {
    project.vars[name] = value.text;
    project.var_types[name] = VarType(value);
  }
  BuildTimezone(spec, project, diagnostics);
  BuildLayers(spec, project, diagnostics);
  for (const auto& [name, connection] : spec.connections) {
    CheckName(name, "a connection", diagnostics);
    project.connections[name.value] = BuildConnection(name.value, connection, project.root, diagnostics);
    WarnOfTls(project.connections[name.value], project.warnings);
  }
  BuildSchedules(spec, project, diagnostics);
}

Project BuildProject(const Specs& specs, const Settings& settings, const ProjectFiles& files, Diagnostics& diagnostics) {
  Project project;
  project.root = files.root;
  project.warnings = files.warnings;
  BuildTop(specs.project, settings, project, diagnostics);
  for (const SourceSpec& spec : specs.sources) {
    Source source = BuildSource(spec, project, specs.project.timezone.has_value(), diagnostics);
    const bool pattern = source.connection.postgres && IsTablePattern(spec);
    (pattern ? project.table_patterns : project.sources).push_back(std::move(source));
  }
  for (const auto& [file, spec] : specs.models) project.models.push_back(BuildModel(spec, *file, project, diagnostics));
  BuildSeeds(files, project, diagnostics);
  for (const MacroFile& file : files.macros)
    for (Macro& macro : BuildMacros(file, diagnostics)) project.macros.push_back(std::move(macro));
  std::sort(project.sources.begin(), project.sources.end(), [](const Source& a, const Source& b) { return a.name < b.name; });
  std::sort(project.models.begin(), project.models.end(), [](const Model& a, const Model& b) { return a.table() < b.table(); });
  CheckProject(project, diagnostics);
  return project;
}

// By place, each once: a default that is wrong is wrong in every file that it reaches, and the chosen environment is looked at on its
// own and again as a part of the whole.
Error Sorted(Diagnostics diagnostics) {
  auto& errors = diagnostics.errors;
  const auto place = [](const Error& e) {
    return std::tuple(e.where.file != "sluice.yml", std::tie(e.where.file, e.where.line, e.where.column));
  };
  std::stable_sort(errors.begin(), errors.end(), [&](const Error& a, const Error& b) { return place(a) < place(b); });
  std::set<std::string> seen;
  std::erase_if(errors, [&](const Error& e) {
    return !seen.insert(e.where.ToString() + e.code + (e.code == "missing-key" ? e.message : "")).second;
  });
  return std::move(diagnostics).Take();
}

struct Loaded {
  Project project;
  Diagnostics diagnostics;
  bool asked_well = true;  // the options name what is there
};

// Fails only where there is no project to speak of.
Result<Loaded> LoadWhatCanBe(const LoadOptions& options) {
  SLUICE_TRY(const std::string root, FindRoot(options.dir));
  Loaded loaded;
  Diagnostics& diagnostics = loaded.diagnostics;
  ProjectFiles files = ReadProjectFiles(root, diagnostics);
  if (!files.project.is_map()) {
    if (diagnostics.ok())
      diagnostics.Add(UserError("wrong-type", "sluice.yml must be a map, found " + Describe(files.project))
                          .At(files.project.where())
                          .Hint("write key: value pairs"));
    return Fail(Sorted(std::move(diagnostics)));
  }
  const Settings settings = ChooseSettings(files.project, options, diagnostics);
  const auto is_of_a_flag = [](const Error& error) { return error.message.starts_with("--var "); };
  loaded.asked_well =
      !settings.environment.name.empty() && std::none_of(diagnostics.errors.begin(), diagnostics.errors.end(), is_of_a_flag);
  InterpolateFiles(files, settings, diagnostics);
  const Specs specs = DecodeFiles(files, settings.project, diagnostics);
  loaded.project = BuildProject(specs, settings, files, diagnostics);
  return loaded;
}

}  // namespace

Result<Project> LoadProject(const LoadOptions& options) {
  SLUICE_TRY(Loaded loaded, LoadWhatCanBe(options));
  if (!loaded.diagnostics.ok()) return Fail(Sorted(std::move(loaded.diagnostics)));
  return std::move(loaded.project);
}

Result<Readable> LoadReadable(const LoadOptions& options) {
  SLUICE_TRY(Loaded loaded, LoadWhatCanBe(options));
  if (loaded.diagnostics.ok()) return Readable{std::move(loaded.project), {}};
  Error first = Sorted(std::move(loaded.diagnostics));
  if (!loaded.asked_well || loaded.project.lake.empty()) return Fail(std::move(first));
  std::vector<Error> errors = std::exchange(first.more, {});
  errors.insert(errors.begin(), std::move(first));
  return Readable{std::move(loaded.project), std::move(errors)};
}

}  // namespace sluice::project
