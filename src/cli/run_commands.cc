// run, plan, validate, check.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/command.h"
#include "core/text.h"
#include "run/checks.h"
#include "run/executor.h"
#include "run/model_stage.h"
#include "run/planner.h"
#include "run/validate.h"
#include "tables/scan.h"

namespace sluice::cli {
namespace {

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) return Fail(UserError("unreadable-file", "can't read " + path));
  return text.str();
}

Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) return Fail(UserError("unwritable-file", "can't write " + path));
  return Ok();
}

// A protected environment is run on purpose: named by --env, and confirmed.
Status AllowProtected(const Context& context, const project::Project& project, const RunArgs& args) {
  if (!project.environment.is_protected) return Ok();
  const std::string& name = project.environment.name;
  if (context.globals.environment != name)
    return Fail(UserError("protected-environment", fmt::format("environment {} is protected: name it", name)).Hint("add --env " + name));
  if (!args.yes && args.plan_file.empty())
    return Fail(UserError("protected-environment", fmt::format("environment {} is protected: confirm the run", name))
                    .Hint("add --yes, or run a saved plan: sluice plan --env " + name + " --out FILE, then --plan FILE"));
  return Ok();
}

Error NothingSelected(run::Session& session, const RunArgs& args) {
  if (session.project().sources.empty() && session.project().models.empty() && session.project().seeds.empty())
    return UserError("nothing-selected", "the project has no sources, seeds or models yet")
        .Hint("`sluice inspect FILE` proposes a contract for sources/NAME.yml");
  return UserError("nothing-selected", args.resume ? "the last run left nothing to resume" : "nothing matches the selection")
      .Hint("`sluice ls` lists the nodes");
}

Result<std::set<size_t>> NodesToRun(run::Session& session, const RunArgs& args) {
  SelectArgs selection = args.selection;
  if (args.resume) {
    for (const char* status : {"failed", "refused", "blocked", "cancelled"}) selection.select.push_back(std::string("result:") + status);
  }
  SLUICE_TRY(auto nodes, SelectNodes(session, selection));
  if (nodes.empty()) return Fail(NothingSelected(session, args));
  return nodes;
}

Status CheckPlan(run::Session& session, const std::set<size_t>& nodes, const RunArgs& args) {
  SLUICE_TRY(const std::string saved, ReadFile(args.plan_file));
  SLUICE_TRY(const auto now, run::MakePlan(session, nodes, args.full_refresh, args.reload_sources, args.force));
  SLUICE_TRY(const auto moved, run::MovedSince(saved, now));
  if (moved.empty()) return Ok();
  return Fail(ConflictError("plan-stale", "things moved since the plan was made:\n    " + Join(moved, "\n    "))
                  .Hint("make a new one: sluice plan --out " + args.plan_file));
}

Status CheckFlags(const RunArgs& args) {
  if (args.reload_sources && !args.full_refresh) return Fail(UserError("bad-flags", "--reload-sources goes with --full-refresh"));
  if (args.resume && !args.selection.select.empty()) return Fail(UserError("bad-flags", "--resume chooses the nodes itself: leave out -s"));
  return Ok();
}

