#include "run/table_patterns.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/text.h"
#include "sources/postgres/postgres_source.h"
#include "sources/propose.h"
#include "state/batch.h"

namespace sluice::run {
namespace {

// Tables that batches of this lake have read, by the node that did.
Result<std::map<std::string, std::string>> TablesRead(store::ObjectStore& lake) {
  std::map<std::string, std::string> read;
  SLUICE_TRY(const auto nodes, state::NodesWithRecords(lake));
  for (const std::string& node : nodes) {
    if (!node.starts_with("bronze.")) continue;
    SLUICE_TRY(const auto batches, state::History(lake, node, 1));
    if (batches.empty() || !batches[0].ready) continue;
    const auto inputs = nlohmann::json::parse(batches[0].ready->inputs, nullptr, false);
    if (inputs.is_object() && inputs.contains("rows_of")) read[node] = inputs.value("rows_of", "");
  }
  return read;
}

std::string NameFor(const std::string& table) { return sources::TableName(table.substr(table.find('.') + 1)); }

class Expansion {
 public:
  Expansion(store::ObjectStore& lake, const project::Project& project, const std::atomic<bool>* cancel)
      : lake_(lake), project_(project), cancel_(cancel) {
    for (const project::Source& source : project.sources) {
      names_.insert(source.name);
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
    if (on_server) there = *on_server;
    const auto matches = MatchingTables(pattern.rows.table, there);
    if (matches.empty())
      out_.warnings.push_back(
          UserError("no-match", fmt::format("no table of {} matches \"{}\"", pattern.connection.name, pattern.rows.table))
              .At(pattern.where));
    for (const std::string& table : matches) SLUICE_CHECK(Add(pattern, table));
    return Ok();
  }

  Result<std::vector<std::string>> TablesOf(const project::Connection& connection) {
    if (const auto found = listed_.find(connection.name); found != listed_.end()) return found->second;
    SLUICE_TRY(const auto settings, project::ResolvePostgres(connection));
    SLUICE_TRY(const auto tables, sources::postgres::ListTables(settings, cancel_));
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
    if (!names_.insert(source.name).second)
      return Fail(UserError("duplicate-table", fmt::format("{} matches \"{}\", and bronze.{} is made by another source already", table,
                                                           pattern.rows.table, source.name))
                      .At(pattern.where)
                      .Hint(fmt::format("name it beside the pattern: {}: {{ as: OTHER_NAME }}", table)));
    out_.sources.push_back(std::move(source));
    return Ok();
  }

  store::ObjectStore& lake_;
  const project::Project& project_;
  const std::atomic<bool>* cancel_;
  std::set<std::string> names_, named_;
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
