#include "plan/sql_book.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace sluice::plan {
namespace {

using nlohmann::json;

json ToJson(const Location& where) { return json::array({where.file, where.line, where.column}); }
Location LocationFrom(const json& value) { return {value.at(0), value.at(1), value.at(2)}; }

json ToJson(const SqlFacts& facts) {
  json uses = json::array(), warnings = json::array();
  for (const auto& use : facts.uses) uses.push_back({static_cast<int>(use.mode), use.schema, use.name, ToJson(use.where)});
  for (const auto& warning : facts.warnings) warnings.push_back({warning.code, warning.message, warning.hint, ToJson(warning.where)});
  return {{"uses", uses}, {"parameters", facts.parameters}, {"fingerprint", facts.fingerprint}, {"warnings", warnings}};
}

SqlFacts FactsFrom(const json& value) {
  SqlFacts facts;
  for (const json& use : value.at("uses"))
    facts.uses.push_back({static_cast<engines::UseMode>(use.at(0)), use.at(1), use.at(2), LocationFrom(use.at(3))});
  for (const json& warning : value.at("warnings"))
    facts.warnings.push_back(UserError(warning.at(0), warning.at(1)).Hint(warning.at(2)).At(LocationFrom(warning.at(3))));
  facts.parameters = value.at("parameters").get<std::vector<std::string>>();
  facts.fingerprint = value.at("fingerprint");
  return facts;
}

}  // namespace

SqlBook::SqlBook(const project::Project& project, OpenFrontend open, std::string cache_file, std::string salt)
    : project_(project), open_(std::move(open)), cache_file_(std::move(cache_file)), salt_(std::move(salt)), schemas_(project.layers) {
  schemas_.insert(schemas_.end(), {"seed", "quarantine"});
  for (const auto& macro : project.macros) salt_ += "\x1f" + macro.sql;
  for (const auto& schema : schemas_) salt_ += "\x1f" + schema;
}

std::string SqlBook::KeyOf(const std::string& sql, const std::string& file) const {
  return Hex(Hash64(salt_ + "\x1e" + file + "\x1e" + sql));
}

void SqlBook::Load() {
  if (std::exchange(loaded_, true) || cache_file_.empty()) return;
  std::ifstream in(cache_file_);
  const json cache = json::parse(in, nullptr, false);
  if (!cache.is_object()) return;
  try {
    for (const auto& [key, value] : cache.items()) facts_.emplace(key, FactsFrom(value));
  } catch (const json::exception&) {
    facts_.clear();  // an older form: made again
  }
}

Result<engines::SqlFrontend*> SqlBook::Frontend() {
  std::lock_guard lock(mutex_);
  if (frontend_ == nullptr) {
    SLUICE_TRY(engines::SqlFrontend * frontend, open_());
    std::vector<engines::MacroSource> macros;
    for (const auto& macro : project_.macros) macros.push_back({macro.sql, macro.where});
    SLUICE_CHECK(frontend->AddMacros(macros));
    frontend_ = frontend;
  }
  return frontend_;
}

Result<engines::SqlTree> SqlBook::Tree(const std::string& sql, const std::string& file) {
  std::lock_guard lock(mutex_);
  const std::string key = KeyOf(sql, file);
  if (const auto at = trees_.find(key); at != trees_.end()) return at->second;
  SLUICE_TRY(engines::SqlFrontend * frontend, Frontend());
  SqlFacts facts;
  SLUICE_TRY(engines::SqlTree tree, frontend->ParseModel(sql, file, schemas_, &facts.warnings));
  facts.uses = tree.uses();
  facts.parameters = tree.parameters();
  facts.fingerprint = tree.fingerprint();
  facts_.insert_or_assign(key, std::move(facts));
  changed_ = true;
  return trees_.emplace(key, std::move(tree)).first->second;
}

Result<engines::SqlTree> SqlBook::Query(const std::string& sql) {
  SLUICE_TRY(engines::SqlFrontend * frontend, Frontend());
  return frontend->ParseQuery(sql, schemas_);
}

Result<SqlFacts> SqlBook::Facts(const std::string& sql, const std::string& file) {
  std::lock_guard lock(mutex_);
  Load();
  const std::string key = KeyOf(sql, file);
  if (!facts_.contains(key)) SLUICE_CHECK(Tree(sql, file));
  return facts_.at(key);
}

void SqlBook::Save() {
  std::lock_guard lock(mutex_);
  if (!changed_ || cache_file_.empty()) return;
  json cache = json::object();
  for (const auto& [key, facts] : facts_) cache[key] = ToJson(facts);
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(cache_file_).parent_path(), ignored);
  const std::string temporary = cache_file_ + ".new";
  std::ofstream(temporary) << cache.dump();
  std::filesystem::rename(temporary, cache_file_, ignored);
  changed_ = false;
}

}  // namespace sluice::plan
