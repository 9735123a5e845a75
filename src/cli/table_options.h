#pragma once
// The options of the `sluice table …` commands that change a table or compare its versions.
#include <functional>
#include <string>

#include "cli/table_args.h"

namespace CLI {
class App;
}

namespace sluice::cli {

struct TableOperationArgs {
  OptimizeArgs optimize;
  DmlArgs dml;
  MergeArgs merge;
  DiffArgs diff;
  AlterArgs alter;
  RestoreArgs restore;
  VacuumArgs vacuum;
};

// Adds the commands below `tables`; `args` and `action` outlive it. A command that was typed is put into `action`.
void AddTableOperations(CLI::App& tables, Context& context, TableOperationArgs& args, std::function<int()>& action);

// For options that count rows: what is wrong with the text; "": nothing, or that it is no number.
inline std::string IsOneOrMore(const std::string& text) { return text == "0" || text.starts_with('-') ? "must be 1 or more" : ""; }

}  // namespace sluice::cli
