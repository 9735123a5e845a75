#include "cli/table_options.h"

#include <CLI/CLI.hpp>

namespace sluice::cli {
namespace {

constexpr const char* kTable = "a node's table, or the path of a Delta table";

class TableOptions {
 public:
  TableOptions(CLI::App& tables, Context& context, TableOperationArgs& args, std::function<int()>& action)
      : tables_(tables), context_(context), args_(args), action_(action) {}

  void Optimize() {
    OptimizeArgs& args = args_.optimize;
    CLI::App* command = Command("optimize", "pack small files together, purge deleted rows, order rows", args.table,
                                [&context = context_, &args] { return TableOptimize(context, args); });
    command->add_option("--where", args.where, "only these partitions: SQL over partition columns");
    command->add_option("--z-order", args.z_order_by, "COLUMN,…: rows close in all of these lie close in the files")->take_all();
    command->add_option("--target-size", args.target_size, "size of a full file (default: the table's delta.targetFileSize, else 256MiB)");
    command->add_flag("--purge", args.purge, "rewrite every file that has deleted rows");
    command->add_option("--purge-share", args.purge_share, "rewrite files with this share of deleted rows")->capture_default_str();
  }

  void UpdateAndDelete() {
    DmlArgs& args = args_.dml;
    CLI::App* update = Command("update", "change rows: --set \"status = 'paid'\" --where \"id = 17\"", args.table,
                               [&context = context_, &args] { return TableUpdate(context, args); });
    update->add_option("--set", args.set, "COLUMN = SQL, over the row's columns")->required()->take_all();
    CLI::App* remove = Command("delete", "delete rows: --where \"id = 17\"", args.table,
                               [&context = context_, &args] { return TableDelete(context, args); });
    for (CLI::App* command : {update, remove}) {
      command->add_option("--where", args.where, "which rows: SQL over their columns");
      command->add_flag("--all", args.all, "every row");
      command->add_flag("--yes,-y", args.yes, "confirm it in a protected environment");
    }
  }

  void Merge() {
    MergeArgs& args = args_.merge;
    CLI::App* command = Command("merge", "MERGE INTO the table, from a SELECT, a file or another table", args.table,
                                [&context = context_, &args] { return TableMerge(context, args); });
    command->add_option("--using", args.source, "\"SELECT …\", a file (.csv, .parquet, .json …), or a table")->required();
    command->add_option("--on", args.on, "columns that both have (id,line), or a condition: \"target.id = source.order_id\"")->required();
    command
        ->add_option("--when", args.when,
                     "a clause, as in SQL; the first that holds decides: \"MATCHED [AND …] THEN UPDATE SET * | UPDATE SET a = "
                     "source.a | DELETE\", \"NOT MATCHED [AND …] THEN INSERT * | INSERT (a) VALUES (source.a)\", \"NOT MATCHED BY "
                     "SOURCE [AND …] THEN DELETE | UPDATE SET …\"")
        ->required()
        ->take_all();
    command->add_flag("--yes,-y", args.yes, "confirm it in a protected environment");
  }

  void DiffAndChanges() {
    DiffArgs& args = args_.diff;
    CLI::App* diff = Command("diff", "the rows in which two versions differ, matched by key", args.table,
                             [&context = context_, &args] { return TableDiff(context, args); });
    diff->add_option("--from", args.from, "the older version, by number or time (default: the one before --to)");
    diff->add_option("--to", args.to, "the newer version (default: the newest)");
    diff->add_option("--key", args.key, "columns that tell rows apart (default: the model's key)")->take_all();
    CLI::App* changes = Command("changes", "the rows that versions inserted, updated and deleted", args.table,
                                [&context = context_, &args] { return TableChanges(context, args); });
    changes->add_option("--from", args.from, "the first version, by number or time (default: --to)");
    changes->add_option("--to", args.to, "the last version (default: the newest)");
    for (CLI::App* command : {diff, changes}) {
      command->add_option("--format", args.format,
                          "table, csv, json (one object a line) or parquet (default: by the ending of --out, else table)");
      command->add_option("-o,--out", args.out, "write the rows to this file");
      command->add_option("--limit", args.limit, "at most this many rows")->check(IsOneOrMore);
    }
  }

