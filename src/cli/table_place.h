#pragma once
// The table that a `sluice table …` command is about: a node's table in the lake, or any Delta table by its path.
#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/no_project.h"
#include "tables/change.h"

namespace sluice::cli {

struct FoundTable {
  std::unique_ptr<NoProject> nowhere;       // where no project is open
  std::unique_ptr<store::ObjectStore> own;  // by path
  std::unique_ptr<run::Session> session;
  const plan::Node* node = nullptr;  // whose table it is; null: by path, or its model is gone
  store::ObjectStore* store = nullptr;
  std::string root, name;

  bool by_path() const { return own != nullptr; }
  std::string location() const { return store->Uri(root); }
};

enum class Needs {
  kNothing,  // a table by path is enough by itself
  kProject,  // SQL may name the project's tables: it is opened too, if there is one
};
// Errors: "no-such-table" where a path has none; those of OpenToLook and FindNode.
Result<FoundTable> FindTable(Context& context, const std::string& name, Needs needs = Needs::kNothing);

// The newest version, to be changed: as the table is, with deletion vectors where its readers know them.
Result<tables::TableTarget> TargetOf(const FoundTable& table);

// What one command stages and commits.
class TableOperation {
 public:
  // `verb` begins the names of the files that it writes.
  TableOperation(FoundTable& table, std::string verb);
  tables::StageOptions Options() const;
  // The version that the change is committed as.
  Result<int64_t> Commit(const tables::TableTarget& target, const tables::StagedChange& change) const;
  double Seconds() const;
  const std::string& id() const { return id_; }

 private:
  FoundTable& table_;
  std::string id_, prefix_;
  Instant started_;
};

// The folder of one connection of the session's engine.
Result<std::unique_ptr<engines::Connection>> Connect(FoundTable& table);

int Finish(Context& context, Result<int> result);

}  // namespace sluice::cli
