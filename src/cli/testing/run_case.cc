#include "cli/testing/run_case.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "cli/cli.h"
#include "cli/testing/packed.h"
#include "core/text.h"
#include "core/time.h"
#include "store/faulty_store.h"
#include "store/remote.h"

namespace sluice::cli::testing {
namespace {

namespace fs = std::filesystem;

// When the next command dies.
struct Kill {
  enum class At { kAfterCommit, kBeforeCommit, kAfterOperation } at = At::kAfterCommit;
  int64_t n = 1;
};

bool IsCommit(const store::Operation& operation) {
  return operation.kind == store::OperationKind::kPutIfAbsent && operation.key.find("/_delta_log/") != std::string::npos &&
         operation.key.ends_with(".json");
}

// A lake that dies as `kill` says.
std::unique_ptr<store::ObjectStore> Dying(std::unique_ptr<store::ObjectStore> inner, Kill kill) {
  struct Watch {
    store::FaultyStore* store = nullptr;
    std::atomic<int64_t> commits{0};
    std::atomic<bool> armed{false};
  };
  auto watch = std::make_shared<Watch>();
  store::FaultyOptions options;
  if (kill.at == Kill::At::kAfterOperation) options.faults = {{.at = kill.n, .kind = store::FaultKind::kKillAfter}};
  options.before = [watch, kill](const store::Operation& operation) {
    if (kill.at == Kill::At::kAfterOperation) return;
    if (watch->armed) watch->store->Kill();
    if (!IsCommit(operation) || ++watch->commits != kill.n) return;
    if (kill.at == Kill::At::kBeforeCommit)
      watch->store->Kill();
    else
      watch->armed = true;  // dies at the next operation, the commit being there
  };
  auto store = std::make_unique<store::FaultyStore>(std::move(inner), std::move(options));
  watch->store = store.get();
  return store;
}

std::vector<std::string> SplitArguments(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool any = false;
  for (char c : line) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      any = true;
    } else if (c == ' ') {
      if (any || !word.empty()) words.push_back(word);
      word.clear();
      any = false;
    } else {
      word += c;
    }
  }
  if (any || !word.empty()) words.push_back(word);
  return words;
}