  void Alter() {
    AlterArgs& args = args_.alter;
    CLI::App* command = Command("alter", "columns, properties and constraints; all of it is one commit", args.table,
                                [&context = context_, &args] { return TableAlter(context, args); });
    const auto many = [&](const char* name, std::vector<std::string>& into, const char* what) {
      command->add_option(name, into, what)->take_all()->allow_extra_args(false);
    };
    many("--add-column", args.add, "\"NAME TYPE\": a column, NULL in the rows there are; NAME may be a path: address.zip");
    many("--drop-column", args.drop, "NAME (enables column mapping)");
    many("--rename-column", args.rename, "OLD=NEW (enables column mapping)");
    many("--type", args.type, "NAME=TYPE: a wider type (needs delta.enableTypeWidening)");
    many("--not-null", args.not_null, "NAME: no NULL from now on; the rows there are must have none");
    many("--nullable", args.nullable, "NAME: NULL is allowed");
    many("--comment", args.comment, "NAME=TEXT: what a column is; no TEXT takes it away");
    command->add_option("--description", args.description, "what the table is");
    many("--set", args.set, "KEY=VALUE: a table property, as delta.enableChangeDataFeed=true");
    many("--unset", args.unset, "KEY: takes a property away");
    many("--add-constraint", args.add_constraint, "\"NAME=CONDITION\": a CHECK constraint; the rows there are must fulfil it");
    many("--drop-constraint", args.drop_constraint, "NAME");
    command->add_flag("--yes,-y", args.yes, "confirm it in a protected environment");
  }

  void Restore() {
    RestoreArgs& args = args_.restore;
    CLI::App* command = Command("restore", "a table, and its node's other tables, as they were", args.table,
                                [&context = context_, &args] { return TableRestore(context, args); });
    command->add_option("--to", args.to, "VERSION or TIME")->required();
    command->add_flag("--with-later", args.with_later, "roll back what was built on it, too");
    command->add_flag("--dry-run", args.dry_run, "only say what would be");
    command->add_flag("--wait", args.wait, "wait for another run on this lake");
    command->add_flag("--yes,-y", args.yes, "confirm it in a protected environment");
  }

  void Vacuum() {
    VacuumArgs& args = args_.vacuum;
    CLI::App* command = Command("vacuum", "remove files that nobody needs any more", args.table,
                                [&context = context_, &args] { return TableVacuum(context, args); });
    command->get_option("table")->required(false);
    command->add_flag("--all", args.all, "every table of the lake");
    command->add_option("--retention", args.retention, "how long removed files stay, as 14d (default: the table's own, else 7d)");
    command->add_option("--max-hold", args.max_hold, "how long they stay for a reader that does not read them (default 30d)");
    command->add_flag("--dry-run", args.dry_run, "only list what would go");
    command->add_flag("--force", args.force, "allow a retention of less than 7 days");
    command->add_flag("--yes,-y", args.yes, "confirm it in a protected environment");
  }

 private:
  CLI::App* Command(const char* name, const char* what, std::string& table, std::function<int()> run) {
    CLI::App* command = tables_.add_subcommand(name, what);
    command->fallthrough();
    command->add_option("table", table, kTable)->required();
    command->callback([&action = action_, run = std::move(run)] { action = run; });
    return command;
  }

  CLI::App& tables_;
  Context& context_;
  TableOperationArgs& args_;
  std::function<int()>& action_;
};

}  // namespace

void AddTableOperations(CLI::App& tables, Context& context, TableOperationArgs& args, std::function<int()>& action) {
  TableOptions options(tables, context, args, action);
  options.Optimize();
  options.UpdateAndDelete();
  options.Merge();
  options.DiffAndChanges();
  options.Alter();
  options.Restore();
  options.Vacuum();
}

}  // namespace sluice::cli
