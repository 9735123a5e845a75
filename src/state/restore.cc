#include "state/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/text.h"
#include "delta/path.h"
#include "delta/restored_metadata.h"
#include "state/copies.h"

namespace sluice::state {
namespace {

using nlohmann::json;

// What tells logical files apart (PROTOCOL.md, "Add File and Remove File").
std::string Identity(const delta::Add& add) { return add.path + '\n' + (add.deletion_vector ? delta::UniqueId(*add.deletion_vector) : ""); }

std::set<std::string> Identities(const delta::Snapshot& snapshot) {
  std::set<std::string> identities;
  for (const delta::Add& add : snapshot.files) identities.insert(Identity(add));
  return identities;
}

bool IsOfTheProtocol(const std::string& domain) { return domain.starts_with("delta."); }

// One table's way back.
class WayBack {
 public:
  // `then`: null for an empty table. `earlier`: the same, as an earlier preparation had it; may be null.
  WayBack(store::ObjectStore& lake, Clock& clock, Random& random, const RestoreTarget::Table& table, const delta::Snapshot& now,
          const delta::Snapshot* then, const std::string& file_prefix, const delta::PreparedCommit* earlier)
      : lake_(lake),
        clock_(clock),
        table_(table),
        now_(now),
        then_(then),
        earlier_(earlier),
        copies_(lake, table.root, file_prefix, &now, clock, random) {}

  // Without copies: only whether it can be.
  Status Check() {
    looks_only_ = true;
    SLUICE_CHECK(Prepare());
    return Ok();
  }

  Result<delta::PreparedCommit> Prepare() {
    commit_.table_id = now_.metadata.id;
    commit_.read_version = now_.version;
    commit_.reads = delta::ReadScope::kWholeTable;
    Name();
    SLUICE_CHECK(delta::CheckWritable(now_.protocol, now_.metadata));
    if (then_ != nullptr) SLUICE_CHECK(BringMetadata());
    BringDomains();
    TakeAway();
    if (then_ != nullptr) SLUICE_CHECK(BringFiles());
    SLUICE_CHECK(delta::CheckAppendOnly(now_.protocol, now_.metadata, commit_.actions));
    return std::move(commit_);
  }

 private:
  void Name() {
    commit_.operation = then_ != nullptr ? "RESTORE" : "DELETE";
    if (then_ != nullptr)
      commit_.operation_parameters = {{"version", std::to_string(then_->version)}, {"timestamp", "null"}};
    else
      commit_.operation_parameters = {{"predicate", "\"[]\""}};
  }

  Status BringMetadata() {
    SLUICE_TRY(delta::Metadata metadata, delta::RestoredMetadata(*then_, now_));
    if (!(metadata == now_.metadata)) commit_.actions.emplace_back(std::move(metadata));
    return Ok();
  }

  void BringDomains() {
    for (const auto& [name, domain] : now_.domains)
      if (!IsOfTheProtocol(name) && (then_ == nullptr || !then_->domains.contains(name)))
        commit_.actions.emplace_back(delta::DomainMetadata{name, domain.configuration, true});
    if (then_ == nullptr) return;
    for (const auto& [name, domain] : then_->domains) {
      const auto present = now_.domains.find(name);
      if (IsOfTheProtocol(name) || (present != now_.domains.end() && present->second == domain)) continue;
      commit_.actions.emplace_back(domain);
    }
  }

  void TakeAway() {
    const auto wanted = then_ != nullptr ? Identities(*then_) : std::set<std::string>();
    for (const delta::Add& add : now_.files) {
      if (wanted.contains(Identity(add))) continue;
      commit_.actions.emplace_back(delta::Remove{.path = add.path,
                                                 .deletion_timestamp = clock_.Now().millis(),
                                                 .data_change = true,
                                                 .extended_file_metadata = true,
                                                 .partition_values = add.partition_values,
                                                 .size = add.size,
                                                 .deletion_vector = add.deletion_vector});
    }
  }

