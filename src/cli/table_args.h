#pragma once
// What the `sluice table …` commands that change a table, or compare its versions, were given; and the commands themselves.
#include <cstdint>
#include <string>
#include <vector>

#include "cli/command.h"

namespace sluice::cli {

struct OptimizeArgs {
  std::string table, where, target_size, purge_share = "5%";
  std::vector<std::string> z_order_by;
  bool purge = false;
};
int TableOptimize(Context& context, const OptimizeArgs& args);

struct DmlArgs {
  std::string table, where;
  std::vector<std::string> set;  // "column = SQL", several separated by commas
  bool all = false, yes = false;
};
int TableUpdate(Context& context, const DmlArgs& args);
int TableDelete(Context& context, const DmlArgs& args);

struct MergeArgs {
  std::string table, source, on;
  std::vector<std::string> when;  // "MATCHED THEN UPDATE SET *"
  bool yes = false;
};
int TableMerge(Context& context, const MergeArgs& args);

struct DiffArgs {
  std::string table, from, to, format, out;
  std::vector<std::string> key;
  int64_t limit = 0;
};
int TableDiff(Context& context, const DiffArgs& args);
int TableChanges(Context& context, const DiffArgs& args);

struct AlterArgs {
  std::string table, description;
  // Each as NAME, "NAME TYPE" or NAME=VALUE.
  std::vector<std::string> drop, rename, type, add, nullable, not_null, comment, unset, set, drop_constraint, add_constraint;
  bool yes = false;
};
int TableAlter(Context& context, const AlterArgs& args);

struct RestoreArgs {
  std::string table, to;
  bool with_later = false, dry_run = false, wait = false, yes = false;
};
int TableRestore(Context& context, const RestoreArgs& args);

struct VacuumArgs {
  std::string table, retention, max_hold;
  bool all = false, dry_run = false, force = false, yes = false;
};
int TableVacuum(Context& context, const VacuumArgs& args);

}  // namespace sluice::cli
