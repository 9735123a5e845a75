#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/counted.h"
#include "core/text.h"
#include "run/contract_sql.h"
#include "run/freshness.h"
#include "run/held_versions.h"
#include "run/ingest_batch.h"
#include "run/node.h"
#include "run/source_input.h"
#include "sources/source.h"
#include "state/ledger.h"
#include "tables/scan.h"

namespace sluice::run {
namespace {

using project::Load;

constexpr size_t kMostFiles = 20'000;  // of a batch that appends: what is kept of a file while it lasts are some KiB

std::string ShortList(std::vector<std::string> names) {
  constexpr size_t kShown = 5;
  if (names.size() <= kShown) return Join(names, ", ");
  const auto more = static_cast<int64_t>(names.size() - kShown);
  names.resize(kShown);
  return Join(names, ", ") + " and " + Counted(more, "more file");
}

std::string CountsJson(const ingest::Counts& counts) {
  return nlohmann::json{{"read", counts.read},
                        {"written", counts.written},
                        {"quarantined", counts.quarantined},
                        {"deduplicated", counts.deduplicated},
                        {"warned", counts.warned}}
      .dump();
}

// What a batch takes, as the ledger keeps it; files that were skipped for their contents are noted with it, so that they are not read
// again.
std::vector<state::LedgerEntry> EntriesOf(const sources::Offer& offer, const std::vector<ingest::FileCounts>& read) {
  std::vector<state::LedgerEntry> entries;
  for (size_t i = 0; i < offer.files.size(); ++i) {
    const store::ObjectMeta& object = offer.files[i].object;
    if (!entries.empty() && entries.back().path == object.key) continue;  // an archive's members stand together
    entries.push_back({object.key, object.size, object.etag});
    if (i < read.size()) entries.back().hash = read[i].content_hash;
  }
  for (const auto& [key, seen] : offer.known) entries.push_back({key, seen.size, seen.etag, 0, seen.hash, seen.rows_of});
  return entries;
}

// Checks see bronze as it will be.
Result<OwnRelations> BronzeAfter(Session& session, const plan::Node& node, const ingest::StagedTable& staged,
                                 const delta::Snapshot* snapshot) {
  OwnRelations own;
  own.schema = staged.schema;
  SLUICE_TRY(const tables::Scan added,
             tables::ScanStaged(session.lake(), staged.root, staged.schema, staged.partition_columns, staged.files));
  own.batch_sql = added.sql;
  if (snapshot == nullptr || staged.overwrite) {
    own.this_sql = added.sql;
    return own;
  }
  SLUICE_TRY(const tables::StagedChange change, ChangeOf(session, node, staged, snapshot));
  tables::TableTarget target;
  target.store = &session.lake();
  target.root = staged.root;
  target.name = node.table;
  target.snapshot = *snapshot;
  target.schema = staged.schema;
  SLUICE_TRY(const tables::Scan after, tables::ScanAfter(target, change));
  own.this_sql = after.sql;
  own.schema = after.schema;
  return own;
}

// Adds one rule's violations to those of the batches before.
void AddRule(const ingest::RuleCount& rule, std::vector<ingest::RuleCount>* rules) {
  const auto same = std::find_if(rules->begin(), rules->end(), [&](const ingest::RuleCount& known) {
    return known.column == rule.column && known.rule == rule.rule && known.warn == rule.warn;
  });
  if (same == rules->end()) return rules->push_back(rule);
  same->rows += rule.rows;
}

// `total`: of all batches of this run.
void Report(const ingest::IngestResult& result, const ingest::Counts& total, NodeReport& report) {
  report.rows.in = total.read;
  report.rows.terms = {{"new", total.written}, {"quarantined", total.quarantined}, {"duplicate", total.deduplicated}};
  for (const auto& rule : result.rules) AddRule(rule, &report.rules);
  if (result.superseded > 0)
    report.notes.push_back(Counted(result.superseded, "open record of an earlier batch is", "open records of earlier batches are") +
                           " superseded: what came of them now counts");
  for (const Error& warning : result.warnings)
    if (std::find(report.notes.begin(), report.notes.end(), warning.message) == report.notes.end()) report.notes.push_back(warning.message);
}

// Everything of one source's batch, in the order it happens.
class SourceBatch {
 public:
  SourceBatch(Session& session, const plan::Node& node, const RunContext& context, NodeReport& report)
      : session_(session),
        node_(node),
        source_(*node.source),
        context_(context),
        report_(report),
        log_(session.lake(), session.clock(), session.random(), IdentityOf(session, node, context), LogFloorOf(session)),
        reprepare_(IngestReprepare(session, node, context)) {}