// \xHH, \n, \r, \t, \\, a \ at a line's end (which joins it with the next) and a trailing \c (no final newline) in the body of `--- file
// PATH escaped`.
std::string Unescape(const std::string& body) {
  std::string out;
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\' || i + 1 >= body.size()) {
      out += body[i];
      continue;
    }
    const char c = body[++i];
    if (c == 'x' && i + 2 < body.size()) {
      out += static_cast<char>(std::stoi(body.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else if (c == 'c') {
      break;
    } else {
      if (c != '\n') out += c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
    }
  }
  return out;
}

std::string LastLines(const std::string& text, size_t most) {
  std::vector<std::string> lines = Split(text, '\n');
  if (lines.size() > most) lines.erase(lines.begin(), lines.end() - static_cast<long>(most));
  return Join(lines, "\n        ");
}

class Player {
 public:
  Player(const Case& test, const CaseOptions& options) : test_(test), options_(options), clock_({}) {}

  CaseOutcome Play() {
    outcome_.name = test_.name;
    const auto start = std::chrono::steady_clock::now();
    folder_ = fs::path(options_.scratch);
    outcome_.folder = folder_.string();
    try {
      fs::create_directories(folder_);
      if (!options_.project_root.empty()) CopyProject();
      for (const Section& section : test_.sections) {
        const bool expects_exit = section.verb == "exit";
        if (!expects_exit && IsCommand(section)) SettleExit();
        Step(section);
      }
      SettleExit();
    } catch (const std::exception& error) {
      outcome_.failures.push_back(fmt::format("{}: {}", test_.where.ToString(), error.what()));
    }
    outcome_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::error_code ignored;
    if (!options_.keep) fs::remove_all(folder_, ignored);
    return std::move(outcome_);
  }

 private:
  static bool IsCommand(const Section& section) { return section.verb == "run" || section.verb == "sluice"; }

  void Failed(const Section& section, const std::string& what) {
    outcome_.failures.push_back(fmt::format("{}: {}", Location{section.where.file, section.where.line, 0}.ToString(), what));
  }

  void CopyProject() {
    for (const auto& entry : fs::directory_iterator(options_.project_root)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(".") || name == "lake" || name == "landing") continue;
      fs::copy(entry.path(), folder_ / name, fs::copy_options::recursive);
    }
  }

  void Write(const std::string& path, const std::string& text, bool append = false) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream out(folder_ / path, append ? std::ios::binary | std::ios::app : std::ios::binary);
    out << text;
    out.close();
    if (!out) throw std::runtime_error("can't write " + path);
    Date(path);
  }

  // Where the clock stands still, files are of its time too.
  void Date(const std::string& path) {
    if (!fixed_clock_) return;
    const std::chrono::sys_time<std::chrono::microseconds> now{std::chrono::microseconds(clock_.Now().micros)};
    fs::last_write_time(folder_ / path, std::chrono::file_clock::from_sys(now));
  }

  void Step(const Section& s) {
    static const std::map<std::string, void (Player::*)(const Section&)> kSteps = {{"file", &Player::File},
                                                                                   {"append", &Player::Append},
                                                                                   {"gzip", &Player::Gzip},
                                                                                   {"zstd", &Player::Zstd},
                                                                                   {"bzip2", &Player::Bzip2},
                                                                                   {"xz", &Player::Xz},
                                                                                   {"zip", &Player::Zip},
                                                                                   {"cut", &Player::Cut},
                                                                                   {"delete", &Player::Delete},
                                                                                   {"move", &Player::Move},
                                                                                   {"given", &Player::Given},
                                                                                   {"run", &Player::RunCommand},
                                                                                   {"sluice", &Player::AnyCommand},
                                                                                   {"clock", &Player::SetClock},
                                                                                   {"exit", &Player::Exit},
                                                                                   {"kill at commit", &Player::KillAt},
                                                                                   {"kill before commit", &Player::KillAt},
                                                                                   {"kill at operation", &Player::KillAt},
                                                                                   {"stdout", &Player::Stdout},
                                                                                   {"stdout contains", &Player::Contains},
                                                                                   {"stderr contains", &Player::Contains},
                                                                                   {"stdout lacks", &Player::Lacks},
                                                                                   {"stderr lacks", &Player::Lacks},
                                                                                   {"table", &Player::Table},
                                                                                   {"query", &Player::Query},
                                                                                   {"quarantine", &Player::Quarantine},
                                                                                   {"lake unchanged", &Player::LakeUnchanged}};
    (this->*kSteps.at(s.verb))(s);
  }

  void File(const Section& s) {
    std::string path = s.argument, body = s.body;
    if (path.ends_with(" escaped")) {
      path = path.substr(0, path.size() - 8);
      body = Unescape(body);
    }
    Write(path, body);
  }
  void Append(const Section& s) { Write(s.argument, s.body, true); }
  void Delete(const Section& s) {
    const bool in_lake = s.argument == "lake" || s.argument.starts_with("lake/");
    const auto gone =
        in_lake ? DeleteFromLake(s.argument.substr(std::min<size_t>(5, s.argument.size()))) : fs::remove_all(folder_ / s.argument);
    if (gone == 0) Failed(s, "there is no " + s.argument);
  }
  void Move(const Section& s) {
    const auto words = SplitArguments(s.argument);
    if (words.size() != 2) return Failed(s, "--- move FROM TO");
    fs::create_directories((folder_ / words[1]).parent_path());
    fs::rename(folder_ / words[0], folder_ / words[1]);
  }
  void Gzip(const Section& s) {
    fs::create_directories((folder_ / s.argument).parent_path());
    gzFile out = gzopen((folder_ / s.argument).c_str(), "wb");
    if (out == nullptr || gzwrite(out, s.body.data(), static_cast<unsigned>(s.body.size())) != static_cast<int>(s.body.size()))
      Failed(s, "can't write " + s.argument);
    gzclose(out);
    Date(s.argument);
  }

  void Zstd(const Section& s) { Pack(s, ZstdOf(s.body)); }
  void Bzip2(const Section& s) { Pack(s, Bzip2Of(s.body)); }
  void Xz(const Section& s) { Pack(s, XzOf(s.body)); }
  void Pack(const Section& s, const std::optional<std::string>& bytes) {
    if (!bytes) return Failed(s, "can't compress " + s.argument);
    Write(s.argument, *bytes);
  }

  // "--- zip ARCHIVE MEMBER": one more member, made if the archive is not there yet.
  void Zip(const Section& s) {
    const auto words = SplitArguments(s.argument);
    if (words.size() != 2) return Failed(s, "--- zip ARCHIVE MEMBER");
    fs::create_directories((folder_ / words[0]).parent_path());
    if (!AddToZip((folder_ / words[0]).string(), words[1], s.body)) Failed(s, "can't write " + words[0]);
  }

  // "--- cut PATH N": the last N bytes are lost.
  void Cut(const Section& s) {
    const auto words = SplitArguments(s.argument);
    const auto bytes = words.size() == 2 ? ParseBytes(words[1]) : std::nullopt;
    if (!bytes) return Failed(s, "--- cut PATH BYTES");
    const auto size = static_cast<int64_t>(fs::file_size(folder_ / words[0]));
    fs::resize_file(folder_ / words[0], static_cast<uint64_t>(std::max<int64_t>(0, size - *bytes)));
  }

  // The model is replaced by a table that holds these rows: a seed, and a SELECT over it.
  void Given(const Section& s) {
    const size_t dot = s.argument.find('.');
    if (dot == std::string::npos || s.argument.starts_with("bronze."))
      return Failed(s, "--- given LAYER.MODEL stands for a model; give a source its files with --- file");
    const std::string layer = s.argument.substr(0, dot), name = s.argument.substr(dot + 1), seed = "given_" + layer + "_" + name;
    Write("seeds/" + seed + ".csv", s.body);
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "models" / layer)) {
      const fs::path path = entry.path();
      if (path.stem() == name && (path.extension() == ".yml" || path.extension() == ".sql")) replaced_.push_back(path);
    }
    for (const fs::path& path : replaced_) fs::remove(path);
    replaced_.clear();
    Write("models/" + layer + "/" + name + ".sql", "select * from seed." + seed + "\n");
  }

  void SetClock(const Section& s) {
    const auto instant = ParseInstant(s.argument);
    if (!instant) return Failed(s, "--- clock 2024-01-31T10:00:00Z");
    clock_.Set(*instant);
    fixed_clock_ = true;
  }

  void KillAt(const Section& s) {
    Kill kill;
    kill.at = s.verb == "kill at commit"       ? Kill::At::kAfterCommit
              : s.verb == "kill before commit" ? Kill::At::kBeforeCommit
                                               : Kill::At::kAfterOperation;
    kill.n = std::stoll(s.argument);
    kill_ = kill;
  }

  void RunCommand(const Section& s) { Command(s, "run " + s.argument + " --parallel 1"); }
  void AnyCommand(const Section& s) { Command(s, s.argument); }

  void Command(const Section& s, const std::string& line) {
    std::vector<std::string> args = SplitArguments(line);
    for (std::string& arg : args)  // "./x" is in the case's folder, wherever the runner was started
      if (arg.starts_with("./")) arg = (folder_ / arg.substr(2)).string();
    args.insert(args.end(), {"-C", folder_.string(), "--threads", "2", "--memory", "1GiB"});
    Hooks hooks;
    if (fixed_clock_) hooks.clock = &clock_;
    const std::optional<Kill> kill = std::exchange(kill_, std::nullopt);
    std::string killed_lake;
    if (kill)
      hooks.open_lake = [this, kill, &killed_lake](const std::string& lake) -> Result<std::unique_ptr<store::ObjectStore>> {
        killed_lake = lake;
        SLUICE_TRY(auto inner, OpenLake(lake));
        return Dying(std::move(inner), *kill);
      };
    else
      hooks.open_lake = [this](const std::string& lake) { return OpenLake(lake); };
    lake_before_ = LakeListing();
    std::ostringstream out, err;
    exit_ = Main(args, out, err, hooks);
    // A dead process leaves a lease that is free at once; this process lives on, so it is taken away here.
    if (!killed_lake.empty()) FreeLeases(killed_lake);
    stdout_ = Neutral(out.str());
    stderr_ = Neutral(err.str());
    last_ = &s;
    exit_checked_ = kill.has_value();  // a killed run's exit code is that of a dead process
    if (fixed_clock_) clock_.SleepMillis(1000);
  }

  // The case's own folder reads as "." in what a command printed.
  std::string Neutral(std::string text) const {
    const std::string path = folder_.string();
    for (size_t at; (at = text.find(path)) != std::string::npos;) text.replace(at, path.size(), ".");
    const std::string& url = options_.lakes;
    for (size_t at; !url.empty() && (at = text.find(url)) != std::string::npos;) text.replace(at, url.size(), ".");
    return text;
  }

  // The lake that the project names, by its place in the case's folder.
  Result<std::unique_ptr<store::ObjectStore>> OpenLake(const std::string& lake) const {
    if (options_.lakes.empty()) return store::OpenLocalStore(lake, false);
    return store::OpenStore(options_.lakes + "/" + fs::path(lake).lexically_relative(folder_).string());
  }

  // What lies at or below `path` of the lake; how many objects that were.
  size_t DeleteFromLake(const std::string& path) const {
    const fs::path lake = folder_ / "lake";
    if (options_.lakes.empty()) return fs::remove_all(lake / path);
    const auto store = OpenLake(lake.string());
    const auto below = store ? (*store)->List(path) : Result<std::vector<store::ObjectMeta>>(Fail(store.error()));
    if (!below) throw std::runtime_error(below.error().ToString());
    std::vector<std::string> keys;
    for (const auto& object : *below)
      if (path.empty() || object.key == path || object.key.starts_with(path + "/")) keys.push_back(object.key);
    if (const Status deleted = store::DeleteAll(**store, keys); !deleted) throw std::runtime_error(deleted.error().ToString());
    return keys.size();
  }

  void FreeLeases(const std::string& lake) const {
    const auto store = OpenLake(lake);
    const auto leases = store ? (*store)->List("_sluice/leases/") : Result<std::vector<store::ObjectMeta>>(Fail(store.error()));
    if (!leases) throw std::runtime_error(leases.error().ToString());
    for (const auto& lease : *leases) (void)(*store)->Delete(lease.key);
  }

  std::string LakeListing() const {
    if (options_.lakes.empty() && !fs::exists(folder_ / "lake")) return "";
    const auto store = OpenLake((folder_ / "lake").string());
    const auto objects = store ? (*store)->List("") : Result<std::vector<store::ObjectMeta>>(Fail(store.error()));
    if (!objects) throw std::runtime_error(objects.error().ToString());
    std::string all;
    for (const auto& object : *objects) all += fmt::format("{} {} {} {}\n", object.key, object.size, object.etag, object.modified.micros);
    return all;
  }

  void LakeUnchanged(const Section& s) {
    if (LakeListing() != lake_before_) Failed(s, "the last command changed files of the lake");
  }

  // A command without an `--- exit` of its own must have ended with 0.
  void SettleExit() {
    if (last_ == nullptr || exit_checked_) return;
    exit_checked_ = true;
    if (exit_ != 0) Failed(*last_, fmt::format("exit code {} where 0 was expected\n        {}", exit_, LastLines(stderr_ + stdout_, 25)));
  }

  void Exit(const Section& s) {
    exit_checked_ = true;
    if (std::to_string(exit_) != s.argument)
      Failed(s, fmt::format("exit code {} where {} was expected\n        {}", exit_, s.argument, LastLines(stderr_ + stdout_, 25)));
  }

  void Contains(const Section& s) {
    const std::string& text = s.verb.starts_with("stdout") ? stdout_ : stderr_;
    for (const std::string& line : Wanted(s))
      if (text.find(line) == std::string::npos)
        Failed(s, fmt::format("{} lacks: {}\n        it is: {}", s.verb.substr(0, 6), line, LastLines(text, 25)));
  }
  void Lacks(const Section& s) {
    const std::string& text = s.verb.starts_with("stdout") ? stdout_ : stderr_;
    for (const std::string& line : Wanted(s))
      if (text.find(line) != std::string::npos) Failed(s, fmt::format("{} has: {}", s.verb.substr(0, 6), line));
  }
  static std::vector<std::string> Wanted(const Section& s) {
    std::vector<std::string> lines;
    if (!s.argument.empty()) lines.push_back(s.argument);
    for (const std::string& line : Split(s.body, '\n'))
      if (!Trim(line).empty()) lines.emplace_back(Trim(line));
    return lines;
  }

  void Stdout(const Section& s) { Compare(s, s.body, stdout_); }

  void Compare(const Section& s, const std::string& expected, const std::string& actual) {
    const std::string_view want = Trim(expected), got = Trim(actual);
    if (want != got)
      Failed(s, fmt::format("expected\n        {}\n      but it is\n        {}", LastLines(std::string(want), 40),
                            LastLines(std::string(got), 40)));
  }

  // The rows of a SELECT as CSV against the body.
  void CompareQuery(const Section& s, const std::string& sql) {
    SettleExit();
    std::ostringstream out, err;
    Hooks hooks;
    hooks.open_lake = [this](const std::string& lake) { return OpenLake(lake); };
    const int exit = Main({"query", sql, "--format", "csv", "-C", folder_.string()}, out, err, hooks);
    if (exit != 0) return Failed(s, "the query failed: " + err.str());
    Compare(s, s.body, out.str());
  }

  // "--- table gold.x order by k": the columns are those of the body's first line.
  void Table(const Section& s) {
    const std::string columns(Trim(s.body.substr(0, s.body.find('\n'))));
    CompareQuery(s, fmt::format("select {} from {}", columns.empty() ? "*" : columns, s.argument));
  }
  void Query(const Section& s) { CompareQuery(s, s.argument); }

  // "--- quarantine orders": a line per violation, by file and row. Columns of the body's first line, of: id, file, line, row, column,
  // rule, value, message, record, state.
  void Quarantine(const Section& s) {
    std::vector<std::string> columns;
    for (const auto& name : Split(std::string(Trim(s.body.substr(0, s.body.find('\n')))), ',')) {
      const std::string column(Trim(name));
      const bool of_violation = column == "column" || column == "rule" || column == "value" || column == "message";
      if (of_violation)
        columns.push_back(fmt::format("v.\"{0}\" as \"{0}\"", column));
      else if (column == "record")
        columns.push_back("coalesce(q.record, cast(q.record_bytes as varchar)) as record");
      else
        columns.push_back("q." + column);
    }
    CompareQuery(
        s, fmt::format("select {} from quarantine.{} as q, unnest(q.violations) as u(v) order by q.file, q.row, v.\"column\", v.\"rule\"",
                       Join(columns, ", "), s.argument));
  }

  const Case& test_;
  const CaseOptions& options_;
  CaseOutcome outcome_;
  fs::path folder_;
  std::vector<fs::path> replaced_;
  FixedClock clock_;
  bool fixed_clock_ = false;
  std::optional<Kill> kill_;
  const Section* last_ = nullptr;
  bool exit_checked_ = true;
  int exit_ = 0;
  std::string stdout_, stderr_, lake_before_;
};

}  // namespace

CaseOutcome RunCase(const Case& test, const CaseOptions& options) { return Player(test, options).Play(); }

}  // namespace sluice::cli::testing
