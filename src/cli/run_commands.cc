// run, plan, validate, check.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "cli/command.h"
#include "core/counted.h"
#include "core/text.h"
#include "run/checks.h"
#include "run/executor.h"
#include "run/freshness.h"
#include "run/missing_file.h"
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

Status CheckFlags(const Globals& globals, const RunArgs& args) {
  if (args.reload_sources && !args.full_refresh) return Fail(UserError("bad-flags", "--reload-sources goes with --full-refresh"));
  if (args.resume && !args.selection.select.empty()) return Fail(UserError("bad-flags", "--resume chooses the nodes itself: leave out -s"));
  if (!args.report_file.empty() && args.report.empty())
    return Fail(UserError("bad-flags", "--report-file goes with --report").Hint("say in which format: --report junit, sarif or md"));
  if (args.report.empty()) return Ok();
  if (globals.json && args.report_file.empty())
    return Fail(UserError("bad-flags", "--json and --report both write to stdout").Hint("add --report-file FILE"));
  SLUICE_CHECK(run::RenderReport({}, args.report));
  return Ok();
}

// What the run did is published whether or not it can be told; where it can't, the first reason is the result.
Status Tell(Context& context, const RunArgs& args, const run::RunReport& report, const std::string& project_root) {
  PrintWarnings(context, report.warnings);
  Status told = run::WriteRunFile(project_root, report);
  const bool only_report = !args.report.empty() && args.report_file.empty();
  if (!args.report.empty()) {
    SLUICE_TRY(const std::string text, run::RenderReport(report, args.report));
    if (only_report)
      context.io.out << text;
    else if (Status written = WriteFile(args.report_file, text); !written && told)
      told = std::move(written);
  }
  if (context.globals.json)
    context.io.out << run::ToJson(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  else if (!only_report)
    context.io.out << run::RenderText(report, context.globals.verbose);
  return told;
}

Result<int> RunChosen(Context& context, const RunArgs& args) {
  SLUICE_CHECK(CheckFlags(context.globals, args));
  SLUICE_TRY(project::Project project, LoadProjectOf(context));
  run::RunOptions options;
  options.run_id = NewUuid(*context.hooks.clock, *context.hooks.random);
  options.trace_id = run::NewTraceId(*context.hooks.random);
  const auto sink = NewSink(context, {options.run_id, options.trace_id, project.environment.name});
  SLUICE_TRY(const auto session, OpenSession(context, std::move(project), sink.get()));
  SLUICE_CHECK(AllowProtected(context, session->project(), args.yes || !args.plan_file.empty()));
  SLUICE_TRY(const auto nodes, NodesToRun(*session, args));
  if (!args.plan_file.empty()) SLUICE_CHECK(CheckPlan(*session, nodes, args));
  options.nodes = nodes;
  options.command = context.command_line;
  options.full_refresh = args.full_refresh;
  options.reload_sources = args.reload_sources;
  options.forced = args.force;
  options.fail_fast = args.fail_fast;
  options.wait = args.wait;
  options.profiled = args.profile;
  options.parallel = args.parallel;
  SLUICE_TRY(const run::RunReport report, run::RunNodes(*session, options));
  const Status told = Tell(context, args, report, session->project().root);
  if (!told) Report(context, told.error());
  return told || report.ExitCode() != kDone ? report.ExitCode() : kFailed;
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

// The project's errors and, as far as it can be read, those of its SQL beside them.
Error AllErrors(Context& context, Error of_project) {
  std::vector<Error> errors = std::exchange(of_project.more, {});
  errors.insert(errors.begin(), std::move(of_project));
  context.globals.quiet = true;  // that the project has errors is what is being said
  if (const auto looking = OpenToLook(context)) {
    auto beside = run::ErrorsBeside(**looking, errors);
    errors.insert(errors.end(), std::make_move_iterator(beside.begin()), std::make_move_iterator(beside.end()));
  }
  return run::AllInOrder(std::move(errors));
}

Result<int> ValidateChosen(Context& context, const SelectArgs& args) {
  auto opened = OpenSession(context);
  if (!opened && opened.error().where.known()) return Fail(AllErrors(context, std::move(opened).error()));
  if (!opened) return Fail(std::move(opened).error());
  const std::unique_ptr<run::Session> session = *std::move(opened);
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
  context.io.out << fmt::format("valid: {}, {}, {}, {}\n", Counted(sources, "source"), Counted(seeds, "seed"), Counted(models, "model"),
                                Counted(checks, "check"));
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

// All checks of a node, and how fresh a source is, over what is committed. No outcome where there is nothing to check.
Result<std::vector<run::CheckOutcome>> CheckCommitted(run::Session& session, const plan::Node& node) {
  const bool fresh = node.source && node.source->freshness;
  if (node.seed || (!fresh && (node.source ? node.source->checks : node.model->checks).empty())) return std::vector<run::CheckOutcome>{};
  SLUICE_TRY(const run::OwnRelations own, Committed(session, node));
  auto outcomes = run::RunChecks(session, run::RunPins(session), node, own);
  if (!outcomes) return Fail(run::ExplainUnreadable(session, outcomes.error(), run::TablesReadBy(session, node)));
  if (!fresh) return outcomes;
  SLUICE_TRY(const auto bronze, session.Pin(node.table));
  SLUICE_TRY(run::CheckOutcome freshness, run::CheckFreshness(session, node, *bronze));
  outcomes->push_back(std::move(freshness));
  return outcomes;
}

Result<int> CheckChosen(Context& context, const SelectArgs& args) {
  SLUICE_TRY(const auto session, OpenSession(context));
  SLUICE_TRY(const auto nodes, SelectNodes(*session, args));
  SLUICE_TRY(const plan::Graph* graph, session->graph());
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  int failed = 0, warned = 0, passed = 0;
  for (const size_t i : nodes) {
    const plan::Node& node = graph->nodes[i];
    SLUICE_TRY(const auto outcomes, CheckCommitted(*session, node));
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
      context.io.out << fmt::format("{}  {}  {}  {}  {}\n", node.table, check.name, run::ToString(check.status),
                                    Counted(check.violations, "violation"), check.where.ToString());
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
