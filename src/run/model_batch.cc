#include "run/model_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/counted.h"
#include "core/text.h"
#include "core/time.h"
#include "engines/duckdb.h"
#include "run/batch_pins.h"
#include "run/external_node.h"
#include "run/held_versions.h"
#include "run/model_records.h"
#include "run/model_stage.h"

namespace sluice::run {
namespace {

void CountRows(const tables::ChangeCounts& counts, NodeReport& report) {
  report.rows.in = counts.read;
  report.rows.terms = {
      {"new", counts.added}, {"changed", counts.changed}, {"same", counts.same}, {"older", counts.older}, {"deleted", counts.deleted}};
  if (counts.removed > 0) report.notes.push_back("replaced " + Counted(counts.removed, "row"));
}

class ModelBatch {
 public:
  ModelBatch(Session& session, const std::vector<const plan::Node*>& members, const RunContext& context)
      : session_(session),
        context_(context),
        identity_(IdentityOf(session, *members.front(), context)),
        log_(session.lake(), session.clock(), session.random(), identity_, LogFloorOf(session)),
        reprepare_([this](const state::ReadyRecord& base, const std::vector<size_t>& redo) { return PrepareAgain(base, redo); }),
        pins_(session),
        pin_of_(pins_.pin_of()),
        is_group_(IsGroup(*members.front())) {
    for (const plan::Node* node : members) {
      members_.push_back({.node = node, .report = NewReport(*node)});
      if (!node->is_view()) roots_.push_back(Session::RootOf(node->table));
    }
  }

  Result<state::NodeState> Recover() { return log_.Recover(reprepare_); }

  std::vector<NodeReport> Run() {
    if (Status status = Steps(); !status) Blame(std::move(status).error());
    std::vector<NodeReport> reports;
    for (Member& member : members_) reports.push_back(std::move(member.report));
    return reports;
  }

 private:
  struct Member {
    const plan::Node* node = nullptr;
    NodeReport report;
    state::NodeState state;
    std::shared_ptr<const delta::Snapshot> table;  // as it was when the batch was planned
    std::optional<ModelPlan> plan;                 // null: nothing to do
    std::string fingerprint;
    std::optional<StagedModel> staged;
  };

  // ---- what happens to the reports

  // The batch did not come out: `at_` is where it ended, or all of it.
  void Blame(const Error& error) {
    for (Member& member : members_) {
      if (at_ == nullptr || at_ == &member) {
        SetError(member.report, error);
      } else if (member.report.status != NodeStatus::kRefused) {
        member.report.status = NodeStatus::kBlocked;
        member.report.blocked_by = {at_->node->table};
      }
    }
  }

  // A check failed somewhere: nothing of the batch is published.
  void Refuse() {
    std::vector<std::string> because;
    for (const Member& member : members_)
      if (Blocks(member.report.checks)) because.push_back(member.node->table);
    for (Member& member : members_) {
      const bool own = Blocks(member.report.checks);
      member.report.status = own ? NodeStatus::kRefused : NodeStatus::kBlocked;
      if (!own) member.report.blocked_by = because;
    }
  }

  void NoteForAll(const std::string& note) {
    for (Member& member : members_) member.report.notes.push_back(note);
  }

  // ---- the steps

  Status Steps() {
    SLUICE_TRY(const state::NodeState before, log_.Load());
    SLUICE_TRY(const state::NodeState state, Recovered(before));
    for (Member& member : members_) SLUICE_CHECK(Look(state, member));
    for (Member& member : members_) SLUICE_CHECK(Decide(member));
    at_ = nullptr;
    if (std::none_of(members_.begin(), members_.end(), [](const Member& member) { return member.plan.has_value(); }))
      return NothingToDo(before);
    SLUICE_CHECK(context_.before_writing());
    SLUICE_TRY(const state::OpenRecord open, log_.Open(state, Request()));
    Status staged = StageAll(open);
    const bool refused = staged && std::any_of(members_.begin(), members_.end(), [](const Member& m) { return Blocks(m.report.checks); });
    if (staged && session_.cancelled()) staged = Fail(CancelledError());
    if (!staged || refused) {
      DropAttempt(session_, open, identity_.node, roots_);
      if (refused) Refuse();
      const auto other = staged ? std::nullopt : DecidedMeanwhile(open.n);
      return other ? Follow(*other) : staged;
    }
    at_ = nullptr;
    return Publish(state, open);
  }