Result<int> RunChosen(Context& context, const RunArgs& args) {
  SLUICE_CHECK(CheckFlags(args));
  if (!args.report.empty()) SLUICE_CHECK(run::RenderReport({}, args.report));
  SLUICE_TRY(project::Project project, LoadProjectOf(context));
  run::RunOptions options;
  options.run_id = NewUuid(*context.hooks.clock, *context.hooks.random);
  options.trace_id = run::NewTraceId(*context.hooks.random);
  const auto sink = NewSink(context, {options.run_id, options.trace_id, project.environment.name});
  SLUICE_TRY(const auto session, OpenSession(context, std::move(project), sink.get()));
  SLUICE_CHECK(AllowProtected(context, session->project(), args));
  SLUICE_TRY(const auto nodes, NodesToRun(*session, args));
  if (!args.plan_file.empty()) SLUICE_CHECK(CheckPlan(*session, nodes, args));
  options.nodes = nodes;
  options.command = context.command_line;
  options.full_refresh = args.full_refresh;
  options.reload_sources = args.reload_sources;
  options.forced = args.force;
  options.fail_fast = args.fail_fast;
  options.wait = args.wait;
  options.parallel = args.parallel;
  SLUICE_TRY(const run::RunReport report, run::RunNodes(*session, options));
  PrintWarnings(context, report.warnings);
  const Status kept = run::WriteRunFile(session->project().root, report);
  if (!args.report.empty()) {
    SLUICE_TRY(const std::string text, run::RenderReport(report, args.report));
    if (args.report_file.empty())
      context.io.out << text;
    else
      SLUICE_CHECK(WriteFile(args.report_file, text));
  }
  if (context.globals.json)
    context.io.out << run::ToJson(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  else if (args.report.empty() || !args.report_file.empty())
    context.io.out << run::RenderText(report, context.globals.verbose);
  if (!kept) Report(context, kept.error());  // what the run did is published all the same
  return kept || report.ExitCode() != kDone ? report.ExitCode() : kFailed;
}

Result<int> PlanChosen(Context& context, const PlanArgs& args) {
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(const auto nodes, SelectNodes(*session, args.selection));
  SLUICE_TRY(const run::RunPlan plan, run::MakePlan(*session, nodes, args.full_refresh, args.reload_sources, args.force));
  const std::string json = run::ToJson(plan).dump(2) + "\n";
  if (!args.out.empty()) SLUICE_CHECK(WriteFile(args.out, json));
  context.io.out << (context.globals.json ? json : run::RenderPlan(plan, context.globals.verbose));
  return args.detailed_exitcode && plan.has_work() ? 2 : kDone;
}

Result<int> ValidateChosen(Context& context, const SelectArgs& args) {
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(const auto nodes, SelectNodes(*session, args));
  SLUICE_TRY(const auto validated, run::Validate(*session, args.select.empty() && args.exclude.empty() ? std::set<size_t>{} : nodes));
  PrintWarnings(context, validated.warnings);
  SLUICE_TRY(const plan::Graph* graph, session->graph());
  size_t sources = 0, models = 0, seeds = 0, checks = 0;
  for (const auto& node : graph->nodes) {
    sources += node.source != nullptr;
    models += node.model != nullptr;
    seeds += node.seed != nullptr;
    checks += node.source ? node.source->checks.size() : node.model ? node.model->checks.size() : 0;
  }
  context.io.out << fmt::format("valid: {} sources, {} seeds, {} models, {} checks\n", sources, seeds, models, checks);
  return kDone;
}

// `this` of a node's committed table, at its newest version.
Result<run::OwnRelations> Committed(run::Session& session, const plan::Node& node) {
  run::OwnRelations own;
  if (node.is_view()) {
    SLUICE_TRY(const run::ViewText view, run::ExpandView(session, run::RunPins(session), node));
    return run::OwnRelations{"(" + view.sql + ")", "(" + view.sql + ")", view.schema};
  }
  SLUICE_TRY(const auto snapshot, session.Pin(node.table));
  if (!snapshot)
    return Fail(
        UserError("not-built-yet", fmt::format("{} has no version yet", node.table)).Hint("build it first: sluice run -s +" + node.table));
  SLUICE_TRY(const tables::Scan scan, tables::ScanFor(session.lake(), run::Session::RootOf(node.table), *snapshot));
  return run::OwnRelations{scan.sql, scan.sql, scan.schema};
}

Result<int> CheckChosen(Context& context, const SelectArgs& args) {
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(const auto nodes, SelectNodes(*session, args));
  SLUICE_TRY(const plan::Graph* graph, session->graph());
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  int failed = 0, warned = 0, passed = 0;
  for (const size_t i : nodes) {
    const plan::Node& node = graph->nodes[i];
    if (node.seed || (node.source ? node.source->checks : node.model->checks).empty()) continue;
    SLUICE_TRY(const run::OwnRelations own, Committed(*session, node));
    SLUICE_TRY(const auto outcomes, run::RunChecks(*session, node, own));
    for (const auto& check : outcomes) {
      failed += check.status == run::CheckStatus::kFailed;
      warned += check.status == run::CheckStatus::kWarned;
      passed += check.status == run::CheckStatus::kPassed || check.status == run::CheckStatus::kTolerated;
      if (context.globals.json) {
        json.push_back({{"table", node.table},
                        {"check", check.name},
                        {"status", run::ToString(check.status)},
                        {"violations", check.violations},
                        {"where", check.where.ToString()},
                        {"samples", check.samples}});
        continue;
      }
      if (check.status == run::CheckStatus::kPassed && !context.globals.verbose) continue;
      context.io.out << fmt::format("{}  {}  {}  {} violations  {}\n", node.table, check.name, run::ToString(check.status),
                                    check.violations, check.where.ToString());
      for (const auto& sample : check.samples) context.io.out << "    " << sample << "\n";
      for (const auto& line : check.explained) context.io.out << "    " << line << "\n";
    }
  }
  if (context.globals.json)
    context.io.out << json.dump(2) << "\n";
  else
    context.io.out << fmt::format("{} passed, {} warned, {} failed\n", passed, warned, failed);
  return failed > 0 ? kRefused : kDone;
}

int Finish(Context& context, Result<int> result) { return result ? *result : Report(context, result.error()); }

}  // namespace

int Run(Context& context, const RunArgs& args) { return Finish(context, RunChosen(context, args)); }
int Plan(Context& context, const PlanArgs& args) { return Finish(context, PlanChosen(context, args)); }
int Validate(Context& context, const SelectArgs& args) { return Finish(context, ValidateChosen(context, args)); }
int Check(Context& context, const SelectArgs& args) { return Finish(context, CheckChosen(context, args)); }

}  // namespace sluice::cli