  Status Run() {
    SLUICE_CHECK(Recover());
    SLUICE_TRY(bool due, FindInput());
    while (due) {
      SLUICE_CHECK(Stage());
      SLUICE_TRY(const bool good, Check());
      if (!good) return Ok();
      SLUICE_CHECK(Commit());
      SLUICE_TRY(due, TakeRest());
    }
    LookAtFreshness();
    return Ok();
  }

 private:
  Status Recover() {
    SLUICE_TRY(const state::NodeState before, log_.Load());
    state_ = before;
    recovered_ = before.pending.has_value() || before.abandoned;
    if (recovered_) {
      SLUICE_CHECK(context_.before_writing());
      SLUICE_TRY(state_, log_.Recover(reprepare_));
    }
    if (before.pending)
      report_.notes.push_back(
          fmt::format("batch {} of run {} was decided and is now committed", before.pending->n, before.pending->run_id));
    SLUICE_TRY(bronze_, session_.Repin(node_.table));
    SLUICE_TRY(quarantine_, session_.Repin(QuarantineTable(source_)));
    if (bronze_) report_.from_version = report_.to_version = bronze_->version;
    if (context_.full_refresh && context_.reload_sources) return Ok();  // begins anew, whatever became of the tables
    SLUICE_CHECK(CheckOwnTable(node_, state_, node_.table, bronze_.get()));
    return CheckOwnTable(node_, state_, QuarantineTable(source_), quarantine_.get());
  }

  Result<bool> FindInput() {
    if (GivesRows(source_)) return FindRows();
    SLUICE_TRY(input_, OpenInput(source_));
    SLUICE_TRY(state::FileLedger ledger, state::LoadLedger(session_.lake(), node_.table, state_));
    const sources::Ledger seen = SeenBy(std::move(ledger));
    reload_ = context_.full_refresh && context_.reload_sources && state_.last_done > 0;
    SLUICE_TRY(offer_, LookFor(source_, *input_, seen, reload_, session_.clock().Now()));
    for (std::string& note : NotesOf(offer_)) report_.notes.push_back(std::move(note));
    report_.noteworthy = offer_.waiting > 0 || !offer_.known.empty();
    const bool appends = source_.load == Load::kAppend && !reload_;
    if (offer_.files.empty() && appends && bronze_ != nullptr && HasNewNames(offer_)) {
      report_.why = "new names of known files";
      return true;
    }
    if (offer_.files.empty()) {
      const bool emptied = reload_ && !seen.empty() && offer_.waiting == 0;
      report_.status = recovered_ || emptied ? NodeStatus::kOk : NodeStatus::kSkipped;
      report_.why = recovered_ ? "finished an interrupted batch"
                    : emptied  ? "the source has no files now: nothing is reloaded"
                               : WhyNothing(offer_, source_.read.files, state_.last_done == 0 && seen.empty());
      return false;
    }
    if (reload_)
      for (std::string& note : NotesOfGone(offer_, seen)) report_.notes.push_back(std::move(note));
    SLUICE_CHECK(NameReplacedMembers(seen));
    report_.why = Counted(offer_.files.size(), reload_ ? "file" : "new file");
    if (!offer_.changed.empty()) report_.why += ", changed since: " + ShortList(offer_.changed);
    const bool as_one = !offer_.replaced.empty() || !source_.contract.unique.empty() || !source_.deduplicate.key.empty();
    if (appends && !as_one) {
      rest_ = std::move(offer_.files);
      known_ = std::move(offer_.known);
      CutBatch();
      if (taken_ < rest_.size()) report_.why += fmt::format(", {} at a time", FormatCount(static_cast<int64_t>(kMostFiles)));
    }
    return true;
  }