  // The run whose decision on the batch stands: after it nothing that this attempt staged need be there any more (VACUUM ends a batch whose
  // run seems dead), nor does it matter. nullopt: none, or it can't be told.
  std::optional<state::Decision> DecidedMeanwhile(int64_t n) {
    const auto state = log_.Load();
    if (!state) return std::nullopt;
    state::ReadyRecord ready;
    ready.n = n;
    ready.run_id = state->run_id;
    if (state->pending && state->pending->n == n) ready = *state->pending;
    return state->pending || state->last_done >= n ? std::optional(state::Decision{std::move(ready), false}) : std::nullopt;
  }

  Result<state::NodeState> Recovered(const state::NodeState& before) {
    if (!before.pending && !before.abandoned) return before;
    SLUICE_CHECK(context_.before_writing());
    SLUICE_TRY(state::NodeState state, log_.Recover(reprepare_));
    if (before.pending)
      NoteForAll(fmt::format("batch {} of run {} was decided and is now committed", before.pending->n, before.pending->run_id));
    return state;
  }

  Status Look(const state::NodeState& owner, Member& member) {
    at_ = &member;
    const plan::Node& node = *member.node;
    SLUICE_TRY(member.state, StateOfModel(node, owner));
    SLUICE_TRY(member.table, session_.Repin(node.table));
    if (member.table) member.report.from_version = member.report.to_version = member.table->version;
    if (!node.is_view() && !context_.full_refresh) SLUICE_CHECK(CheckOwnTable(node, owner, node.table, member.table.get()));
    SLUICE_TRY(member.fingerprint, EffectiveFingerprint(session_, node));
    return Ok();
  }

  Status Decide(Member& member) {
    at_ = &member;
    SLUICE_TRY(const auto inputs, PinInputs(session_, pin_of_, *member.node, is_group_ ? Tables() : std::set<std::string>{}));
    SLUICE_TRY(const std::string because, WrittenByOthers(session_, *member.node, member.state, member.table.get()));
    SLUICE_TRY(member.plan,
               DecideModel(session_, *member.node, member.state, inputs,
                           {context_.full_refresh, because, context_.forced, context_.started, member.table.get(),
                            context_.backfill && context_.backfill->table == member.node->table ? &*context_.backfill : nullptr}));
    return member.plan ? CheckWasChecked(session_, inputs) : Ok();
  }

  std::set<std::string> Tables() const {
    std::set<std::string> tables;
    for (const Member& member : members_) tables.insert(member.node->table);
    return tables;
  }

  Status NothingToDo(const state::NodeState& before) {
    for (Member& member : members_) {
      member.report.status = before.pending ? NodeStatus::kOk : NodeStatus::kSkipped;
      member.report.why = before.pending ? "finished an interrupted batch" : "up to date";
      if (before.pending) {
        const std::string& counts = before.pending->counts;
        member.report.rows = RowCountsFromJson(is_group_ ? PartOf(counts, member.node->table) : counts);
      }
    }
    return Ok();
  }

  // What a record keeps of the members: the text itself of a model alone, an object by table of a group. `kept`: what stood there of
  // members that do not change.
  template <typename F>
  std::string Kept(const std::string& kept, F text_of) const {
    if (!is_group_) return text_of(members_.front());
    std::string all = kept;
    for (const Member& member : members_)
      if (member.plan) all = WithPart(all, member.node->table, text_of(member));
    return all;
  }

  std::string Fingerprints(const std::string& kept) const {
    return Kept(kept, [this](const Member& member) { return is_group_ ? nlohmann::json(member.fingerprint).dump() : member.fingerprint; });
  }

  state::OpenRequest Request() const {
    state::OpenRequest request;
    request.kind = context_.full_refresh ? state::kFullRefreshKind : "write";
    request.inputs = Kept("{}", [](const Member& member) { return ToJson(*member.plan); });
    request.fingerprint = Fingerprints("{}");
    for (const Member& member : members_)
      if (!member.node->is_view()) request.outputs.push_back({member.node->table, member.table.get()});
    return request;
  }

  StageIdentity Identity(int64_t n, int attempt, Instant clock) const {
    return {identity_.node, n, attempt, context_.run_id, clock, context_.memory_per_node};
  }

  // Does the member read, by way of views too, a table that this batch has staged?
  Result<std::vector<std::string>> StagedInputs(const Member& member) const {
    std::vector<std::string> staged;
    if (!is_group_) return staged;
    SLUICE_TRY(const auto inputs, PinInputs(session_, pin_of_, *member.node, Tables()));
    for (const PinnedInput& input : inputs)
      if (pins_.Has(input.table)) staged.push_back(input.table);
    return staged;
  }

