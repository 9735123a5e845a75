// May a prepared commit still be said after these foreign ones? Pure.
#include <fmt/format.h>

#include <set>

#include "delta/commit.h"
#include "delta/path.h"

namespace sluice::delta {
namespace {

// What the commit depends on, made once for all the foreign actions.
struct Footprint {
  std::set<std::string> removed, added;  // path keys
  std::set<std::string> domains;
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

// Does a file with these partition values hold rows of `read`? A column that the file does not name says nothing: it may.
bool Overlaps(const PartitionValues& file, const PartitionValues& read) {
  for (const auto& [column, value] : read) {
    const auto it = file.find(column);
    if (it != file.end() && it->second != value) return false;
  }
  return true;
}

bool ReadsRowsOf(const PreparedCommit& commit, const PartitionValues& file) {
  if (commit.reads == ReadScope::kWholeTable) return true;
  if (commit.reads == ReadScope::kNothing) return false;
  for (const PartitionValues& read : commit.read_partitions)
    if (Overlaps(file, read)) return true;
  return false;
}

std::string Against(const PreparedCommit& commit, const Footprint& ours, const Add& add) {
  if (ours.added.contains(PathKey(add.path))) return fmt::format("added a file that this commit adds: {}", add.path);
  if (ours.removed.contains(PathKey(add.path))) return fmt::format("changed a file that this commit removes: {}", add.path);
  if (add.data_change && ReadsRowsOf(commit, add.partition_values)) return fmt::format("added rows to what this commit read: {}", add.path);
  return "";
}

std::string Against(const PreparedCommit& commit, const Footprint& ours, const Remove& remove) {
  const std::string key = PathKey(remove.path);
  if (ours.removed.contains(key)) return fmt::format("removed a file that this commit removes: {}", remove.path);
  if (ours.added.contains(key)) return fmt::format("removed a file that this commit adds: {}", remove.path);
  // Without extended metadata the removed file's partition is not known: an empty map overlaps with everything.
  if (remove.data_change && ReadsRowsOf(commit, remove.partition_values))
    return fmt::format("removed rows of what this commit read: {}", remove.path);
  return "";
}

std::string Against(const PreparedCommit&, const Footprint&, const Metadata&) { return "changed the table's schema or properties"; }
std::string Against(const PreparedCommit&, const Footprint&, const Protocol&) { return "changed the table's protocol"; }
std::string Against(const PreparedCommit&, const Footprint& ours, const DomainMetadata& domain) {
  return ours.domains.contains(domain.domain) ? fmt::format("changed the metadata domain {}", domain.domain) : "";
}
std::string Against(const PreparedCommit&, const Footprint&, const Txn&) { return ""; }
std::string Against(const PreparedCommit&, const Footprint&, const CdcFile&) { return ""; }
std::string Against(const PreparedCommit&, const Footprint&, const CommitInfo&) { return ""; }

}  // namespace

std::optional<Conflict> FindConflict(const PreparedCommit& commit, const std::vector<LogCommit>& since) {
  const Footprint ours = FootprintOf(commit);
  for (const LogCommit& foreign : since) {
    if (foreign.version <= commit.read_version) continue;
    if (commit.read_version < 0)
      return Conflict{foreign.version, fmt::format("version {} exists: the table was created by another writer", foreign.version)};
    for (const Action& action : foreign.actions) {
      std::string what = std::visit([&](const auto& body) { return Against(commit, ours, body); }, action);
      if (!what.empty()) return Conflict{foreign.version, fmt::format("version {} {}", foreign.version, what)};
    }
  }
  return std::nullopt;
}

}  // namespace sluice::delta
