#include "cli/cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/command.h"
#include "cli/misuse.h"
#include "cli/table_options.h"
#include "core/text.h"
#include "formats/bytes.h"
#include "formats/format.h"

namespace sluice::cli {
namespace {

const char* kDescription =
    "Sluice turns messy sources into trusted tables: ingest under contracts, quarantine, models, checks before publishing.";

// One command's parsed flags and what runs it.
struct Parser {
  explicit Parser(Context& context) : context(context), app(kDescription, "sluice") { Build(); }

  int Parse(const std::vector<std::string>& args) {
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    try {
      app.parse(reversed);
    } catch (const CLI::CallForHelp&) {
      context.io.out << Chosen()->help();
      return kDone;
    } catch (const CLI::CallForAllHelp&) {
      context.io.out << app.help("", CLI::AppFormatMode::All);
      return kDone;
    } catch (const CLI::CallForVersion&) {
      context.io.out << "sluice " << kVersion << "\n";
      return kDone;
    } catch (const CLI::ParseError& error) {
      return Report(context, Misused(app, args, error));
    }
    if (!action) {
      context.io.out << app.help();
      return kUsage;
    }
    return action();
  }

 private:
  CLI::App* Chosen() {
    CLI::App* at = &app;
    while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
    return at;
  }

  CLI::App* Command(CLI::App& parent, const char* name, const char* what, std::function<int()> run) {
    CLI::App* command = parent.add_subcommand(name, what);
    command->fallthrough();
    command->callback([this, run = std::move(run)] { action = run; });
    return command;
  }

  void Selectors(CLI::App* command, SelectArgs& into) {
    command->add_option("-s,--select,-m,--models", into.select, "nodes: NAME, +NAME+, tag:T, source:S+, path:DIR, layer:L, result:failed")
        ->take_all()
        ->allow_extra_args(true);
    command->add_option("--exclude", into.exclude, "nodes to leave out, in the same words")->take_all()->allow_extra_args(true);
  }

  void Build() {
    Globals& g = context.globals;
    app.set_version_flag("--version,-V", std::string("sluice ") + kVersion);
    app.set_help_all_flag("--help-all", "help of every command");
    app.fallthrough();
    app.add_option("-C,--project-dir", g.dir, "the project's folder (searched upward for sluice.yml)");
    app.add_option("-e,--env,-t,--target", g.environment, "environment of sluice.yml");
    app.add_option("--var,--vars", g.vars, "NAME=VALUE, over the project's vars")->take_all()->allow_extra_args(false);
    app.add_flag("--json", g.json, "machine-readable results on stdout");
    app.add_flag("-q,--quiet", g.quiet, "only warnings and errors on stderr");
    app.add_flag("-v,--verbose", g.verbose, "also what was up to date, passed or left out");
    app.add_flag("--no-color", g.no_color, "plain text (NO_COLOR does the same)");
    app.add_option("--log-format", g.log_format, "auto, plain or json lines on stderr")->check(CLI::IsMember({"auto", "plain", "json"}));
    app.add_option("--memory", g.memory, "memory to stay within, as 2GiB (default: three quarters of the machine)");
    app.add_option("--threads", g.threads, "threads to use (default: all cores)")->check(CLI::Range(1, 1024));
    Running();
    Looking();
    Quarantining();
    Starting();
  }

