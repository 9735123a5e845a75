#include "run/cursor.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "run/ingest_batch.h"
#include "run/node.h"
#include "run/relations.h"
#include "run/source_input.h"
#include "state/batch.h"
#include "state/lease.h"

namespace sluice::run {
namespace {

Result<std::string> Canonical(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_discarded()) return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return Fail(UserError("bad-cursor", "the cursor is no JSON: " + text.substr(0, 200))
                  .Hint("take the one that `sluice state show NODE --json` prints, and change it"));
}

}  // namespace

Result<CursorChange> SetCursor(Session& session, const plan::Node& node, const std::optional<std::string>& cursor, bool wait) {
  if (node.source == nullptr || !GivesRows(*node.source))
    return Fail(UserError("no-cursor", fmt::format("{} has no cursor: only databases, APIs and programs go on at one", node.table))
                    .Hint(node.source != nullptr ? fmt::format("files that were read are known by name; sluice run -s {} --full-refresh "
                                                               "--reload-sources reads them again",
                                                               node.table)
                                                 : "name a source"));
  CursorChange change;
  SLUICE_TRY(change.after, Canonical(cursor.value_or("null")));
  if (cursor) {  // what it holds at the peer is let go of before the lease is waited for
    SLUICE_TRY(const auto rows, OpenRows(*node.source, session.scratch_dir(), session.cancel_flag()));
    SLUICE_CHECK(rows->Plan(change.after));
  }
  RunContext context;
  context.run_id = NewUuid(session.clock(), session.random());
  context.started = session.clock().Now();
  state::LeaseOptions options;
  options.run_id = context.run_id;
  options.wait = wait;
  SLUICE_TRY(const auto lease, state::AcquireLease(session.lake(), "run", session.clock(), state::SystemProcesses(), options));
  const state::Heartbeat heartbeat(*lease);
  const auto reprepare = IngestReprepare(session, node, context);
  state::BatchLog log(session.lake(), session.clock(), session.random(), IdentityOf(session, node, context));
  SLUICE_TRY(const state::NodeState before, log.Recover(reprepare));
  change.before = before.cursor;
  if (before.cursor == change.after) return change;
  const std::string fingerprint = before.last_done == 0 ? node.source->fingerprint : before.fingerprint;
  SLUICE_TRY(const auto bronze, session.Repin(node.table));
  SLUICE_TRY(const auto quarantine, session.Repin(QuarantineTable(*node.source)));
  state::OpenRequest request{.kind = kCursorKind, .fingerprint = fingerprint};
  request.outputs = {{QuarantineTable(*node.source), quarantine.get()}, {node.table, bronze.get()}};
  SLUICE_TRY(const state::OpenRecord open, log.Open(before, request));
  state::ReadyRecord ready;
  ready.n = open.n;
  ready.attempt = open.attempt;
  ready.run_id = context.run_id;
  ready.kind = kCursorKind;
  ready.cursor = change.after;
  ready.fingerprint = fingerprint;
  SLUICE_TRY(const state::Decision decision, log.Decide(before, ready));
  SLUICE_CHECK(log.Finish(decision.ready.n, reprepare));
  if (!decision.mine)
    return Fail(
        ConflictError("lake-busy", fmt::format("run {} decided batch {} of {} first", decision.ready.run_id, decision.ready.n, node.table))
            .Hint("look at `sluice state show`, and try again"));
  change.batch = open.n;
  return change;
}

}  // namespace sluice::run
