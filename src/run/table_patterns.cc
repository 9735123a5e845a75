#include "run/table_patterns.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/text.h"
#include "sources/catalog.h"
#include "sources/propose.h"
#include "state/batch.h"

namespace sluice::run {
namespace {

constexpr size_t kMostRecords = 1000;  // of a node, that are looked through

std::optional<std::string> LastTable(const std::vector<state::BatchSummary>& newest_first) {
  for (const auto& batch : newest_first) {
    if (!batch.ready) continue;
    const auto inputs = nlohmann::json::parse(batch.ready->inputs, nullptr, false);
    if (inputs.is_object() && inputs.contains("rows_of")) return inputs.value("rows_of", "");
  }
  return std::nullopt;
}

// Tables that batches of this lake have read, by the node that did.
Result<std::map<std::string, std::string>> TablesRead(store::ObjectStore& lake) {
  std::map<std::string, std::string> read;
  SLUICE_TRY(const auto nodes, state::NodesWithRecords(lake));
  for (const std::string& node : nodes) {
    if (!node.starts_with("bronze.")) continue;
    std::optional<std::string> table;
    for (const size_t most : {size_t{1}, kMostRecords}) {  // a rollback or a replay before it says nothing of tables
      if (table) break;
      SLUICE_TRY(const auto batches, state::History(lake, node, most));
      table = LastTable(batches);
    }
    if (table) read[node] = *table;
  }
  return read;
}

std::string NameFor(const std::string& table) { return sources::TableName(table.substr(table.find('.') + 1)); }

class Expansion {
 public:
  Expansion(store::ObjectStore& lake, const project::Project& project, const std::atomic<bool>* cancel)
      : lake_(lake), project_(project), cancel_(cancel) {
    for (const project::Source& source : project.sources) {
      names_.emplace(source.name, source.rows.table.empty() ? "another source" : source.rows.table);
      if (!source.rows.table.empty()) named_.insert(source.connection.name + " " + source.rows.table);
    }
  }

  Result<Expanded> Run() {
    SLUICE_TRY(known_, TablesRead(lake_));
    for (const project::Source& pattern : project_.table_patterns) SLUICE_CHECK(Expand(pattern));
    return std::move(out_);
  }

 private:
  Status Expand(const project::Source& pattern) {
    std::vector<std::string> there;
    for (const auto& [node, table] : known_)
      if (node == "bronze." + NameFor(table)) there.push_back(table);
    const bool any = !MatchingTables(pattern.rows.table, there).empty();
    auto on_server = TablesOf(pattern.connection);
    if (!on_server && !any) return Fail(on_server.error());
    if (!on_server) out_.warnings.push_back(on_server.error());
    // What was read before and is not there any more, or not for this user, fails as such instead of being forgotten.
    const std::set<std::string> known(there.begin(), there.end());
    if (on_server)
      for (const std::string& table : *on_server)
        if (!known.contains(table)) there.push_back(table);
    auto matches = MatchingTables(pattern.rows.table, there);
    std::stable_partition(matches.begin(), matches.end(), [&](const std::string& table) { return known.contains(table); });
    if (matches.empty())
      out_.warnings.push_back(
          UserError("no-match", fmt::format("no table of {} matches \"{}\"", pattern.connection.name, pattern.rows.table))
              .At(pattern.where));
    for (const std::string& table : matches) SLUICE_CHECK(Add(pattern, table));
    return Ok();
  }

  Result<std::vector<std::string>> TablesOf(const project::Connection& connection) {
    if (const auto found = listed_.find(connection.name); found != listed_.end()) return found->second;
    sources::SourceSpec spec;
    spec.connection_type = connection.type;
    spec.cancel = cancel_;
    SLUICE_TRY(spec.peer, project::ResolvePeer(connection));
    SLUICE_TRY(const auto catalog, sources::OpenCatalog(spec));
    SLUICE_TRY(const auto tables, catalog->List());
    std::vector<std::string>& names = listed_[connection.name];
    for (const auto& table : tables) names.push_back(table.name);
    return names;
  }

  Status Add(const project::Source& pattern, const std::string& table) {
    if (!named_.insert(pattern.connection.name + " " + table).second) return Ok();
    project::Source source = pattern;
    source.name = NameFor(table);
    source.rows.table = table;
    source.matched_by = pattern.rows.table;
    source.fingerprint = Hex(Hash64(pattern.fingerprint + table));
    if (const auto [at, is_new] = names_.emplace(source.name, table); !is_new) {  // the others go on
      out_.warnings.push_back(
          UserError("duplicate-table", fmt::format("{} matches \"{}\", and bronze.{} is made of {} already: it is left out", table,
                                                   pattern.rows.table, source.name, at->second))
              .At(pattern.where)
              .Hint(fmt::format("name it beside the pattern: {}: {{ as: OTHER_NAME }}", table)));
      return Ok();
    }
    out_.sources.push_back(std::move(source));
    return Ok();
  }

  store::ObjectStore& lake_;
  const project::Project& project_;
  const std::atomic<bool>* cancel_;
  std::map<std::string, std::string> names_;  // of bronze tables → what they are made of
  std::set<std::string> named_;
  std::map<std::string, std::string> known_;
  std::map<std::string, std::vector<std::string>> listed_;
  Expanded out_;
};

}  // namespace

std::vector<std::string> MatchingTables(const std::string& pattern, const std::vector<std::string>& there) {
  const std::string whole = pattern.find('.') == std::string::npos ? "public." + pattern : pattern;
  std::vector<std::string> matches;
  std::copy_if(there.begin(), there.end(), std::back_inserter(matches), [&](const std::string& table) { return GlobMatch(whole, table); });
  std::sort(matches.begin(), matches.end());
  return matches;
}

Result<Expanded> ExpandTablePatterns(store::ObjectStore& lake, const project::Project& project, const std::atomic<bool>* cancel) {
  return Expansion(lake, project, cancel).Run();
}

}  // namespace sluice::run