  void Running() {
    CLI::App* run_command = Command(app, "run", "ingest, build, check and publish what is new", [this] { return Run(context, run); });
    Selectors(run_command, run.selection);
    run_command->add_flag("--full-refresh,-f", run.full_refresh, "rebuild the chosen models from all their input");
    run_command->add_flag("--reload-sources", run.reload_sources, "with --full-refresh: read all source files again too");
    run_command->add_flag("--force", run.force, "compute also what is up to date");
    run_command->add_flag("--fail-fast,-x", run.fail_fast, "start nothing more after the first failure");
    run_command->add_flag("--resume", run.resume, "what failed, was refused or blocked in the last run");
    run_command->add_flag("--wait", run.wait, "wait for another run on this lake");
    run_command->add_flag("--profile", run.profile, "also say where the time of ingest went, stage by stage");
    run_command->add_flag("--yes,-y", run.yes, "confirm a run in a protected environment");
    run_command->add_option("--plan", run.plan_file, "a plan saved by `plan --out`: fails if anything moved since");
    run_command->add_option("--report", run.report, "also report as junit, sarif or md (to stdout, or --report-file)");
    run_command->add_option("--report-file", run.report_file, "where --report goes");
    run_command->add_option("--parallel", run.parallel, "nodes at once")->check(CLI::Range(1, 256));

    CLI::App* plan_command = Command(app, "plan", "what a run would do, and why", [this] { return Plan(context, plan); });
    Selectors(plan_command, plan.selection);
    plan_command->add_flag("--full-refresh,-f", plan.full_refresh, "as `run` would with it");
    plan_command->add_flag("--reload-sources", plan.reload_sources, "as `run` would with it");
    plan_command->add_flag("--force", plan.force, "as `run` would with it");
    plan_command->add_flag("--detailed-exitcode", plan.detailed_exitcode, "exit 2 if there is work, 0 if not");
    plan_command->add_option("-o,--out", plan.out, "save the plan");

    CLI::App* backfill_command =
        Command(app, "backfill", "windows of an interval model computed again", [this] { return Backfill(context, backfill); });
    backfill_command->add_option("node", backfill.node, "a model with store: interval")->required();
    backfill_command->add_option("--from", backfill.from, "windows that begin at this date or timestamp, or later")->required();
    backfill_command->add_option("--to", backfill.to, "… and before this one")->required();
    backfill_command->add_option("--every", backfill.every,
                                 "so much of it in one batch, as 7d (default: all); a call that was ended goes on behind the last");
    backfill_command->add_flag("--downstream", backfill.downstream, "then run what reads it");
    backfill_command->add_flag("--wait", backfill.wait, "wait for another run on this lake");
    backfill_command->add_flag("--yes,-y", backfill.yes, "confirm it in a protected environment");

    CLI::App* rollback_command =
        Command(app, "rollback", "a node's tables as an earlier batch left them", [this] { return Rollback(context, rollback); });
    rollback_command->add_option("node", rollback.table, "a source, seed or model (of a publish group: all of it)")->required();
    rollback_command->add_option("--to-batch", rollback.to_batch, "as this batch left them (default: take back the last one)")
        ->check([](const std::string& text) {
          const bool digits = !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == std::string::npos;
          return digits ? std::string() : "\"" + text + "\" is no batch: 0 (before the first), 1, 2, …";
        });
    rollback_command->add_flag("--with-later", rollback.with_later, "roll back what was built on it, too");
    rollback_command->add_flag("--dry-run", rollback.dry_run, "only say what would be");
    rollback_command->add_flag("--wait", rollback.wait, "wait for another run on this lake");
    rollback_command->add_flag("--yes,-y", rollback.yes, "confirm it in a protected environment");

    Selectors(Command(app, "validate", "check project, SQL, columns and types without reading data",
                      [this] { return Validate(context, select); }),
              select);
    Selectors(Command(app, "check", "run the checks on the published tables", [this] { return Check(context, select); }), select);
  }

  void Looking() {
    CLI::App* query_command = Command(app, "query", "run a SELECT over the lake's tables", [this] { return Query(context, query); });
    query_command->add_option("sql", query.sql, "the SELECT")->required();
    query_command->add_option("--format", query.format,
                              "table, csv, json (one object a line) or parquet (default: by the ending of --out, else table)");
    query_command->add_option("-o,--out", query.out, "write the rows to this file");
    query_command->add_option("--limit", query.limit, "at most this many rows")->check(IsOneOrMore);
    Selectors(Command(app, "ls", "the nodes", [this] { return List(context, select); }), select);
    Command(app, "show", "what a node is, reads and gives, and its last batches", [this] { return Show(context, node); })
        ->add_option("node", node, "a node")
        ->required();
    Command(app, "compile", "a model's SQL with its macros expanded", [this] { return Compile(context, node); })
        ->add_option("node", node, "a model")
        ->required();

    CLI::App* tables = app.add_subcommand("table", "a Delta table, by node or by path: look at it, change it, keep it in shape");
    tables->require_subcommand(1)->fallthrough();
    CLI::App* history = Command(*tables, "history", "its commits, newest first", [this] { return TableHistory(context, table); });
    history->add_option("table", table.table, "a node's table, or the path of a Delta table")->required();
    history->add_option("--limit", table.limit, "commits to show");
    CLI::App* show = Command(*tables, "show", "version, schema, files, protocol", [this] { return TableShow(context, table); });
    show->add_option("table", table.table, "a node's table, or the path of a Delta table")->required();
    show->add_option("--at", table.at, "an older version, by number or time");
    CLI::App* check_table =
        Command(*tables, "check", "verify log, checkpoints, files, statistics", [this] { return TableCheck(context, table); });
    check_table->add_option("table", table.table, "a node's table, or the path of a Delta table")->required();
    AddTableOperations(*tables, context, table_operations, action);
  }

