// backfill: windows of an interval model computed again.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/text.h"
#include "run/backfill.h"
#include "run/executor.h"

namespace sluice::cli {
namespace {

using nlohmann::ordered_json;

class Backfilling {
 public:
  Backfilling(Context& context, const BackfillArgs& args) : context_(context), args_(args) {}

  Result<int> Run() {
    run::BackfillWhat what{args_.from, args_.to, {}};
    if (!args_.every.empty()) {
      what.every_micros = ParseDuration(args_.every);
      if (!what.every_micros || *what.every_micros <= 0)
        return Fail(UserError("bad-flags", "--every is no duration: " + args_.every).Hint("write --every 7d, or 24h"));
    }
    SLUICE_TRY(session_, OpenSession(context_));
    SLUICE_CHECK(AllowProtected(context_, session_->project(), args_.yes));
    SLUICE_TRY(const plan::Node* node, FindNode(*session_, args_.node));
    SLUICE_TRY(const plan::Graph* graph, session_->graph());
    SLUICE_TRY(const auto plan, run::PlanBackfill(*session_, *node, what));
    if (!plan.done_until.empty())
      Say(fmt::format("{}  goes on at {}: an earlier backfill of these windows ended there\n", node->table, plan.done_until));
    int code = kDone;
    for (size_t i = 0; i < plan.parts.size() && code == kDone; ++i) {
      run::RunOptions options;
      options.nodes = {graph->index.at(node->table)};
      options.backfill = plan.parts[i];
      SLUICE_TRY(code, RunOne(options, fmt::format("[{}/{}]  ", i + 1, plan.parts.size())));
    }
    if (code == kDone && args_.downstream) {
      SLUICE_TRY(code, RunDownstream(*graph, node->table));
    }
    if (context_.globals.json) context_.io.out << reports_.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
    return code;
  }

 private:
  void Say(const std::string& text) {
    if (!context_.globals.json && !context_.globals.quiet) context_.io.out << text << std::flush;
  }

  Result<int> RunDownstream(const plan::Graph& graph, const std::string& table) {
    SelectArgs selection;
    selection.select = {table + "+"};
    SLUICE_TRY(auto nodes, SelectNodes(*session_, selection));
    nodes.erase(graph.index.at(table));
    if (nodes.empty()) return kDone;
    run::RunOptions options;
    options.nodes = std::move(nodes);
    return RunOne(options, "");
  }

  Result<int> RunOne(run::RunOptions options, const std::string& progress) {
    options.command = context_.command_line;
    options.wait = args_.wait;
    SLUICE_TRY(const run::RunReport report, run::RunNodes(*session_, options));
    SLUICE_CHECK(run::WriteRunFile(session_->project().root, report));
    const int code = report.ExitCode();
    if (context_.globals.json)
      reports_.push_back(run::ToJson(report));
    else if (code == kDone && !progress.empty() && report.nodes.size() == 1)
      Say(progress + run::NodeLine(report.nodes.front(), report.nodes.front().table.size()) + "\n");
    else
      context_.io.out << run::RenderText(report, context_.globals.verbose);
    return code;
  }

  Context& context_;
  const BackfillArgs& args_;
  std::unique_ptr<run::Session> session_;
  ordered_json reports_ = ordered_json::array();
};

}  // namespace

int Backfill(Context& context, const BackfillArgs& args) {
  const auto result = Backfilling(context, args).Run();
  return result ? *result : Report(context, result.error());
}

}  // namespace sluice::cli
