#pragma once
// What every command gets, and the commands themselves: one function each, one file for each group.
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/cli.h"
#include "core/result.h"
#include "plan/select.h"
#include "run/session.h"

namespace sluice::cli {

struct Globals {
  std::string dir = ".";
  std::string environment;
  std::vector<std::string> vars;  // "name=value"
  bool json = false, quiet = false, verbose = false, no_color = false;
  std::string log_format = "auto";  // auto | plain | json
  std::string memory;               // "2GiB"; "" = three quarters of the machine
  int threads = 0;
};

struct Io {
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false, err_is_terminal = false;
};

struct Context {
  Globals globals;
  Io& io;
  const Hooks& hooks;
  std::string command_line;  // as typed, for the run file
};

struct SelectArgs {
  std::vector<std::string> select, exclude;
};

struct RunArgs {
  SelectArgs selection;
  bool full_refresh = false, reload_sources = false, force = false, fail_fast = false, resume = false, wait = false, yes = false,
       profile = false;
  std::string plan_file, report;
  std::string report_file;
  int parallel = 0;
};
int Run(Context& context, const RunArgs& args);

struct BackfillArgs {
  std::string node, from, to, every;
  bool downstream = false, wait = false, yes = false;
};
int Backfill(Context& context, const BackfillArgs& args);

struct PlanArgs {
  SelectArgs selection;
  bool full_refresh = false, reload_sources = false, force = false, detailed_exitcode = false;
  std::string out;
};
int Plan(Context& context, const PlanArgs& args);
int Validate(Context& context, const SelectArgs& args);
int Check(Context& context, const SelectArgs& args);

struct QueryArgs {
  std::string sql, format, out;  // format: "" = by the ending of `out`, else table
  int64_t limit = 0;             // 0: 100 rows in a table, all otherwise
};
int Query(Context& context, const QueryArgs& args);
int List(Context& context, const SelectArgs& args);
int Show(Context& context, const std::string& node);
int Compile(Context& context, const std::string& node);

struct TableArgs {
  std::string table;  // a node's table, or the path of a Delta table
  std::string at;     // a version or a time; "": now
  int64_t limit = 20;
};
int TableHistory(Context& context, const TableArgs& args);
int TableShow(Context& context, const TableArgs& args);
int TableCheck(Context& context, const TableArgs& args);

struct RollbackArgs {
  std::string table;
  int64_t to_batch = -1;  // -1: the last one is taken back
  bool with_later = false, dry_run = false, wait = false, yes = false;
};
int Rollback(Context& context, const RollbackArgs& args);

struct QuarantineArgs {
  std::string source;  // "orders"; "" = all (list)
  std::vector<std::string> ids;
  std::string where, edits_file, state = "open";
  bool refused = false, all = false;
  int64_t limit = 20;
};
int QuarantineList(Context& context, const QuarantineArgs& args);
int QuarantineShow(Context& context, const QuarantineArgs& args);
int QuarantineReplay(Context& context, const QuarantineArgs& args);
int QuarantineDiscard(Context& context, const QuarantineArgs& args);

struct InitArgs {
  std::string dir = ".", from, example;
  bool accept = false;  // with --from: the best guess where a file is unsure
};
int Init(Context& context, const InitArgs& args);

struct FileArgs {  // one file, and what its reader is told
  std::string file, format, compression = "auto", members, encoding, sheet, range, record, short_lines;
  std::optional<std::string> delimiter, quote, escape, comment;
  bool header = false, no_header = false, accept = false;
  std::optional<int> header_rows, skip, footer;
  std::vector<int64_t> widths;
};
int Inspect(Context& context, const FileArgs& args);
struct ReadArgs {
  FileArgs in;
  std::string format;  // of what is printed: csv or json
  int64_t limit = 0;   // 0: all
};
int ReadFile(Context& context, const ReadArgs& args);
struct GenerateArgs {
  std::string example, out;
  int64_t orders = 100000, events = 50000, crm = 30000, seed = 42;
  int days = 90, deliver = 0;
};
int Generate(Context& context, const GenerateArgs& args);
struct TestArgs {
  std::vector<std::string> paths;
  std::string filter, lakes;  // lakes: a URL under which the cases' lakes go; "" = in their folders
  bool keep = false;
  int jobs = 0;
};
int Test(Context& context, const TestArgs& args);
int Doctor(Context& context);
struct StateArgs {
  std::string node, cursor;  // "" = all nodes
  bool wait = false, yes = false;
};
int StateShow(Context& context, const StateArgs& args);
int StateSet(Context& context, const StateArgs& args);
int StateReset(Context& context, const StateArgs& args);
int StateRebuild(Context& context, const StateArgs& args);
int SchemaOf(Context& context, const std::string& kind);

// Loads the project with the globals' choices and opens a session. Progress goes to `sink`.
Result<std::unique_ptr<run::Session>> OpenSession(Context& context);
// `also_reads`: a store beside the lake whose objects its engine must be able to read.
Result<std::unique_ptr<run::Session>> OpenSession(Context& context, project::Project project, obs::Sink* sink,
                                                  store::ObjectStore* also_reads = nullptr);
// A protected environment is written on purpose: named by --env, and confirmed. Error "protected-environment".
Status AllowProtected(const Context& context, const project::Project& project, bool confirmed);
// For looking at tables and nodes: as far as the project can be read. That it has errors is said on stderr.
Result<std::unique_ptr<run::Session>> OpenToLook(Context& context, store::ObjectStore* also_reads = nullptr);
Result<project::Project> LoadProjectOf(Context& context);
// The same of a project whose other files may have errors.
Result<project::Project> LoadConnectionsOf(Context& context);
Result<std::set<size_t>> SelectNodes(run::Session& session, const SelectArgs& args);
std::unique_ptr<obs::Sink> NewSink(Context& context, const obs::LogContext& log);

// A node of the project, or a table that the lake still has: its model may be unreadable just now.
bool IsKnown(run::Session& session, const plan::Graph& graph, const std::string& table);

// A path as typed, seen from where the command works (-C); a URL as it is.
std::string PlaceOf(const Context& context, const std::string& path);

// Prints the error (and all in it) to stderr; gives the exit code of its kind.
int Report(Context& context, const Error& error);
void PrintWarnings(Context& context, const std::vector<Error>& warnings);

// The nearest node for a name typed without its layer; "nothing-selected" otherwise.
Result<const plan::Node*> FindNode(run::Session& session, const std::string& name);

// Rows of text as an aligned table, with a rule under the header; NULL shown as such. Numbers (by column flag) are right-aligned.
std::string RenderTable(const std::vector<std::string>& header, const std::vector<std::vector<std::optional<std::string>>>& rows,
                        const std::vector<bool>& numeric = {});

}  // namespace sluice::cli
