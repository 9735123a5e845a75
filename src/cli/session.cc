#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "cli/command.h"
#include "core/counted.h"
#include "core/text.h"
#include "project/readable.h"
#include "run/report.h"

namespace sluice::cli {

namespace {

Result<project::LoadOptions> LoadOptionsOf(const Globals& globals) {
  project::LoadOptions options;
  options.dir = globals.dir;
  options.environment = globals.environment;
  for (const std::string& var : globals.vars) {
    const size_t equals = var.find('=');
    if (equals == std::string::npos || equals == 0)
      return Fail(UserError("bad-var", fmt::format("--var {} is not NAME=VALUE", var))
                      .Hint("one for each: --var start=2024-01-01 --var minimum=5"));
    options.vars[var.substr(0, equals)] = var.substr(equals + 1);
  }
  return options;
}

Result<std::unique_ptr<run::Session>> Open(Context& context, project::Project project, obs::Sink* sink, bool looking,
                                           store::ObjectStore* also_reads) {
  run::SessionOptions options;
  options.looking = looking;
  options.also_reads = also_reads;
  options.threads = context.globals.threads;
  if (!context.globals.memory.empty()) {
    const auto bytes = ParseBytes(context.globals.memory);
    if (!bytes || *bytes < (64LL << 20))
      return Fail(UserError("bad-memory", fmt::format("--memory {} is no size of at least 64MiB", context.globals.memory))
                      .Hint("write it as 2GiB or 500MB"));
    options.memory_bytes = *bytes;
  }
  run::World world;
  world.clock = context.hooks.clock;
  world.random = context.hooks.random;
  world.open_lake = context.hooks.open_lake;
  world.cancelled = context.hooks.cancelled;
  if (context.hooks.catch_signals) context.hooks.catch_signals();
  world.sink = sink;
  return run::Session::Open(std::move(project), options, world);
}

}  // namespace

Result<project::Project> LoadProjectOf(Context& context) {
  SLUICE_TRY(const project::LoadOptions options, LoadOptionsOf(context.globals));
  return project::LoadProject(options);
}

Result<project::Project> LoadConnectionsOf(Context& context) {
  SLUICE_TRY(const project::LoadOptions options, LoadOptionsOf(context.globals));
  SLUICE_TRY(project::Readable readable, project::LoadReadable(options));
  return std::move(readable.project);
}

Result<std::unique_ptr<run::Session>> OpenSession(Context& context) {
  SLUICE_TRY(project::Project project, LoadProjectOf(context));
  return OpenSession(context, std::move(project), nullptr);
}

Result<std::unique_ptr<run::Session>> OpenSession(Context& context, project::Project project, obs::Sink* sink,
                                                  store::ObjectStore* also_reads) {
  return Open(context, std::move(project), sink, false, also_reads);
}

Result<std::unique_ptr<run::Session>> OpenToLook(Context& context, store::ObjectStore* also_reads) {
  SLUICE_TRY(const project::LoadOptions options, LoadOptionsOf(context.globals));
  SLUICE_TRY(project::Readable readable, project::LoadReadable(options));
  SLUICE_TRY(auto session, Open(context, std::move(readable.project), nullptr, true, also_reads));
  SLUICE_CHECK(session->graph());
  const size_t errors = readable.errors.size() + session->graph_errors().size();
  if (errors > 0)
    PrintWarnings(context, {UserError("project-errors", "the project has " + Counted(errors, "error")).Hint("see `sluice validate`")});
  return session;
}

Status AllowProtected(const Context& context, const project::Project& project, bool confirmed) {
  if (!project.environment.is_protected) return Ok();
  const std::string& name = project.environment.name;
  if (context.globals.environment != name)
    return Fail(UserError("protected-environment", fmt::format("environment {} is protected: name it", name)).Hint("add --env " + name));
  if (!confirmed)
    return Fail(UserError("protected-environment", fmt::format("environment {} is protected: confirm it", name))
                    .Hint("add --yes; a run may also be of a saved plan: sluice plan --env " + name + " --out FILE, then --plan FILE"));
  return Ok();
}

Result<std::set<size_t>> SelectNodes(run::Session& session, const SelectArgs& args) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  return plan::Select(*graph, {args.select, args.exclude}, run::LastResults(session.project().root));
}

