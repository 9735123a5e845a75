#include "run/model_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/counted.h"
#include "core/text.h"
#include "run/consumers.h"
#include "run/windows.h"

namespace sluice::run {
namespace {

using nlohmann::json;
using project::Store;

json InputsJson(const ConsumedInputs& inputs) {
  json out = json::object();
  for (const auto& [table, at] : inputs) out[table] = {{"id", at.table_id}, {"version", at.version}};
  return out;
}

ConsumedInputs InputsFrom(const json& value) {
  ConsumedInputs inputs;
  for (const auto& [table, at] : value.items()) inputs[table] = {at.at("id"), at.at("version")};
  return inputs;
}

template <typename F>
auto Parsed(const std::string& text, F decode) -> Result<decltype(decode(json()))> {
  try {
    return decode(json::parse(text));
  } catch (const json::exception& error) {
    return Fail(BugError(fmt::format("a batch record can't be read: {}", error.what())));
  }
}

bool IsStateful(Store store) {
  return store == Store::kAppend || store == Store::kMerge || store == Store::kScd2 || store == Store::kInterval;
}

project::OnChange OnChangeOf(Session& session, const project::Model& model) {
  if (model.on_change) return *model.on_change;
  return session.project().environment.is_protected ? project::OnChange::kBlock : project::OnChange::kRebuild;
}

bool OnlyRearranges(const delta::LogCommit& commit) {
  return std::all_of(commit.actions.begin(), commit.actions.end(), [](const delta::Action& action) {
    if (const auto* add = std::get_if<delta::Add>(&action)) return !add->data_change;
    if (const auto* remove = std::get_if<delta::Remove>(&action)) return !remove->data_change;
    return std::holds_alternative<delta::CommitInfo>(action);
  });
}

// Do the commits since then say that all rows and columns are what they were (OPTIMIZE)?
Result<bool> IsRearranged(Session& session, const PinnedInput& input, const Consumed& before) {
  if (before.table_id != input.now().table_id || before.version >= input.now().version || input.pinned.staged) return false;
  SLUICE_TRY(const delta::LogRange range, CommitsAfter(session, input.table, input.pinned, before.version));
  return range.complete && range.anchored && std::all_of(range.commits.begin(), range.commits.end(), OnlyRearranges);
}

// The inputs at another version than before. Whoever reads what a table is has nothing new of one that was only rearranged; whoever goes on
// from version to version passes over it with a batch of no rows, lest VACUUM and the clean-up of the log keep the old versions for it.
struct MovedInputs {
  std::vector<std::string> changed, rearranged;
};
Result<MovedInputs> MovedSince(Session& session, const plan::Node& node, const std::vector<PinnedInput>& inputs,
                               const ConsumedInputs& before) {
  MovedInputs moved;
  for (const auto& input : inputs) {
    const auto at = before.find(input.table);
    if (input.now() == (at == before.end() ? Consumed{} : at->second)) continue;
    SLUICE_TRY(const bool rearranged, at == before.end() ? Result<bool>(false) : IsRearranged(session, input, at->second));
    if (!rearranged)
      moved.changed.push_back(input.table);
    else if (ReadsByChange(node, input.table))
      moved.rearranged.push_back(input.table);
  }
  return moved;
}

void AddWindowsFrom(const project::Model& model, int64_t first, int64_t end, WindowStarts& out) {
  for (int64_t start = WindowStart(model.every, first); start < end; start = NextWindow(model.every, start)) out.insert(start);
}

// Fills in the windows of an interval model; false: none is due.
Result<bool> DecideWindows(Session& session, const plan::Node& node, const ModelCursor& cursor, const std::vector<PinnedInput>& inputs,
                           bool input_changed, const Decide& how, ModelPlan& plan) {
  const project::Model& model = *node.model;
  auto start = ParseWindowLiteral(model.start);
  if (!start) return Fail(std::move(start).error().At(model.where));
  const int64_t end = NextWindow(model.every, WindowStart(model.every, how.clock.micros));
  WindowStarts due;
  if (plan.rebuild || how.forced || cursor.windows_until.empty()) {
    AddWindowsFrom(model, *start, end, due);
  } else {
    SLUICE_TRY(const int64_t until, ParseWindowLiteral(cursor.windows_until));
    AddWindowsFrom(model, until, end, due);
    if (!due.empty() && !input_changed) plan.why = "window due";
    if (input_changed) {
      SLUICE_TRY(const TouchedWindows touched, FindTouched(session, node, inputs, cursor.inputs));
      if (touched.starts)
        due.insert(touched.starts->begin(), touched.starts->end());
      else {
        plan.notes.push_back("all windows are computed again: " + touched.why);
        AddWindowsFrom(model, *start, end, due);
      }
      AddWindowsFrom(model, NextWindow(model.every, WindowStart(model.every, until - 1), 1 - model.lookback), until, due);
    }
    const int64_t first = WindowStart(model.every, *start);
    std::erase_if(due, [&](int64_t window) { return window < first || window >= end; });
  }
  plan.windows = JoinWindows(model, due);
  plan.windows_until = WindowLiteral(model, end);
  if (!due.empty()) plan.notes.push_back(Counted(due.size(), "window") + " due");
  return !due.empty();
}

// Windows that the live cursor has passed are computed again from the inputs as they are now; the cursor stays, and with it what is still
// due.
Status DecideBackfill(const project::Model& model, const ModelCursor& cursor, const BackfillPart& part, ModelPlan& plan) {
  if (plan.rebuild || cursor.windows_until.empty())
    return Fail(UserError("nothing-to-backfill", fmt::format("{} is to be computed as a whole: {}", model.table(), plan.why))
                    .At(model.where)
                    .Hint(fmt::format("sluice run -s {} does that", model.table())));
  SLUICE_TRY(const int64_t start, ParseWindowLiteral(model.start));
  SLUICE_TRY(const int64_t until, ParseWindowLiteral(cursor.windows_until));
  WindowStarts due;
  AddWindowsFrom(model, std::max(start, part.from), std::min(until, part.to), due);
  plan.windows = JoinWindows(model, due);
  plan.windows_until = cursor.windows_until;
  plan.backfill = part.name;
  plan.kept = cursor.inputs;
  plan.why = fmt::format("backfill {} to {}", WindowLiteral(model, part.from), WindowLiteral(model, part.to));
  plan.notes.push_back(Counted(due.size(), "window") + " computed again");
  return Ok();
}

}  // namespace

std::string ToJson(const ModelPlan& plan) {
  json windows = json::array();
  for (const auto& window : plan.windows) windows.push_back({window.from, window.to});
  json out{{"why", plan.why},           {"rebuild", plan.rebuild},
           {"to", InputsJson(plan.to)}, {"from", InputsJson(plan.from)},
           {"windows", windows},        {"windows_until", plan.windows_until}};
  if (!plan.backfill.empty()) {
    out["backfill"] = plan.backfill;
    out["kept"] = InputsJson(plan.kept);
  }
  return out.dump();
}

Result<ModelPlan> ModelPlanFromJson(const std::string& text) {
  return Parsed(text, [](const json& value) {
    ModelPlan plan;
    plan.why = value.at("why");
    plan.rebuild = value.at("rebuild");
    plan.to = InputsFrom(value.at("to"));
    plan.from = InputsFrom(value.at("from"));
    for (const json& window : value.at("windows")) plan.windows.push_back({window.at(0), window.at(1)});
    plan.windows_until = value.at("windows_until");
    if (value.contains("backfill")) {
      plan.backfill = value.at("backfill");
      plan.kept = InputsFrom(value.at("kept"));
    }
    return plan;
  });
}

std::string ToJson(const ModelCursor& cursor) {
  json out{{"inputs", InputsJson(cursor.inputs)}, {"windows_until", cursor.windows_until}};
  if (!cursor.others.empty()) out["others"] = cursor.others;
  return out.dump();
}

Result<ModelCursor> ModelCursorFromJson(const std::string& text) {
  return Parsed(text, [](const json& value) {
    ModelCursor cursor;
    if (value.is_null()) return cursor;
    cursor.inputs = InputsFrom(value.at("inputs"));
    cursor.windows_until = value.at("windows_until");
    if (value.contains("others")) cursor.others = value.at("others");
    return cursor;
  });
}

std::string WindowParameterType(const project::Model& model) {
  return model.every == project::Every::kHour || model.start.size() > 10 ? "timestamp" : "date";
}

namespace {

bool UsesVars(const Session& session, const plan::Node& node) {
  return std::any_of(node.parameters.begin(), node.parameters.end(),
                     [&](const auto& name) { return session.project().vars.contains(name); });
}

Result<std::string> FingerprintOf(Session& session, const plan::Node& node, bool with_vars) {
  SLUICE_TRY(const plan::Graph* graph, session.graph());
  std::string text = node.fingerprint;
  if (with_vars)
    for (const std::string& name : node.parameters)
      if (const auto var = session.project().vars.find(name); var != session.project().vars.end())
        text += fmt::format("\x1f${}={}", name, var->second);
  for (const std::string& name : node.inputs) {
    const plan::Node* input = graph->Find(name);
    if (input == nullptr || !input->is_view()) continue;
    SLUICE_TRY(const std::string view, FingerprintOf(session, *input, with_vars));
    text += "\x1f" + view;
  }
  return Hex(Hash64(text));
}

}  // namespace

// The values of vars count where the whole table is computed anew anyway. What a stateful model has written stays: another value
// holds from then on, and is no reason to rebuild the past.
Result<std::string> EffectiveFingerprint(Session& session, const plan::Node& node) {
  return FingerprintOf(session, node, !IsStateful(node.model->store));
}

bool IsBuiltAnewFrom(const FullReads& full, project::Store store) {
  return full.anew && (store == Store::kAppend || store == Store::kMerge);
}

namespace {

// Where the changes of an input can't be told, the model is planned as a full one.
Status DecideFeeds(Session& session, const plan::Node& node, const std::vector<PinnedInput>& inputs, ModelPlan& plan) {
  const PinOf pin_of = [&](const std::string& table) -> Result<Pinned> {
    const auto at = std::find_if(inputs.begin(), inputs.end(), [&](const PinnedInput& input) { return input.table == table; });
    return at == inputs.end() ? Pinned{} : at->pinned;
  };
  SLUICE_TRY(const FullReads full, FullReadsOf(session, pin_of, node.uses, plan.from));
  plan.notes.insert(plan.notes.end(), full.reasons.begin(), full.reasons.end());
  if (full.anew) plan.from.clear();
  if (!IsBuiltAnewFrom(full, node.model->store)) return Ok();
  plan.rebuild = true;
  plan.notes.push_back(node.table + " is built anew from it");
  return Ok();
}

// What becomes of the table's change data feed with its next commit; "" = it stays as it is.
std::string ChangeDataNote(const plan::Node& node, const delta::Snapshot* table) {
  const auto keeps = node.keeps_change_data();
  const bool kept = table != nullptr && delta::IsEnabled(table->metadata, kChangeDataFeed);
  if (!keeps || *keeps == kept) return "";
  if (!*keeps) return "keeps no change data from its next commit on: change_data_feed is false";
  const std::string why = node.model->change_data_feed ? "change_data_feed is true" : "followed by " + Join(node.followed_by, ", ");
  return fmt::format("keeps its change data{}: {}", table == nullptr ? "" : " from its next commit on", why);
}

}  // namespace

Result<std::optional<ModelPlan>> DecideModel(Session& session, const plan::Node& node, const state::NodeState& state,
                                             const std::vector<PinnedInput>& inputs, const Decide& how) {
  const project::Model& model = *node.model;
  SLUICE_TRY(const ModelCursor cursor, ModelCursorFromJson(state.cursor));
  SLUICE_TRY(const std::string fingerprint, EffectiveFingerprint(session, node));
  const bool first = state.last_done == 0;
  const bool changed_sql = !first && fingerprint != state.fingerprint;
  SLUICE_TRY(const MovedInputs moved, MovedSince(session, node, inputs, cursor.inputs));
  ModelPlan plan;
  for (const auto& input : inputs) plan.to[input.table] = input.now();
  plan.from = cursor.inputs;
  plan.rebuild = (how.full_refresh && !first) || !how.rebuild_because.empty();
  if (!how.rebuild_because.empty())
    plan.why = how.rebuild_because;
  else if (first)
    plan.why = "first run";
  else if (how.full_refresh)
    plan.why = "full refresh";
  else if (changed_sql) {
    plan.why = UsesVars(session, node) ? "changed SQL or vars" : "changed SQL";
    if (OnChangeOf(session, model) == project::OnChange::kRebuild)
      plan.rebuild = true;
    else if (IsStateful(model.store))
      return Fail(DataError("model-changed", fmt::format("the definition of {} changed, and on_change is block", node.table))
                      .At(model.where)
                      .Hint(fmt::format("look at `sluice plan`, then rebuild it with: sluice run -s {} --full-refresh", node.table)));
  } else if (!moved.changed.empty())
    plan.why = "new input: " + Join(moved.changed, ", ");
  else if (!moved.rearranged.empty())
    plan.why = "rearranged input, no new rows: " + Join(moved.rearranged, ", ");
  else if (how.forced)
    plan.why = "forced";
  if (how.backfill != nullptr) {
    SLUICE_CHECK(DecideBackfill(model, cursor, *how.backfill, plan));
    return plan.windows.empty() ? std::optional<ModelPlan>() : plan;
  }
  if (model.store == Store::kInterval) {
    SLUICE_TRY(const bool due, DecideWindows(session, node, cursor, inputs, !moved.changed.empty(), how, plan));
    if (!due && plan.why.empty()) return std::nullopt;
  }
  if (plan.why.empty()) return std::nullopt;
  if (plan.rebuild)
    plan.from.clear();
  else if (!first)
    SLUICE_CHECK(DecideFeeds(session, node, inputs, plan));
  if (std::string note = ChangeDataNote(node, how.table); !note.empty()) plan.notes.push_back(std::move(note));
  return plan;
}

}  // namespace sluice::run
