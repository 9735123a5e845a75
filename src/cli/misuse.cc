#include "cli/misuse.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "core/text.h"

namespace sluice::cli {
namespace {

// What people type who know other tools.
struct Foreign {
  std::string here;        // the command in its place, with the rest of the command line; "" if nothing does the same
  std::string advice;      // more about it
  std::string nodes = {};  // what it selects, where the command line does not say
};

const Foreign* CommandElsewhere(const std::string& word) {
  static constexpr const char* kFreshness = "how old data may be stands in the source: freshness: { within: 24h, of: COLUMN }";
  static const std::map<std::string, Foreign> kCommands = {
      {"dbt", {"", "leave out `dbt`: the commands are Sluice's own"}},
      {"build", {"run", "it ingests, builds, checks and publishes in one go"}},
      {"seed", {"run", "a whole run loads changed seeds too", "'seed.*'"}},
      {"snapshot", {"run", "history is kept by models with `store: scd2`, which a whole run builds too", "store:scd2"}},
      {"list", {"ls", ""}},
      {"debug", {"doctor", ""}},
      {"parse", {"validate", ""}},
      {"retry", {"run --resume", ""}},
      {"clone", {"", "not in this version: an environment with a lake of its own builds its tables itself (`--env NAME`)"}},
      {"deps", {"", "there are no packages to fetch: macros are files macros/*.sql of the project"}},
      {"clean", {"", "there is nothing to clean: .sluice/ holds only caches and run files"}},
      {"docs", {"", "descriptions, columns and who reads what: `sluice show NODE`, `sluice ls --json`"}},
      {"source", {"check", kFreshness, "'source:*'"}},
      {"freshness", {"check", kFreshness, "'source:*'"}},
      {"run-operation", {"", "macros are expressions only; tables change through models"}},
      {"apply", {"run", "of a saved plan: `sluice run --plan FILE`"}},
      {"ingest", {"run", "", "'source:*'"}},
      {"history", {"table history", ""}},
      {"optimize", {"table optimize", ""}},
      {"update", {"table update", ""}},
      {"delete", {"table delete", ""}},
      {"merge", {"table merge", ""}},
      {"diff", {"table diff", ""}},
      {"changes", {"table changes", ""}},
      {"alter", {"table alter", ""}},
      {"sql", {"query", ""}},
      {"help", {"", "`sluice --help` lists the commands, `sluice COMMAND --help` explains one"}},
      {"version", {"--version", ""}},
      {"lineage", {"", "not in this version: `sluice show NODE` says what a node reads and who reads it"}},
      {"why", {"", "not in this version: `sluice plan` and the run's report say why each node runs"}},
      {"status", {"", "not in this version: `sluice plan`, `sluice show NODE`"}},
      {"runs", {"", "not in this version: the run files are .sluice/runs/*.json"}},
      {"logs", {"", "not in this version: `--log-format json` writes them to stderr, the run files are .sluice/runs/*.json"}},
      {"serve", {"", "not in this version: start `sluice run` from cron or your scheduler"}},
      {"deploy", {"", "not in this version: the binary and the project's folder are all that a machine needs"}},
  };
  const auto at = kCommands.find(word);
  return at == kCommands.end() ? nullptr : &at->second;
}

// "" if the option is none of another tool's. Where several commands have another answer, "COMMAND --option" stands first.
std::string OptionElsewhere(const std::string& command, const std::string& option) {
  static const std::map<std::string, std::string> kOptions = {
      {"test --select", "`sluice test` plays tests/*.test; the rules over tables are checks: `sluice check -s NODE`"},
      {"test -s", "`sluice test` plays tests/*.test; the rules over tables are checks: `sluice check -s NODE`"},
      {"test --models", "`sluice test` plays tests/*.test; the rules over tables are checks: `sluice check -s NODE`"},
      {"test -m", "`sluice test` plays tests/*.test; the rules over tables are checks: `sluice check -s NODE`"},
      {"show --select", "name the node: `sluice show NODE`; its rows: `sluice query \"select * from NODE\"`"},
      {"show -s", "name the node: `sluice show NODE`; its rows: `sluice query \"select * from NODE\"`"},
      {"show --inline", "`sluice query \"SELECT …\"`"},
      {"show --limit", "its rows: `sluice query \"select * from NODE\" --limit 10`"},
      {"compile --select", "name the model: `sluice compile MODEL`"},
      {"compile -s", "name the model: `sluice compile MODEL`"},
      {"compile --inline", "`sluice query \"SELECT …\"` runs it"},
      {"--resource-type", "select by kind: `sluice ls -s 'source:*'`, -s 'model:*', -s 'seed.*', -s store:scd2"},
      {"--resource-types", "select by kind: `sluice ls -s 'source:*'`, -s 'model:*', -s 'seed.*', -s store:scd2"},
      {"--exclude-resource-type", "leave out by kind: --exclude 'source:*', --exclude 'model:*', --exclude 'seed.*'"},
      {"--selector", "write the selection itself: -s +gold.x tag:daily --exclude silver.y"},
      {"--output", "`--json` gives everything that is known of each node"},
      {"--output-keys", "`--json` gives everything that is known of each node; choose with jq"},
      {"--defer", "not in this version: build what the model reads too, -s +NODE; what is up to date is passed over"},
      {"--no-defer", "not needed: a model always reads the lake of its own environment"},
      {"--favor-state", "not needed: a model always reads the lake of its own environment"},
      {"--state", "not needed: what is up to date is passed over; `sluice plan` shows what changed"},
      {"--empty", "`sluice validate` checks SQL, columns and types without reading data"},
      {"--sample", "not in this version: an environment with its own connection to a folder of few files does it"},
      {"--dry-run", "`sluice plan` shows what a run would do"},
      {"--store-failures", "not needed: refused rows lie in quarantine.SOURCE, failed checks show rows and change nothing"},
      {"--profiles-dir", "there are no profiles: connections and environments stand in sluice.yml; -C DIR is the project's folder"},
      {"--profile", "there are no profiles: connections and environments stand in sluice.yml, chosen by --env NAME"},
      {"--no-partial-parse", "not needed: what was cached is looked up by content"},
      {"--partial-parse", "not needed: what was cached is looked up by content"},
      {"--use-colors", "colours are used where stderr is a terminal"},
      {"--no-use-colors", "--no-color, or the variable NO_COLOR"},
      {"--debug", "-v says more; --log-format json says it for machines"},
      {"-d", "-v says more; --log-format json says it for machines"},
      {"--log-level", "-q for warnings and errors only, -v for more"},
      {"--warn-error", "not in this version: on_fail: block makes a check stop the run"},
      {"--event-time-start", "windows come from the model's own start: and every:; --full-refresh computes all of them again"},
      {"--event-time-end", "windows come from the model's own start: and every:; --full-refresh computes all of them again"},
      {"--indirect-selection", "checks run with the node they belong to"},
      {"--target-path", "run files lie in .sluice/runs; --report-file says where a report goes"},
      {"--log-path", "logs go to stderr: 2> FILE"},
      {"--no-write-json", "run files lie in .sluice/runs, which may be deleted"},
      {"--quiet-checks", "-q"},
  };
  for (const std::string& key : {command + " " + option, option})
    if (const auto at = kOptions.find(key); at != kOptions.end()) return at->second;
  return "";
}

const CLI::App* Deepest(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return at;
}

// "table history"; "" for the program itself.
std::string NameOf(const CLI::App& command) {
  if (command.get_parent() == nullptr) return "";
  const std::string above = NameOf(*command.get_parent());
  return above.empty() ? command.get_name() : above + " " + command.get_name();
}

std::string HelpOf(const CLI::App& command) {
  const std::string name = NameOf(command);
  return name.empty() ? "`sluice --help` lists the commands" : fmt::format("`sluice {} --help` lists what it takes", name);
}

void AddOptions(const CLI::App& command, std::vector<std::string>* out) {
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) out->push_back("--" + name);
    for (const std::string& name : option->get_snames()) out->push_back("-" + name);
  }
}