bool IsKnown(run::Session& session, const plan::Graph& graph, const std::string& table) {
  if (graph.Find(table) != nullptr) return true;
  const auto snapshot = session.Pin(table);
  return snapshot && *snapshot != nullptr;
}

std::string PlaceOf(const Context& context, const std::string& path) {
  if (EqualsIgnoreCase(path.substr(0, 7), "file://")) return PercentDecode(path.substr(7));
  return path.find("://") != std::string::npos ? path : (std::filesystem::path(context.globals.dir) / path).string();
}

std::unique_ptr<obs::Sink> NewSink(Context& context, const obs::LogContext& log) {
  const Globals& globals = context.globals;
  const obs::Level least = globals.quiet ? obs::Level::kWarn : globals.verbose ? obs::Level::kDebug : obs::Level::kInfo;
  if (globals.log_format == "json") return obs::NewJsonLinesSink(context.io.err, least, *context.hooks.clock, log);
  const bool live = globals.log_format == "auto" && context.io.err_is_terminal && !globals.quiet;
  if (live) return obs::NewTerminalSink(context.io.err, least, !globals.no_color && std::getenv("NO_COLOR") == nullptr);
  return obs::NewPlainSink(context.io.err, least);
}

int Report(Context& context, const Error& error) {
  context.io.err << error.ToString() << "\n";
  // Not tried again, for a person must act; yet neither the command line nor the project is wrong.
  if (error.code == "permission-denied" || error.code == "access-denied") return kFailed;
  switch (error.kind) {
    case ErrorKind::kUser:
      return kUsage;
    case ErrorKind::kData:
      return kRefused;
    case ErrorKind::kCancelled:
      return kInterrupted;
    default:
      return kFailed;
  }
}

void PrintWarnings(Context& context, const std::vector<Error>& warnings) {
  if (context.globals.quiet) return;
  for (const Error& warning : warnings) {
    context.io.err << (warning.where.known() ? warning.where.ToString() + ": " : "") << "warning[" << warning.code
                   << "]: " << warning.message << "\n";
    if (!warning.hint.empty()) context.io.err << "  hint: " << warning.hint << "\n";
  }
}

Result<const plan::Node*> FindNode(run::Session& session, const std::string& name) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  if (const plan::Node* node = graph->Find(name)) return node;
  SLUICE_TRY(const auto chosen, plan::Select(*graph, {{name}, {}}));
  if (chosen.size() == 1) return &graph->nodes[*chosen.begin()];
  std::vector<std::string> names;
  for (const size_t i : chosen) names.push_back(graph->nodes[i].table);
  return Fail(UserError("ambiguous-node", fmt::format("\"{}\" names {} nodes: {}", name, names.size(), Join(names, ", ")))
                  .Hint("name one with its layer"));
}

namespace {
// Terminal columns of UTF-8 text, taking each code point as one.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Control characters as they are spelt: data must neither break the table nor speak to the terminal.
std::string OneLine(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '\n' || c == '\r' || c == '\t')
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    else if (code < 0x20 || code == 0x7f)
      out += fmt::format("\\x{:02x}", code);
    else
      out += c;
  }
  return out;
}
}  // namespace

std::string RenderTable(const std::vector<std::string>& header, const std::vector<std::vector<std::optional<std::string>>>& rows,
                        const std::vector<bool>& numeric) {
  std::vector<std::vector<std::string>> cells = {header};
  for (const auto& row : rows) {
    std::vector<std::string> line;
    for (const auto& cell : row) line.push_back(cell ? OneLine(*cell) : "NULL");
    cells.push_back(std::move(line));
  }
  std::vector<size_t> widths(header.size());
  for (const auto& line : cells)
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], Width(line[i]));
  std::string out;
  for (size_t r = 0; r < cells.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < cells[r].size(); ++i) {
      const std::string pad(widths[i] - Width(cells[r][i]), ' ');
      const bool right = i < numeric.size() && numeric[i];
      line += (i ? "  " : "") + (right ? pad + cells[r][i] : cells[r][i] + pad);
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + "\n";
    if (r > 0) continue;
    for (size_t i = 0; i < widths.size(); ++i) out += (i ? "  " : "") + std::string(widths[i], '-');
    out += "\n";
  }
  return out;
}

}  // namespace sluice::cli
