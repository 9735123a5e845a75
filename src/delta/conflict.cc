// May a prepared commit still be said after these foreign ones? Pure.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <compare>
#include <nlohmann/json.hpp>
#include <set>

#include "core/text.h"
#include "core/time.h"
#include "delta/commit.h"
#include "delta/path.h"

namespace sluice::delta {
namespace {

// What the commit depends on, made once for all the foreign actions.
struct Footprint {
  std::set<std::string> removed, added;  // path keys
  std::set<std::string> domains;
  std::string application;            // of our txn, "" without one
  bool passes_blind_appends = false;  // the isolation lets rows go unseen that a blind append added
};

Footprint FootprintOf(const PreparedCommit& commit) {
  Footprint print;
  for (const Action& action : commit.actions) {
    if (const auto* add = std::get_if<Add>(&action)) print.added.insert(PathKey(add->path));
    if (const auto* remove = std::get_if<Remove>(&action)) print.removed.insert(PathKey(remove->path));
    if (const auto* domain = std::get_if<DomainMetadata>(&action)) print.domains.insert(domain->domain);
  }
  return print;
}

// The order of two values of one type; nullopt where their texts do not tell.
template <typename T>
std::optional<std::strong_ordering> OrderOf(const std::optional<T>& a, const std::optional<T>& b) {
  if (!a || !b) return std::nullopt;
  return *a <=> *b;
}

std::optional<int64_t> IntegerOf(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// Writers give instants with and without a zone: without one it is UTC's.
std::optional<int64_t> MicrosOf(const std::string& text) {
  auto instant = ParseInstant(text);
  if (!instant) instant = ParseInstant(text + "Z");
  return instant ? std::optional(instant->micros) : std::nullopt;
}

std::optional<std::strong_ordering> Compare(contract::TypeKind type, const std::string& a, const std::string& b) {
  using contract::TypeKind;
  switch (type) {
    case TypeKind::kTinyint:
    case TypeKind::kSmallint:
    case TypeKind::kInteger:
    case TypeKind::kBigint:
      return OrderOf(IntegerOf(a), IntegerOf(b));
    case TypeKind::kDate:
      return OrderOf(ParseDate(a), ParseDate(b));
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampNtz:
      return OrderOf(MicrosOf(a), MicrosOf(b));
    case TypeKind::kString:
      return a.compare(b) <=> 0;
    default:
      return std::nullopt;
  }
}

bool MayMeet(const PartitionComparison& comparison, const PartitionValues& file) {
  const auto value = file.find(comparison.column);
  if (value == file.end()) return true;  // it does not say
  if (!value->second || value->second->empty()) return false;
  const auto order = Compare(comparison.type, *value->second, comparison.value);
  if (!order) return true;
  using Op = PartitionComparison::Op;
  switch (comparison.op) {
    case Op::kEqual:
      return *order == 0;
    case Op::kLess:
      return *order < 0;
    case Op::kLessOrEqual:
      return *order <= 0;
    case Op::kGreater:
      return *order > 0;
    case Op::kGreaterOrEqual:
      return *order >= 0;
  }
  return true;
}

bool ReadsRowsOf(const PreparedCommit& commit, const PartitionValues& file) {
  if (commit.reads == ReadScope::kWholeTable) return true;
  return commit.reads == ReadScope::kPartitions && MayMeet(commit.read_where, file);
}

// What a commit says of itself: a JSON object, empty where it says nothing.
nlohmann::json InfoOf(const LogCommit& foreign) {
  for (const Action& action : foreign.actions) {
    const auto* info = std::get_if<CommitInfo>(&action);
    if (info == nullptr) continue;
    auto json = nlohmann::json::parse(info->json, nullptr, /*allow_exceptions=*/false);
    if (json.is_object()) return json;
  }
  return nlohmann::json::object();
}

// Only what a writer says of itself tells whether it had read the table.
bool IsBlindAppend(const LogCommit& foreign) {
  for (const Action& action : foreign.actions)
    if (std::holds_alternative<Remove>(action) || std::holds_alternative<Metadata>(action)) return false;
  const auto info = InfoOf(foreign);
  return info.contains("isBlindAppend") && info["isBlindAppend"] == true;
}

// "version 7 (OPTIMIZE)"
std::string NameOf(const LogCommit& foreign) {
  const auto info = InfoOf(foreign);
  const auto operation = info.find("operation");
  if (operation == info.end() || !operation->is_string()) return fmt::format("version {}", foreign.version);
  return fmt::format("version {} ({})", foreign.version, operation->get<std::string>());
}

std::string Against(const PreparedCommit& commit, const Footprint& ours, bool blind, const Add& add) {
  if (ours.added.contains(PathKey(add.path))) return fmt::format("added a file that this commit adds: {}", add.path);
  if (ours.removed.contains(PathKey(add.path))) return fmt::format("changed a file that this commit removes: {}", add.path);
  if (blind && ours.passes_blind_appends) return "";
  if (add.data_change && ReadsRowsOf(commit, add.partition_values)) return fmt::format("added rows to what this commit read: {}", add.path);
  return "";
}

std::string Against(const PreparedCommit& commit, const Footprint& ours, bool, const Remove& remove) {
  const std::string key = PathKey(remove.path);
  if (ours.removed.contains(key)) return fmt::format("removed a file that this commit removes: {}", remove.path);
  if (ours.added.contains(key)) return fmt::format("removed a file that this commit adds: {}", remove.path);
  // Without extended metadata the removed file's partition is not known: an empty map may meet everything.
  if (remove.data_change && ReadsRowsOf(commit, remove.partition_values))
    return fmt::format("removed rows of what this commit read: {}", remove.path);
  return "";
}

std::string Against(const PreparedCommit&, const Footprint&, bool, const Metadata&) { return "changed the table's schema or properties"; }
std::string Against(const PreparedCommit&, const Footprint&, bool, const Protocol&) { return "changed the table's protocol"; }
std::string Against(const PreparedCommit&, const Footprint& ours, bool, const DomainMetadata& domain) {
  return ours.domains.contains(domain.domain) ? fmt::format("changed the metadata domain {}", domain.domain) : "";
}
std::string Against(const PreparedCommit&, const Footprint& ours, bool, const Txn& txn) {
  return txn.app_id == ours.application ? fmt::format("carries transaction {} of {}", txn.version, txn.app_id) : "";
}
std::string Against(const PreparedCommit&, const Footprint&, bool, const CdcFile&) { return ""; }
std::string Against(const PreparedCommit&, const Footprint&, bool, const CommitInfo&) { return ""; }

}  // namespace

bool MayMeet(const AnyPartitionConditions& any, const PartitionValues& file) {
  return std::any_of(any.begin(), any.end(), [&](const PartitionConditions& all) {
    return std::all_of(all.begin(), all.end(), [&](const PartitionCondition& condition) {
      return std::any_of(condition.begin(), condition.end(), [&](const PartitionComparison& one) { return MayMeet(one, file); });
    });
  });
}

Isolation IsolationOf(const Metadata& metadata) {
  const auto level = metadata.configuration.find("delta.isolationLevel");
  const bool weaker = level != metadata.configuration.end() && EqualsIgnoreCase(level->second, "WriteSerializable");
  return weaker ? Isolation::kWriteSerializable : Isolation::kSerializable;
}

std::optional<Conflict> FindConflict(const PreparedCommit& commit, const std::vector<LogCommit>& since, Isolation isolation,
                                     const std::optional<Txn>& txn) {
  Footprint ours = FootprintOf(commit);
  if (txn) ours.application = txn->app_id;
  // A commit that changes the schema has seen all rows under it.
  const bool changes_schema = std::any_of(commit.actions.begin(), commit.actions.end(),
                                          [](const Action& action) { return std::holds_alternative<Metadata>(action); });
  ours.passes_blind_appends = isolation == Isolation::kWriteSerializable && !changes_schema;
  for (const LogCommit& foreign : since) {
    if (foreign.version <= commit.read_version) continue;
    if (commit.read_version < 0)
      return Conflict{foreign.version, fmt::format("{} exists: the table was created by another writer", NameOf(foreign))};
    const bool blind = ours.passes_blind_appends && IsBlindAppend(foreign);
    for (const Action& action : foreign.actions) {
      std::string what = std::visit([&](const auto& body) { return Against(commit, ours, blind, body); }, action);
      if (!what.empty()) return Conflict{foreign.version, fmt::format("{} {}", NameOf(foreign), what)};
    }
  }
  return std::nullopt;
}

}  // namespace sluice::delta