  void Quarantining() {
    CLI::App* group = app.add_subcommand("quarantine", "the records that contracts refused");
    group->require_subcommand(1)->fallthrough();
    CLI::App* list = Command(*group, "list", "counts by source, column and rule", [this] { return QuarantineList(context, quarantine); });
    list->add_option("source", quarantine.source, "a source (default: all)");
    CLI::App* show = Command(*group, "show", "the records, with their reasons", [this] { return QuarantineShow(context, quarantine); });
    CLI::App* replay = Command(*group, "replay", "put open records through the contract as it is now",
                               [this] { return QuarantineReplay(context, quarantine); });
    CLI::App* discard =
        Command(*group, "discard", "mark open records as not wanted", [this] { return QuarantineDiscard(context, quarantine); });
    for (CLI::App* command : {show, replay, discard}) {
      command->add_option("source", quarantine.source, "a source")->required();
      command->add_option("--id", quarantine.ids, "records by id")->take_all();
      command->add_option("--where", quarantine.where, "SQL over the quarantine table");
    }
    show->add_flag("--refused", quarantine.refused, "of the last attempt that max_quarantined or on_violation refused");
    show->add_option("--state", quarantine.state, "open, replayed, discarded or superseded")
        ->check(CLI::IsMember({"open", "replayed", "discarded", "superseded"}));
    show->add_flag("--all", quarantine.all, "whatever their state");
    show->add_option("--limit", quarantine.limit, "records to show");
    replay->add_option("--edits", quarantine.edits_file, "JSON object: id → the record as it should have been");
    discard->add_flag("--all", quarantine.all, "all open records");
  }

  // How a file is written, as the keys of a source's `read` say it.
  static void FileOptions(CLI::App* command, FileArgs& into) {
    std::vector<std::string> names, packed = formats::CompressionNames();
    for (const formats::FormatTraits& format : formats::AllFormats()) names.emplace_back(format.name);
    packed.insert(packed.begin(), {"auto", "none"});
    command->add_option("file", into.file, "a file of any of these formats, or a zip archive of such")->required();
    command->add_option("--input-format", into.format, Join(names, ", ") + " (default: by the file's name)")->check(CLI::IsMember(names));
    command->add_option("--compression", into.compression, Join(packed, ", ") + " (default: by the first bytes)")
        ->check(CLI::IsMember(packed));
    command->add_option("--members", into.members, "of an archive: only those whose paths match this glob");
    command->add_option("--encoding", into.encoding, "of text: utf-16, windows-1252, … (default: utf-8, or its byte order mark)");
    command->add_option("--delimiter", into.delimiter, "what stands between fields; tab (default: detected, as all below)");
    command->add_option("--quote", into.quote, "what stands around a field; '' for nothing");
    command->add_option("--escape", into.escape, "what stands before a quote inside quotes; '' for nothing");
    command->add_option("--comment", into.comment, "lines that start with it are skipped");
    CLI::Option* header = command->add_flag("--header", into.header, "the first line names the fields");
    CLI::Option* none = command->add_flag("--no-header", into.no_header, "it does not")->excludes(header);
    command->add_option("--header-rows", into.header_rows, "so many lines name the fields, together")
        ->check(CLI::Range(1, 20))
        ->excludes(none);
    command->add_option("--skip", into.skip, "lines before the header or the first record")->check(CLI::Range(0, 1000000));
    command->add_option("--footer", into.footer, "lines behind the last record")->check(CLI::Range(0, 1000));
    command->add_option("--sheet", into.sheet, "of a workbook: the sheet's name (default: the only one that is shown)");
    command->add_option("--range", into.range, "of a workbook: where the table is, as B3:F");
    command->add_option("--widths", into.widths, "of fixed: the fields' widths, as 10,8,12")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(CLI::PositiveNumber);
    command->add_option("--short-lines", into.short_lines, "of fixed: a line that ends early: refuse (default), or pad with blanks")
        ->check(CLI::IsMember({"refuse", "pad"}));
    command->add_option("--record", into.record, "of XML: the element that is a record (default: detected)");
    command->add_flag("--accept", into.accept, "the best guess where it is unsure, which is said");
  }