  Status BringFiles() {
    const auto present = Identities(now_);
    std::vector<const delta::Add*> again;
    for (const delta::Add& add : then_->files)
      if (!present.contains(Identity(add)) && !Reuse(add)) again.push_back(&add);
    SLUICE_CHECK(CheckThere(again));
    if (looks_only_) return Ok();
    for (const delta::Add* add : again) {
      auto lasting = copies_.Lasting(*add);
      if (!lasting && lasting.error().kind == ErrorKind::kNotFound) return Fail(Gone({add->path}));
      if (!lasting) return Fail(std::move(lasting).error());
      lasting->data_change = true;
      commit_.actions.emplace_back(*std::move(lasting));
    }
    return Ok();
  }

  // A copy that an earlier preparation made is as good; what it took from the live table may not be live any more.
  bool Reuse(const delta::Add& add) {
    if (earlier_ == nullptr) return false;
    const std::string copy = copies_.CopyOf(add.path);
    for (const delta::Action& action : earlier_->actions) {
      const auto* made = std::get_if<delta::Add>(&action);
      if (made == nullptr || made->path != copy || !copies_.Lasts(*made)) continue;
      commit_.actions.emplace_back(*made);
      return true;
    }
    return false;
  }

  Status CheckThere(const std::vector<const delta::Add*>& files) {
    std::vector<std::string> gone;
    for (const delta::Add* add : files) {
      if (delta::IsAbsolutePath(add->path))
        return Fail(ConflictError("restore-impossible", fmt::format("{}: the file {} of version {} lies outside of the lake", table_.table,
                                                                    add->path, then_->version)));
      for (const std::string& key : copies_.NeedsOf(*add)) {
        const auto found = lake_.Head(key);
        if (!found && found.error().kind != ErrorKind::kNotFound) return Fail(found.error());
        if (!found) gone.push_back(key.substr(table_.root.size() + 1));
      }
    }
    return gone.empty() ? Ok() : Fail(Gone(gone));
  }

  Error Gone(std::vector<std::string> paths) const {
    constexpr size_t kNamed = 5;
    const size_t count = paths.size();
    if (count > kNamed) paths.resize(kNamed);
    return ConflictError("restore-impossible",
                         fmt::format("{}: version {} cannot be restored, {} of its files {} gone: {}{}", table_.table, then_->version,
                                     count, count == 1 ? "is" : "are", Join(paths, ", "), count > kNamed ? ", …" : ""))
        .Hint("VACUUM has removed what no version within the retention needs");
  }