  // A snapshot, or what changed: rows that came until now.
  Result<bool> FindRows() {
    SLUICE_TRY(rows_, OpenRows(source_, session_.scratch_dir(), session_.cancel_flag()));
    reload_ = context_.full_refresh && context_.reload_sources && state_.last_done > 0;
    cursor_ = reload_ ? "null" : state_.cursor;
    SLUICE_TRY(row_plan_, rows_->Plan(cursor_));
    report_.why = row_plan_.why;
    for (const std::string& note : row_plan_.notes) report_.notes.push_back(note);
    if (!row_plan_.splits.empty()) return true;
    report_.status = recovered_ ? NodeStatus::kOk : NodeStatus::kSkipped;
    if (recovered_) report_.why = "finished an interrupted batch";
    return false;
  }

  // The first files of the rest become the offer.
  void CutBatch() {
    offer_.files.clear();
    // An archive's members go together: the ledger knows the archive alone.
    const auto goes = [&] { return offer_.files.size() < kMostFiles || rest_[taken_].object.key == offer_.files.back().object.key; };
    for (; taken_ < rest_.size() && goes(); ++taken_) offer_.files.push_back(std::move(rest_[taken_]));
    offer_.files.front().same_header = false;  // the file that it resembles may be of another batch
    offer_.known.clear();
    if (taken_ == rest_.size()) offer_.known = std::move(known_);  // whose rows they are is then there
  }

  // After a batch: the next of the same listing, if files are left.
  Result<bool> TakeRest() {
    if (rows_ != nullptr) return false;
    if (taken_ == rest_.size()) return false;
    if (const auto* cancel = session_.cancel_flag(); cancel != nullptr && *cancel) return Fail(CancelledError());
    SLUICE_TRY(state_, log_.Load());
    if (!decided_here_ || state_.last_done != open_.n || state_.pending || state_.abandoned) {
      report_.notes.push_back("another run has gone on with this source: what is left of these files is for the next one");
      return false;
    }
    CutBatch();
    SLUICE_TRY(bronze_, session_.Repin(node_.table));
    SLUICE_TRY(quarantine_, session_.Repin(QuarantineTable(source_)));
    return true;
  }

  Status Stage() {
    SLUICE_CHECK(context_.before_writing());
    state::OpenRequest open;
    open.kind = reload_ ? state::kFullRefreshKind : "write";
    open.inputs = Inputs({});
    open.fingerprint = source_.fingerprint;
    open.outputs = {{QuarantineTable(source_), quarantine_.get()}, {node_.table, bronze_.get()}};
    SLUICE_TRY(open_, log_.Open(state_, open));
    report_.batch = open_.n;
    effective_ = source_;
    ingest::IngestRequest request;
    request.replaces = WhatItReplaces();
    request.replaced = offer_.replaced;
    request.bronze = {Session::RootOf(node_.table), bronze_.get()};
    std::vector<contract::Field> detected;
    if (!source_.contract.declared && request.kept_bronze() == nullptr) {
      SLUICE_TRY(detected, rows_ ? rows_->Columns() : input_->DetectColumns(offer_.files));
    }
    effective_.contract = ingest::EffectiveContract(source_.contract, request.kept_bronze(), detected);
    SLUICE_CHECK(ExpandContractSql(session_, &effective_.contract));
    request.source = &effective_;
    request.files = offer_.files;
    if (rows_) request.rows = ingest::RowInput{rows_.get(), row_plan_.splits};
    request.quarantine = {Session::RootOf(QuarantineTable(source_)), quarantine_.get()};
    request.batch = BatchOf(node_, open_, context_);
    SLUICE_TRY(engines::DuckDb * db, session_.db());
    ingest::Environment environment = IngestEnvironment(session_, node_, context_, open_.clock, input_ ? &input_->store() : nullptr, db);
    if (context_.profiled) environment.profile = &profile_;
    SLUICE_TRY(result_, ingest::Ingest(request, environment));
    if (rows_) {
      SLUICE_TRY(cursor_after_, rows_->CursorAfter());
    }
    total_ += result_.total;
    Report(result_, total_, report_);
    if (context_.profiled) KeepProfile(request.files, environment.budget.threads);
    return TakeOutReplaced(request.batch.file_prefix());
  }