  Status StageAll(const state::OpenRecord& open) {
    for (Member& member : members_) {
      at_ = &member;
      if (session_.cancelled()) return Fail(CancelledError());
      SLUICE_TRY(const auto staged_inputs, StagedInputs(member));
      if (!staged_inputs.empty()) SLUICE_CHECK(Decide(member));  // now that it is known what they give
      if (!member.plan) {
        member.report.why = "up to date";
        continue;
      }
      SLUICE_CHECK(Stage(member, open));
    }
    return Ok();
  }

  Status Stage(Member& member, const state::OpenRecord& open) {
    NodeReport& report = member.report;
    report.batch = open.n;
    report.why = member.plan->why;
    report.notes.insert(report.notes.end(), member.plan->notes.begin(), member.plan->notes.end());
    SLUICE_TRY(member.staged, StageModel(session_, pin_of_, *member.node, *member.plan, Identity(open.n, open.attempt, open.clock)));
    const StagedModel& staged = *member.staged;
    if (!member.node->is_view()) CountRows(staged.change.counts, report);  // a view's rows are made by its readers
    report.notes.insert(report.notes.end(), staged.notes.begin(), staged.notes.end());
    SLUICE_TRY(report.checks, RunChecks(session_, pin_of_, *member.node, OwnRelationsOf(staged)));
    if (!is_group_ || staged.change.empty) return Ok();
    return pins_.Add(member.node->table, staged.change.commit, staged.target.snapshot ? &*staged.target.snapshot : nullptr, open.clock);
  }

  state::TableChange ChangeOf(const plan::Node& node, const StagedModel& staged) const {
    const delta::Snapshot* base = staged.target.snapshot ? &*staged.target.snapshot : nullptr;
    return state::MakeChange(identity_, node.table, Session::RootOf(node.table), staged.change.commit, base);
  }

  // The cursor after this batch. Versions that it commits itself are only known when it has.
  ModelCursor CursorOf(const Member& member) const {
    const bool live = member.plan->backfill.empty();
    ModelCursor cursor{live ? member.plan->to : member.plan->kept, member.plan->windows_until, {}};
    for (auto& [table, consumed] : cursor.inputs)
      if (live && pins_.Has(table)) consumed.version = kOfThisBatch;
    if (member.staged && member.staged->target.snapshot) cursor.others = OthersIn(&*member.staged->target.snapshot, identity_);
    return cursor;
  }

  Result<state::ReadyRecord> MakeReady(const state::NodeState& state, const state::OpenRecord& open) const {
    state::ReadyRecord ready;
    ready.n = open.n;
    ready.attempt = open.attempt;
    ready.run_id = context_.run_id;
    ready.kind = open.kind;
    std::map<std::string, size_t> place;
    for (const Member& member : members_) {
      if (!member.staged || member.staged->change.empty) continue;
      state::TableChange change = ChangeOf(*member.node, *member.staged);
      SLUICE_TRY(const auto inputs, StagedInputs(member));
      for (const std::string& input : inputs) change.depends_on.push_back(place.at(input));
      place[member.node->table] = ready.changes.size();
      ready.changes.push_back(std::move(change));
    }
    ready.inputs = Kept("{}", [](const Member& member) { return ToJson(*member.plan); });
    ready.cursor = Kept(ResolvedCursors(state), [this](const Member& member) { return ToJson(CursorOf(member)); });
    ready.counts = Kept("{}", [](const Member& member) { return member.node->is_view() ? std::string("{}") : ToJson(member.report.rows); });
    ready.fingerprint = Fingerprints(state.fingerprint.empty() ? "{}" : state.fingerprint);
    return ready;
  }

  // The group's cursors so far, each version in them known.
  std::string ResolvedCursors(const state::NodeState& state) const {
    std::string all = state.cursor;
    for (const Member& member : members_)
      if (member.state.cursor != "null") all = WithPart(all, member.node->table, member.state.cursor);
    return all;
  }

  Status Publish(const state::NodeState& state, const state::OpenRecord& open) {
    SLUICE_TRY(state::ReadyRecord ready, MakeReady(state, open));
    SLUICE_TRY(const state::Decision decision, DecideOrDrop(session_, log_, state, open, std::move(ready), roots_));
    return Follow(decision);
  }