  void Starting() {
    CLI::App* init_command =
        Command(app, "init", "a new project: from a folder of files, or an example", [this] { return Init(context, init); });
    init_command->add_option("dir", init.dir, "where (default: here)");
    init_command->add_option("--from", init.from, "look at the files of this folder and propose contracts and models");
    init_command->add_option("--example", init.example, "retail");
    init_command->add_flag("--accept", init.accept, "with --from: the best guess where it is unsure how files are written");
    FileOptions(
        Command(
            app, "inspect",
            "how a file is written, or what a database or API has (CONNECTION, CONNECTION.TABLE, CONNECTION./PATH), and a contract for it",
            [this] { return Inspect(context, inspect); }),
        inspect);
    CLI::App* read_command = Command(app, "read", "the records of one file, as a source would read them, without a project",
                                     [this] { return ReadFile(context, read); });
    FileOptions(read_command, read.in);
    read_command->add_option("--format", read.format, "what is printed: csv or json, one object a line (default: csv)")
        ->check(CLI::IsMember({"csv", "json"}));
    read_command->add_option("--limit", read.limit, "at most this many records")->check(IsOneOrMore);
    CLI::App* generate_command = Command(app, "generate", "make an example's data", [this] { return Generate(context, generate); });
    generate_command->add_option("example", generate.example, "retail")->required();
    generate_command->add_option("--out", generate.out, "folder to write to")->required();
    generate_command->add_option("--orders", generate.orders, "distinct orders (100,000)");
    generate_command->add_option("--events", generate.events, "events over all streams (50,000)");
    generate_command->add_option("--crm", generate.crm, "CRM records (30,000)");
    generate_command->add_option("--days", generate.days, "days of business, at least 3");
    generate_command->add_option("--seed", generate.seed, "same seed, same bytes");
    generate_command->add_option("--deliver", generate.deliver, "only the k-th delivery (1 to 3); 0 = all");
    CLI::App* test_command =
        Command(app, "test", "run the project's pipeline tests (tests/*.test)", [this] { return Test(context, test); });
    test_command->add_option("paths", test.paths, "files or folders (default: tests/ of the project)");
    test_command->add_option("-k,--filter", test.filter, "only cases whose name contains this");
    test_command->add_flag("--keep", test.keep, "leave each case's folder for a look");
    test_command->add_option("--lakes", test.lakes,
                             "s3://bucket/prefix: the cases' lakes go there, each below a name of its own, and stay");
    test_command->add_option("-j,--jobs", test.jobs, "cases at once");
    Command(app, "doctor", "does everything that Sluice needs work here?", [this] { return Doctor(context); });
    State();
    Command(app, "schema", "JSON Schema for editors: sluice.yml, source or model; `reference` gives the Markdown page",
            [this] { return SchemaOf(context, file); })
        ->add_option("kind", file, "sluice.yml, source, model, reference")
        ->required();
  }

  void State() {
    CLI::App* commands = app.add_subcommand("state", "where sources go on, and what Sluice knows of past batches");
    commands->require_subcommand(1)->fallthrough();
    Command(*commands, "show", "where each source goes on; of one also its last batches", [this] {
      return StateShow(context, state);
    })->add_option("node", state.node, "a source");
    CLI::App* set =
        Command(*commands, "set", "a database, API or program: where the next run goes on", [this] { return StateSet(context, state); });
    set->add_option("node", state.node, "a source")->required();
    set->add_option("cursor", state.cursor, "JSON, as `state show NODE --json` prints it")->required();
    CLI::App* reset = Command(*commands, "reset", "the next run begins at the beginning; rows that are there stay",
                              [this] { return StateReset(context, state); });
    reset->add_option("node", state.node, "a source")->required();
    for (CLI::App* command : {set, reset}) {
      command->add_flag("--wait", state.wait, "wait for another run on this lake");
      command->add_flag("--yes,-y", state.yes, "confirm it in a protected environment");
    }
    Command(*commands, "rebuild", "make the indexes again from the batch records", [this] {
      return StateRebuild(context, state);
    })->add_option("node", state.node, "only this node");
  }

  Context& context;
  CLI::App app;
  std::function<int()> action;
  RunArgs run;
  StateArgs state;
  BackfillArgs backfill;
  RollbackArgs rollback;
  PlanArgs plan;
  SelectArgs select;
  QueryArgs query;
  TableArgs table;
  TableOperationArgs table_operations;
  QuarantineArgs quarantine;
  InitArgs init;
  FileArgs inspect;
  ReadArgs read;
  GenerateArgs generate;
  TestArgs test;
  std::string node, file;
};

}  // namespace

int Main(const std::vector<std::string>& args, std::ostream& out, std::ostream& err, const Hooks& hooks) {
  if (args.size() == 1 && (args[0] == "--version" || args[0] == "-V")) {  // without building the parser: editors and scripts ask often
    out << "sluice " << kVersion << "\n";
    return kDone;
  }
  Io io{out, err, &out == &std::cout && isatty(STDOUT_FILENO) == 1, &err == &std::cerr && isatty(STDERR_FILENO) == 1};
  Context context{{}, io, hooks, "sluice " + Join(args, " ")};
  try {
    return Parser(context).Parse(args);
  } catch (const std::exception& error) {
    err << BugError(error.what()).ToString() << "\n";
    return kFailed;
  }
}

}  // namespace sluice::cli
