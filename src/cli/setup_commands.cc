// generate, doctor, schema.
#include <fmt/format.h>
#include <sys/statvfs.h>

#include <filesystem>
#include <iostream>

#include "cli/command.h"
#include "cli/inspect_connection.h"
#include "cli/retail/retail.h"
#include "core/counted.h"
#include "core/text.h"
#include "state/check_records.h"
#include "store/remote.h"

namespace sluice::cli {
namespace {

int Finish(Context& context, Result<int> result) { return result ? *result : Report(context, result.error()); }

Result<int> GenerateExample(Context& context, const GenerateArgs& args) {
  if (args.example != "retail")
    return Fail(UserError("unknown-example", fmt::format("no example \"{}\"", args.example)).Hint("there is: retail"));
  retail::RetailOptions options;
  options.out_dir = args.out;
  options.orders = args.orders;
  options.events = args.events;
  options.crm = args.crm;
  options.seed = static_cast<uint64_t>(args.seed);
  options.days = args.days;
  options.part = args.deliver;
  SLUICE_CHECK(retail::GenerateRetail(options));
  if (!context.globals.quiet) context.io.err << "wrote the example's data to " << args.out << "\n";
  return kDone;
}

// One line of `doctor`.
struct Finding {
  bool good = true;
  std::string what, hint;
};

void Print(Context& context, const Finding& finding) {
  context.io.out << (finding.good ? "ok    " : "FAIL  ") << finding.what << "\n";
  if (!finding.hint.empty()) context.io.out << "      " << finding.hint << "\n";
}

Finding Engine(run::Session& session) {
  const auto db = session.db();
  if (!db) return {false, "engine: " + db.error().message, ""};
  const auto connection = (*db)->Connect();
  const auto version =
      connection ? (*connection)->Scalar("SELECT version()") : Result<std::optional<std::string>>(Fail(connection.error()));
  if (!version) return {false, "engine: " + version.error().message, ""};
  return {true, "engine: DuckDB " + version->value_or("?"), ""};
}

Finding Lake(run::Session& session) {
  const std::string key = "_sluice/doctor/" + Hex(session.random().Next());
  const auto put = session.lake().PutIfAbsent(key, "doctor");
  const auto again = put ? session.lake().PutIfAbsent(key, "doctor") : put;
  (void)session.lake().Delete(key);
  if (!again) return {false, "lake " + session.project().lake + ": " + again.error().message, again.error().hint};
  if (*put != store::PutOutcome::kWritten || *again != store::PutOutcome::kExists)
    return {false, "lake " + session.project().lake + ": put-if-absent does not hold",
            "commits need it: use a local disk or an object store with conditional writes"};
  return {true, "lake: " + session.project().lake + ", put-if-absent holds", ""};
}

// The newest batch records of every node. An index that stands hides from runs what is damaged behind it.
std::vector<Finding> Records(run::Session& session) {
  const auto check = state::CheckRecords(session.lake());
  if (!check) return {{false, "batch records: " + check.error().message, check.error().hint}};
  std::vector<Finding> findings;
  for (const Error& fault : check->faults) findings.push_back({false, fmt::format("batch records: {}", fault.message), fault.hint});
  if (findings.empty())
    findings.push_back(
        {true,
         fmt::format("batch records: {} of {} can be read", Counted(check->batches, "batch", "batches"), Counted(check->nodes, "node")),
         ""});
  return findings;
}

Finding Space(const std::string& folder, const char* name) {
  struct statvfs info{};
  std::filesystem::path path = folder;
  while (!std::filesystem::exists(path) && path.has_parent_path() && path != path.parent_path()) path = path.parent_path();
  if (statvfs(path.c_str(), &info) != 0) return {false, fmt::format("{}: can't look at {}", name, folder), ""};
  const auto free = static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
  return {free > (1LL << 30), fmt::format("{}: {} free at {}", name, FormatBytes(free), path.string()),
          free > (1LL << 30) ? "" : "less than 1 GiB: large models spill to disk"};
}

Finding ReachPeer(const project::Connection& connection) {
  const std::string name = "connection " + connection.name;
  const auto catalog = CatalogOf(connection);
  if (!catalog) return {false, name + ": " + catalog.error().message, catalog.error().hint};
  const auto reached = (*catalog)->Reach();
  if (reached) return {true, name + ": " + *reached, ""};
  return {false, name + ": " + reached.error().message, reached.error().hint};
}

Finding Reach(const project::Connection& connection) {
  if (sources::GivesRows(connection.type)) return ReachPeer(connection);
  const std::string what = fmt::format("connection {}: {}", connection.name, connection.path);
  if (!store::IsRemote(connection.path)) {
    const bool there = std::filesystem::is_directory(connection.path);
    return {there, what, there ? "" : "this folder does not exist"};
  }
  const auto store = store::OpenStore(connection.path);
  // Behind every name there may be: asks whether we may list, and gets nothing.
  const auto listed = store ? (*store)->List("", "\xF4\x8F\xBF\xBF") : Result<std::vector<store::ObjectMeta>>(Fail(store.error()));
  if (listed) return {true, what, ""};
  return {false, what + ": " + listed.error().message, listed.error().hint};
}

Result<int> Examine(Context& context) {
  int bad = 0;
  const auto tell = [&](const Finding& finding) {
    Print(context, finding);
    bad += !finding.good;
  };
  context.io.out << "sluice " << kVersion << "\n";
  auto session = OpenSession(context);
  if (!session) {
    tell({false, "project: " + session.error().ToString(), ""});
    return kUsage;
  }
  run::Session& s = **session;
  tell({true, fmt::format("project: {} at {}, environment {}", s.project().name, s.project().root, s.project().environment.name), ""});
  const auto graph = s.graph();
  tell(graph ? Finding{true, "graph: " + Counted((*graph)->nodes.size(), "node"), ""}
             : Finding{false, "graph: " + graph.error().ToString(), ""});
  tell(Engine(s));
  tell(Lake(s));
  for (const Finding& finding : Records(s)) tell(finding);
  if (!store::IsRemote(s.project().lake)) tell(Space(s.project().lake, "disk of the lake"));
  tell(Space(s.scratch_dir(), "scratch disk"));
  for (const auto& [name, connection] : s.project().connections) tell(Reach(connection));
  tell({true, fmt::format("limits: {} of memory, {} threads", FormatBytes(s.options().memory_bytes), s.options().threads), ""});
  return bad > 0 ? kFailed : kDone;
}

Result<int> PrintSchema(Context& context, const std::string& kind) {
  static const std::vector<std::string> kKinds = {"sluice.yml", "source", "model", "reference"};
  if (std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end())
    return Fail(UserError("unknown-schema", fmt::format("no schema \"{}\"{}", kind, DidYouMean(kind, kKinds)))
                    .Hint("one of " + Join(kKinds, ", ")));
  context.io.out << (kind == "reference" ? project::ReferenceMarkdown() : project::JsonSchema(kind));
  return kDone;
}

}  // namespace

int Generate(Context& context, const GenerateArgs& args) { return Finish(context, GenerateExample(context, args)); }
int Doctor(Context& context) { return Finish(context, Examine(context)); }
int SchemaOf(Context& context, const std::string& kind) { return Finish(context, PrintSchema(context, kind)); }

}  // namespace sluice::cli