  // Commits what was decided.
  Status Follow(const state::Decision& decision) {
    at_ = nullptr;
    if (!decision.mine)
      NoteForAll(fmt::format("run {} decided batch {} first: its result stands", decision.ready.run_id, decision.ready.n));
    SLUICE_TRY(const state::DoneRecord done, log_.Finish(decision.ready.n, reprepare_));
    if (done.abandoned)
      return Fail(DataError("abandoned", fmt::format("a foreign commit changed {} and the checks fail on top of it: batch {} was abandoned",
                                                     identity_.node, done.n))
                      .Hint("run again: the next batch rolls it back"));
    for (Member& member : members_) {
      member.report.status = member.plan ? NodeStatus::kOk : NodeStatus::kSkipped;
      if (!member.plan) continue;
      SLUICE_TRY(const auto after, session_.Repin(member.node->table));
      if (after) member.report.to_version = after->version;
    }
    return Ok();
  }

  // ---- a batch decided before, of whose changes a foreign commit voided some: computed again from the inputs its record names

  const Member* MemberOf(const std::string& table) const {
    for (const Member& member : members_)
      if (member.node->table == table) return &member;
    return nullptr;
  }

  Result<state::Repreparation> PrepareAgain(const state::ReadyRecord& base, const std::vector<size_t>& redo) {
    SLUICE_TRY(const Instant clock, log_.ClockOf(base.n, base.attempt));
    BatchPins pins(session_);
    const PinOf pin_of = pins.pin_of();
    state::Repreparation again;
    std::vector<std::pair<std::string, tables::StagedChange>> staged_now;
    const auto drop = [&] {
      for (const auto& [root, change] : staged_now)
        for (const auto& file : change.added) (void)session_.lake().Delete(root + "/" + PercentDecode(file.add.path));
    };
    for (size_t i = 0; i <= redo.back(); ++i) {
      const state::TableChange& change = base.changes[i];
      if (std::find(redo.begin(), redo.end(), i) == redo.end()) {  // as it was prepared; committed by now or not
        if (is_group_) SLUICE_CHECK(AddPrepared(change, clock, pins));
        continue;
      }
      const Member* member = MemberOf(change.table);
      if (member == nullptr)
        return Fail(ConflictError("model-gone", fmt::format("batch {} of {} must be prepared again, and {} is no model of it any more",
                                                            base.n, identity_.node, change.table))
                        .Hint("bring the model back for one run, so that the batch can be finished"));
      SLUICE_TRY(const auto plan, PlanOfModel(*member->node, base));
      if (!plan) return Fail(BugError(fmt::format("batch {} has no plan for {}", base.n, change.table)));
      auto prepared = StageModel(session_, pin_of, *member->node, *plan, Identity(base.n, base.attempt, clock));
      if (!prepared && prepared.error().code == "input-changed") {  // the files that it read are no more: nobody can prepare it again
        drop();
        return state::Repreparation{{}, prepared.error().message};
      }
      SLUICE_TRY(StagedModel staged, std::move(prepared));
      staged_now.emplace_back(change.root, staged.change);
      SLUICE_TRY(const auto checks, RunChecks(session_, pin_of, *member->node, OwnRelationsOf(staged)));
      if (Blocks(checks)) {
        drop();
        return state::Repreparation{{}, fmt::format("the checks of {} fail after a foreign commit", change.table)};
      }
      again.changes.push_back(ChangeOf(*member->node, staged));
      if (is_group_ && !staged.change.empty)
        SLUICE_CHECK(pins.Add(change.table, staged.change.commit, staged.target.snapshot ? &*staged.target.snapshot : nullptr, clock));
    }
    return again;
  }

  Status AddPrepared(const state::TableChange& change, Instant clock, BatchPins& pins) {
    if (change.commit.read_version < 0) return pins.Add(change.table, change.commit, nullptr, clock);
    SLUICE_TRY(const auto before, delta::LoadSnapshot(session_.lake(), change.root, change.commit.read_version));
    return pins.Add(change.table, change.commit, &before, clock);
  }

  Session& session_;
  const RunContext& context_;
  const state::NodeIdentity identity_;
  state::BatchLog log_;
  const state::Reprepare reprepare_;
  BatchPins pins_;
  const PinOf pin_of_;
  const bool is_group_;
  std::vector<Member> members_;
  std::vector<std::string> roots_;
  Member* at_ = nullptr;  // which one the steps are at; null: none of them, or all
};

}  // namespace

Result<state::NodeState> RecoverModels(Session& session, const std::vector<const plan::Node*>& members, const RunContext& context) {
  return ModelBatch(session, members, context).Recover();
}

std::vector<NodeReport> RunModels(Session& session, const std::vector<const plan::Node*>& members, const RunContext& context) {
  return ModelBatch(session, members, context).Run();
}

}  // namespace sluice::run