// The commands that have this option, as they are typed.
std::vector<std::string> CommandsWith(const CLI::App& app, const std::string& option) {
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) {
    std::vector<std::string> options;
    AddOptions(*command, &options);
    if (std::find(options.begin(), options.end(), option) != options.end()) commands.push_back("`sluice " + NameOf(*command) + "`");
    const auto below = CommandsWith(*command, option);
    commands.insert(commands.end(), below.begin(), below.end());
  }
  return commands;
}

bool IsOption(const std::string& arg) { return arg.size() > 1 && arg[0] == '-'; }

std::string Requoted(const std::string& arg) {
  return arg.empty() || arg.find_first_of(" \t\n*?[]{}()<>|&;$\"`\\") != std::string::npos ? QuoteLiteral(arg) : arg;
}

// The command line with what is meant in the place of `word`.
std::string Retyped(const std::vector<std::string>& args, const std::string& word, const Foreign& foreign) {
  const auto selects = [](const std::string& arg) { return arg == "-s" || arg == "-m" || arg == "--select" || arg == "--models"; };
  const bool chosen = foreign.nodes.empty() || std::any_of(args.begin(), args.end(), selects);
  std::string line = "sluice";
  for (size_t i = 0, put = 0; i < args.size(); ++i) {
    if (put == 0 && args[i] == word) {
      line += " " + foreign.here + (chosen ? "" : " -s " + foreign.nodes);
      put = i + 1;
    } else if (put == 0 || i != put || args[i] != "freshness") {  // the second word of `source freshness`
      line += " " + Requoted(args[i]);
    }
  }
  return line;
}