  store::ObjectStore& lake_;
  Clock& clock_;
  const RestoreTarget::Table& table_;
  const delta::Snapshot& now_;
  const delta::Snapshot* then_;
  const delta::PreparedCommit* earlier_;
  Copies copies_;
  delta::PreparedCommit commit_;
  bool looks_only_ = false;
};

// The version that is brought back; nullopt: none. Error "restore-impossible" where it is of another table than `now`.
Result<std::optional<delta::Snapshot>> Then(store::ObjectStore& lake, const RestoreTarget::Table& table, const delta::Snapshot& now) {
  if (table.version < 0) return std::optional<delta::Snapshot>();
  SLUICE_TRY(auto then, delta::LoadSnapshot(lake, table.root, table.version));
  if (then.metadata.id != now.metadata.id)
    return Fail(
        ConflictError("restore-impossible", fmt::format("version {} of {} is of another table of that name", table.version, table.table)));
  return std::optional(std::move(then));
}

Error Dropped(const RestoreTarget::Table& table) {
  return ConflictError("table-dropped", fmt::format("{} was dropped", table.table)).Hint("rebuild the node with --full-refresh");
}

Result<std::optional<TableChange>> BringBack(store::ObjectStore& lake, Clock& clock, Random& random, const NodeIdentity& identity,
                                             const RestoreTarget::Table& table, const std::string& file_prefix,
                                             const delta::PreparedCommit* earlier) {
  SLUICE_TRY(const auto now, delta::LoadSnapshotIfExists(lake, table.root));
  if (!now && table.version < 0) return std::optional<TableChange>();
  if (!now) return Fail(Dropped(table));
  SLUICE_TRY(const auto then, Then(lake, table, *now));
  SLUICE_TRY(delta::PreparedCommit commit,
             WayBack(lake, clock, random, table, *now, then ? &*then : nullptr, file_prefix, earlier).Prepare());
  if (commit.actions.empty() && earlier == nullptr) return std::optional<TableChange>();
  return std::optional(MakeChange(identity, table.table, table.root, std::move(commit), &*now));
}

}  // namespace

std::string InputsOfRestore(const RestoreTarget& target) {
  json tables = json::array();
  for (const auto& table : target.tables) tables.push_back({{"table", table.table}, {"root", table.root}, {"version", table.version}});
  return json{{"restores", {{"batch", target.batch}, {"tables", std::move(tables)}}}}.dump();
}

std::optional<RestoreTarget> RestoreTargetOf(const ReadyRecord& ready) {
  return ready.kind == kRestoreKind ? RestoreTargetIn(ready.inputs) : std::nullopt;
}

std::optional<RestoreTarget> RestoreTargetIn(const std::string& inputs_text) {
  const json inputs = json::parse(inputs_text, nullptr, false);
  if (!inputs.is_object()) return std::nullopt;
  try {
    const json& restores = inputs.at("restores");
    RestoreTarget target{.batch = restores.at("batch"), .tables = {}};
    for (const json& table : restores.at("tables")) target.tables.push_back({table.at("table"), table.at("root"), table.at("version")});
    return target;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

Result<std::vector<TableChange>> StageRestore(store::ObjectStore& lake, Clock& clock, Random& random, const NodeIdentity& identity,
                                              const RestoreTarget& target, const std::string& file_prefix) {
  std::vector<TableChange> changes;
  for (const RestoreTarget::Table& table : target.tables) {
    SLUICE_TRY(auto change, BringBack(lake, clock, random, identity, table, file_prefix, nullptr));
    if (change) changes.push_back(*std::move(change));
  }
  return changes;
}

Status CheckRestore(store::ObjectStore& lake, Clock& clock, Random& random, const NodeIdentity& identity, const RestoreTarget& target) {
  for (const RestoreTarget::Table& table : target.tables) {
    SLUICE_TRY(const auto now, delta::LoadSnapshotIfExists(lake, table.root));
    if (!now && table.version < 0) continue;
    if (!now) return Fail(Dropped(table));
    SLUICE_TRY(const auto then, Then(lake, table, *now));
    SLUICE_CHECK(WayBack(lake, clock, random, table, *now, then ? &*then : nullptr, identity.node, nullptr).Check());
  }
  return Ok();
}

Result<Repreparation> PrepareRestoreAgain(store::ObjectStore& lake, Clock& clock, Random& random, const NodeIdentity& identity,
                                          const ReadyRecord& restore, const std::vector<size_t>& redo) {
  const auto target = RestoreTargetOf(restore);
  if (!target) return Fail(BugError(fmt::format("batch {} of {} does not say what it restores", restore.n, identity.node)));
  const std::string prefix = StagedFilePrefix(identity.node, restore.n, restore.attempt);
  Repreparation again;
  for (const size_t i : redo) {
    const TableChange& old = restore.changes[i];
    const auto table = std::find_if(target->tables.begin(), target->tables.end(), [&](const auto& one) { return one.root == old.root; });
    if (table == target->tables.end()) return Fail(BugError("a restore changes a table that it does not name"));
    SLUICE_TRY(auto change, BringBack(lake, clock, random, identity, *table, prefix, &old.commit));
    if (!change) return Fail(BugError("a restore of a table that is gone"));
    again.changes.push_back(*std::move(change));
  }
  return again;
}

}  // namespace sluice::state
