#pragma once
// Every SQL text of the project, parsed once. What the graph needs of a text is kept in .sluice/cache between runs, so that a run with
// nothing to do never starts DuckDB.
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "engines/sql.h"
#include "plan/graph.h"
#include "project/project.h"

namespace sluice::plan {

// Thread-safe.
class SqlBook {
 public:
  using OpenFrontend = std::function<Result<engines::SqlFrontend*>()>;
  // `cache_file`: "" = no cache between runs. `salt`: whatever else the facts depend on (the version of Sluice).
  SqlBook(const project::Project& project, OpenFrontend open, std::string cache_file, std::string salt);

  Result<SqlFacts> Facts(const std::string& sql, const std::string& file);
  Result<engines::SqlTree> Tree(const std::string& sql, const std::string& file);
  // What a person asks once: it may read delta_scan('path'), and no cache keeps it.
  Result<engines::SqlTree> Query(const std::string& sql);
  // The frontend with the project's macros loaded.
  Result<engines::SqlFrontend*> Frontend();
  // Writes the cache if it changed. A cache that can't be written costs time, nothing else: no error.
  void Save();

 private:
  std::string KeyOf(const std::string& sql, const std::string& file) const;
  void Load();

  const project::Project& project_;
  OpenFrontend open_;
  std::string cache_file_, salt_;
  std::vector<std::string> schemas_;
  std::recursive_mutex mutex_;
  engines::SqlFrontend* frontend_ = nullptr;
  bool loaded_ = false, changed_ = false;
  std::map<std::string, SqlFacts> facts_;
  std::map<std::string, engines::SqlTree> trees_;
};

}  // namespace sluice::plan