Error UnknownCommand(const CLI::App& parent, const std::vector<std::string>& args, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : parent.get_subcommands({})) names.push_back(command->get_name());
  const std::string above = NameOf(parent);
  const Foreign* foreign = above.empty() ? CommandElsewhere(word) : nullptr;
  Error error = UserError("unknown-command", fmt::format("no command \"{}{}\"{}", above.empty() ? "" : above + " ", word,
                                                         foreign ? "" : DidYouMean(word, names)));
  if (foreign == nullptr) return std::move(error).Hint(above.empty() ? HelpOf(parent) : "there are: " + Join(names, ", "));
  if (foreign->here.empty()) return std::move(error).Hint(foreign->advice);
  const std::string retyped = "`" + Retyped(args, word, *foreign) + "`";
  return std::move(error).Hint(foreign->advice.empty() ? retyped : retyped + ": " + foreign->advice);
}

Error UnknownOption(const CLI::App& app, const CLI::App& command, const std::string& arg) {
  const std::string option = arg.substr(0, arg.find('='));
  const std::string name = NameOf(command);
  std::vector<std::string> known;
  AddOptions(command, &known);
  AddOptions(app, &known);
  Error error = UserError("unknown-option", fmt::format("{} has no option {}", name.empty() ? "sluice" : "`sluice " + name + "`", option));
  if (const std::string advice = OptionElsewhere(name, option); !advice.empty()) return std::move(error).Hint(advice);
  if (const auto elsewhere = CommandsWith(app, option); !elsewhere.empty())
    return std::move(error).Hint(fmt::format("{} {} it", Join(elsewhere, ", "), elsewhere.size() == 1 ? "has" : "have"));
  if (option.starts_with("--")) error.message += DidYouMean(option, known);
  return std::move(error).Hint(HelpOf(command));
}

// A word where none is expected: mostly a node without -s, or SQL without quotes.
Error Unexpected(const CLI::App& command, const std::string& word) {
  const std::string name = NameOf(command);
  std::vector<std::string> options;
  AddOptions(command, &options);
  Error error = UserError("usage", fmt::format("`sluice {}` does not take \"{}\"", name, word));
  if (std::find(options.begin(), options.end(), "--select") != options.end())
    return std::move(error).Hint(fmt::format("nodes stand behind -s: `sluice {} -s {}`", name, Requoted(word)));
  if (name == "query") return std::move(error).Hint("the SELECT is one argument: put it in quotes");
  return std::move(error).Hint(HelpOf(command));
}

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// The library's sentence for a value that is absent or wrong, in our words.
Error BadValue(const CLI::App& command, const CLI::ParseError& error) {
  std::string message = error.what();
  static const std::string kRequired = " is required", kConversion = "Could not convert: ", kMissing = " missing";
  if (message == "A subcommand is required") {
    std::vector<std::string> names;
    for (const CLI::App* below : command.get_subcommands({})) names.push_back(below->get_name());
    return UserError("usage", fmt::format("`sluice {}` needs to know what: {}", NameOf(command), Join(names, ", "))).Hint(HelpOf(command));
  }
  if (message.ends_with(kRequired)) {
    const std::string what = message.substr(0, message.size() - kRequired.size());
    return UserError("usage", fmt::format("`sluice {}` needs {}", NameOf(command), IsOption(what) ? what : Upper(what)))
        .Hint(what == "node" ? "`sluice ls` lists the nodes" : HelpOf(command));
  }
  if (message.starts_with(kConversion)) {
    const size_t equals = message.find(" = ");
    message = fmt::format("{}: \"{}\" is no number", message.substr(kConversion.size(), equals - kConversion.size()),
                          message.substr(std::min(message.size(), equals + 3)));
  } else if (message.ends_with(kMissing)) {
    message = message.substr(0, message.find(':')) + " needs a value";
  }
  return UserError("usage", message).Hint(HelpOf(command));
}

}  // namespace

Error Misused(const CLI::App& app, const std::vector<std::string>& args, const CLI::ParseError& error) {
  const CLI::App& command = *Deepest(app);
  std::vector<std::string> left = app.remaining(true);
  // The library gives those of the inner command in no fixed order: as they were typed.
  std::stable_sort(left.begin(), left.end(), [&](const std::string& a, const std::string& b) {
    return std::find(args.begin(), args.end(), a) < std::find(args.begin(), args.end(), b);
  });
  const auto word = std::find_if(left.begin(), left.end(), [](const std::string& arg) { return !IsOption(arg); });
  const auto option = std::find_if(left.begin(), left.end(), IsOption);
  // `docs generate`: a word before the command is the command that was meant.
  const auto first = app.get_subcommands();
  if (word != left.end() && !first.empty() &&
      std::find(args.begin(), args.end(), *word) < std::find(args.begin(), args.end(), first.front()->get_name()) && word == left.begin())
    return UnknownCommand(app, args, *word);
  const bool needs_command = !command.get_subcommands({}).empty();
  if (needs_command && word != left.end() && (option == left.end() || word < option || CommandElsewhere(*word) != nullptr))
    return UnknownCommand(command, args, *word);
  if (option != left.end()) return UnknownOption(app, command, *option);
  if (word != left.end()) return Unexpected(command, *word);
  return BadValue(command, error);
}

}  // namespace sluice::cli
