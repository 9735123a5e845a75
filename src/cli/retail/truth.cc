#include "cli/retail/truth.h"

#include <nlohmann/json.hpp>

#include "core/text.h"

namespace sluice::cli::retail {
namespace {

using Json = nlohmann::ordered_json;

Json& Nested(Json& root, const std::string& path) {
  Json* at = &root;
  for (const std::string& part : Split(path, '.')) at = &(*at)[part];
  return *at;
}

Json Rows(const std::vector<Planted>& planted) {
  Json rows = Json::array();
  for (const Planted& p : planted) {
    rows.push_back({{"file", p.file}, {"row", p.row}, {"line", p.line}, {"column", p.column}, {"rule", p.rule}});
  }
  return rows;
}

Json CountByRule(const std::vector<Planted>& planted) {
  std::map<std::pair<std::string, std::string>, int64_t> counts;
  for (const Planted& p : planted) ++counts[{p.column, p.rule}];
  Json list = Json::array();
  for (const auto& [key, rows] : counts) list.push_back({{"column", key.first}, {"rule", key.second}, {"rows", rows}});
  return list;
}

Json Render(const SourceTruth& source) {
  return {{"records", source.records},
          {"bronze", source.bronze},
          {"bronze_in_table", source.bronze_in_table < 0 ? source.bronze : source.bronze_in_table},
          {"quarantined", source.quarantined.size()},
          {"deduplicated", source.deduplicated},
          {"warned", source.warned.size()},
          {"violations", CountByRule(source.quarantined)},
          {"warnings", CountByRule(source.warned)},
          {"planted", Rows(source.quarantined)}};
}

}  // namespace

SourceTruth& Truth::Source(const std::string& name) {
  SourceTruth& source = sources_[name];
  source.name = name;
  return source;
}

std::string Truth::Render(const RetailOptions& options) const {
  Json root;
  root["options"] = {{"orders", options.orders}, {"events", options.events}, {"crm", options.crm},
                     {"seed", options.seed},     {"days", options.days},     {"part", options.part}};
  for (const auto& [name, source] : sources_) root["sources"][name] = retail::Render(source);
  Json& facts = root["facts"] = Json::object();
  for (const auto& [path, value] : counts_) Nested(facts, path) = value;
  for (const auto& [path, value] : texts_) Nested(facts, path) = value;
  return root.dump(1) + "\n";
}

}  // namespace sluice::cli::retail