  std::string Inputs(const std::vector<ingest::FileCounts>& read) const {
    if (rows_) return InputsOfRows(source_, cursor_, row_plan_.splits.size());
    return state::InputsOfFiles(EntriesOf(offer_, read), ReplacesLedger());
  }

  void KeepProfile(const std::vector<ingest::InputFile>& files, int threads) {
    const int64_t before = report_.profile ? report_.profile->bytes : 0;
    report_.profile = {before, threads, profile_.times()};
    std::string last;  // an archive's members stand together
    for (const auto& file : files)
      if (std::exchange(last, file.object.key) != file.object.key) report_.profile->bytes += file.object.size;
  }

  // The rows of an archive stand under its members' names, which nobody but the tables knows.
  Status NameReplacedMembers(const sources::Ledger& seen) {
    if (offer_.replaced.empty()) return Ok();
    std::vector<std::string> below;
    for (const std::string& key : offer_.replaced) below.push_back(fmt::format("starts_with(name, {})", QuoteLiteral(key + "/")));
    SLUICE_TRY(engines::DuckDb * db, session_.db());
    SLUICE_TRY(const auto connection, db->Connect());
    for (const auto& [table, column] : {std::pair(bronze_, "_file"), std::pair(quarantine_, "file")}) {
      if (!table) continue;
      const std::string root = Session::RootOf(table == bronze_ ? node_.table : QuarantineTable(source_));
      SLUICE_TRY(const tables::Scan scan, tables::ScanFor(session_.lake(), root, *table));
      SLUICE_TRY(const auto names, connection->Rows(fmt::format("SELECT DISTINCT name FROM (SELECT {} AS name FROM {}) WHERE {}", column,
                                                                scan.sql, Join(below, " OR "))));
      for (const auto& row : names)
        if (row[0] && !seen.contains(*row[0])) offer_.replaced.push_back(*row[0]);
    }
    return Ok();
  }

  // on_changed_file: replace. What these files brought before goes in the same commit.
  Status TakeOutReplaced(const std::string& file_prefix) {
    if (offer_.replaced.empty() || bronze_ == nullptr) return Ok();
    const auto rows = TakeOutRows(session_, node_, offer_.replaced, *bronze_, file_prefix, &result_.bronze);
    if (!rows) {
      DropAttempt(session_, open_, node_.table, RootsOf(node_));
      return Fail(rows.error());
    }
    report_.notes.push_back(Counted(*rows, "row") + " that " + (offer_.replaced.size() == 1 ? "this file" : "these files") +
                            " brought before: replaced");
    return Ok();
  }

  ingest::Replaces WhatItReplaces() const {
    if (reload_) return ingest::Replaces::kTable;
    if (!offer_.replaced.empty()) return ingest::Replaces::kFiles;
    const bool snapshot = source_.load == Load::kFull && source_.keep == project::Keep::kLatest;
    return snapshot ? ingest::Replaces::kRows : ingest::Replaces::kNothing;
  }
  bool ReplacesLedger() const { return reload_ || source_.load == Load::kFull; }

  Result<bool> Check() {
    if (source_.checks.empty()) return true;
    auto own = BronzeAfter(session_, node_, result_.bronze, bronze_.get());
    auto checks = own ? RunChecks(session_, RunPins(session_), node_, *own) : Result<std::vector<CheckOutcome>>(Fail(own.error()));
    if (checks) report_.checks = *checks;
    if (checks && !Blocks(*checks)) return true;
    DropAttempt(session_, open_, node_.table, RootsOf(node_));
    if (!checks) return Fail(checks.error());
    report_.status = NodeStatus::kRefused;
    return false;
  }

