#include "run/backfill.h"

#include <fmt/format.h>

#include <algorithm>

#include "run/model_records.h"
#include "run/windows.h"

namespace sluice::run {
namespace {

constexpr size_t kMostBatches = 1000;  // that are looked through for an earlier part

Error BadWindow(const std::string& message, const std::string& hint) { return UserError("bad-window", message).Hint(hint); }

Result<int64_t> Parse(const std::string& text, const char* which) {
  const auto parsed = ParseWindowLiteral(text);
  if (parsed) return *parsed;
  return Fail(BadWindow(fmt::format("{} is no date or timestamp: {}", which, text), "write --from 2024-01-01 --to 2024-02-01"));
}

// Where the newest batch of this backfill ended; nullopt: there is none.
Result<std::optional<int64_t>> DoneUntil(Session& session, const plan::Node& node, const std::string& name) {
  SLUICE_TRY(const auto batches, state::History(session.lake(), BatchOwner(node), kMostBatches));
  for (const auto& batch : batches) {
    if (!batch.ready || !batch.done || batch.done->abandoned) continue;
    SLUICE_TRY(const auto plan, PlanOfModel(node, *batch.ready));
    if (!plan || plan->backfill != name || plan->windows.empty()) continue;
    SLUICE_TRY(const int64_t until, ParseWindowLiteral(plan->windows.back().to));
    return std::optional(until);
  }
  return std::optional<int64_t>();
}

// All windows before it were computed by runs.
Result<int64_t> LiveEnd(Session& session, const plan::Node& node) {
  state::BatchLog log(session.lake(), session.clock(), session.random(), {session.project().name, BatchOwner(node), ""});
  SLUICE_TRY(const state::NodeState owner, log.Load());
  SLUICE_TRY(const state::NodeState state, StateOfModel(node, owner));
  SLUICE_TRY(const ModelCursor cursor, ModelCursorFromJson(state.cursor));
  if (!cursor.windows_until.empty()) return ParseWindowLiteral(cursor.windows_until);
  return Fail(UserError("nothing-to-backfill", fmt::format("{} was never computed", node.table))
                  .Hint(fmt::format("sluice run -s {} computes all its windows", node.table)));
}

}  // namespace

Result<BackfillParts> PlanBackfill(Session& session, const plan::Node& node, const BackfillWhat& what) {
  if (node.model == nullptr || node.model->store != project::Store::kInterval)
    return Fail(
        UserError("not-an-interval", fmt::format("{} has no windows: backfill is for models with store: interval", node.table))
            .Hint(fmt::format("sluice run -s {} --full-refresh{} computes it anew", node.table, node.source ? " --reload-sources" : "")));
  const project::Model& model = *node.model;
  SLUICE_TRY(const int64_t from, Parse(what.from, "--from"));
  SLUICE_TRY(const int64_t to, Parse(what.to, "--to"));
  if (from >= to)
    return Fail(
        BadWindow(fmt::format("--from {} is not before --to {}", what.from, what.to), "windows that begin in [from, to) are computed"));
  SLUICE_TRY(const int64_t start, ParseWindowLiteral(model.start));
  const int64_t first = std::max(WindowStart(model.every, from), WindowStart(model.every, start));
  SLUICE_TRY(const int64_t until, LiveEnd(session, node));
  const int64_t end = std::min(to, until);
  if (first >= end)
    return Fail(BadWindow(fmt::format("{} has computed no windows from {} to {}: they go from {} to {}", node.table, what.from, what.to,
                                      model.start, WindowLiteral(model, until)),
                          "choose others"));
  const std::string name = fmt::format("{}/{}", WindowLiteral(model, first), WindowLiteral(model, end));
  BackfillParts out;
  int64_t at = first;
  SLUICE_TRY(const auto done, DoneUntil(session, node, name));
  if (done && *done < end) {
    at = *done;
    out.done_until = WindowLiteral(model, at);
  }
  while (at < end) {
    int64_t next = NextWindow(model.every, at);
    while (next < end && (!what.every_micros || next - at < *what.every_micros)) next = NextWindow(model.every, next);
    next = std::min(next, NextWindow(model.every, WindowStart(model.every, end - 1)));
    out.parts.push_back({node.table, name, at, next});
    at = next;
  }
  return out;
}

}  // namespace sluice::run
