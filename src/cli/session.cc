#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "cli/command.h"
#include "core/text.h"
#include "run/report.h"

namespace sluice::cli {

Result<project::Project> LoadProjectOf(Context& context) {
  project::LoadOptions options;
  options.dir = context.globals.dir;
  options.environment = context.globals.environment;
  for (const std::string& var : context.globals.vars) {
    const size_t equals = var.find('=');
    if (equals == std::string::npos || equals == 0) return Fail(UserError("bad-var", fmt::format("--var {} is not NAME=VALUE", var)));
    options.vars[var.substr(0, equals)] = var.substr(equals + 1);
  }
  return project::LoadProject(options);
}

Result<std::unique_ptr<run::Session>> OpenSession(Context& context) {
  SLUICE_TRY(project::Project project, LoadProjectOf(context));
  return OpenSession(context, std::move(project), nullptr);
}

Result<std::unique_ptr<run::Session>> OpenSession(Context& context, project::Project project, obs::Sink* sink) {
  run::SessionOptions options;
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

Result<std::set<size_t>> SelectNodes(run::Session& session, const SelectArgs& args) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  return plan::Select(*graph, {args.select, args.exclude}, run::LastResults(session.project().root));
}

std::unique_ptr<obs::Sink> NewSink(Context& context, const obs::LogContext& log) {
  const Globals& globals = context.globals;
  const obs::Level least = globals.quiet ? obs::Level::kWarn : globals.verbose ? obs::Level::kDebug : obs::Level::kInfo;
  if (globals.log_format == "json") return obs::NewJsonLinesSink(context.io.err, *context.hooks.clock, log);
  const bool live = globals.log_format == "auto" && context.io.err_is_terminal && !globals.quiet;
  if (live) return obs::NewTerminalSink(context.io.err, least, !globals.no_color && std::getenv("NO_COLOR") == nullptr);
  return obs::NewPlainSink(context.io.err, least);
}

int Report(Context& context, const Error& error) {
  context.io.err << error.ToString() << "\n";
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

std::string OneLine(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : std::string(1, c);
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