  Status Commit() {
    state::ReadyRecord ready;
    ready.n = open_.n;
    ready.attempt = open_.attempt;
    ready.run_id = context_.run_id;
    ready.kind = open_.kind;
    auto changes = ChangesOf(session_, node_, context_, result_.quarantine, quarantine_.get(), result_.bronze, bronze_.get());
    if (!changes) {
      DropAttempt(session_, open_, node_.table, RootsOf(node_));
      return Fail(std::move(changes).error());
    }
    ready.changes = *std::move(changes);
    ready.inputs = Inputs(result_.files);
    ready.cursor = cursor_after_;
    ready.counts = CountsJson(result_.total);
    ready.fingerprint = source_.fingerprint;
    SLUICE_TRY(const state::Decision decision, DecideOrDrop(session_, log_, state_, open_, ready, RootsOf(node_)));
    decided_here_ = decision.mine;
    if (!decision.mine) {
      report_.notes.push_back(fmt::format("run {} decided batch {} first: its result stands", decision.ready.run_id, decision.ready.n));
    }
    SLUICE_TRY(const state::DoneRecord done, log_.Finish(decision.ready.n, reprepare_));
    SLUICE_TRY(const auto after, session_.Repin(node_.table));
    SLUICE_CHECK(session_.Repin(QuarantineTable(source_)));
    if (done.abandoned)
      return Fail(ConflictError("abandoned", fmt::format("another writer changed a table of {} while batch {} was committed: it was "
                                                         "abandoned, and nothing of it counts",
                                                         node_.table, done.n))
                      .Hint("run again: what it left is rolled back, and the same files come again"));
    if (after) report_.to_version = after->version;
    if (rows_) Acknowledge(decision.ready.cursor);
    report_.status = NodeStatus::kOk;
    return Ok();
  }

  // The batch stands, whatever becomes of this: the next one says it again.
  void Acknowledge(const std::string& cursor) {
    if (const Status told = rows_->Acknowledge(cursor); !told)
      report_.notes.push_back("the source could not be told how far it was read: " + told.error().message);
  }

  // What can't be looked at is said, and holds nothing back: the rows are in.
  void LookAtFreshness() {
    if (!source_.freshness) return;
    const auto bronze = session_.Pin(node_.table);
    if (!bronze || !*bronze) return;
    auto outcome = CheckFreshness(session_, node_, **bronze);
    if (outcome)
      report_.checks.push_back(std::move(*outcome));
    else
      report_.notes.push_back("freshness can't be told: " + outcome.error().ToString());
  }

  Session& session_;
  const plan::Node& node_;
  const project::Source& source_;
  const RunContext& context_;
  NodeReport& report_;
  state::BatchLog log_;
  state::Reprepare reprepare_;
  state::NodeState state_;
  state::OpenRecord open_;
  std::shared_ptr<const delta::Snapshot> bronze_, quarantine_;
  std::unique_ptr<sources::FileSource> input_;
  sources::Offer offer_;
  std::unique_ptr<sources::RowSource> rows_;  // instead of input_
  sources::RowPlan row_plan_;
  std::string cursor_ = "null", cursor_after_ = "null";
  project::Source effective_;
  std::vector<sources::InputFile> rest_;  // all files that this run takes, where they may be of several batches …
  size_t taken_ = 0;                      // … and how many of them were offered to one
  std::vector<sources::Known> known_;     // for the last of these
  bool decided_here_ = false;             // the last batch
  ingest::IngestResult result_;
  Profile profile_;
  ingest::Counts total_;
  bool reload_ = false, recovered_ = false;
};

}  // namespace

NodeReport RunSource(Session& session, const plan::Node& node, const RunContext& context) {
  return Reported(node, [&](NodeReport& report) { return SourceBatch(session, node, context, report).Run(); });
}

}  // namespace sluice::run
