// test: the pipeline tests of a project.
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <sstream>
#include <thread>

#include "cli/command.h"
#include "cli/testing/case_file.h"
#include "cli/testing/run_case.h"
#include "core/text.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
using testing::Case;
using testing::CaseOutcome;

// The folder above (or at) `from` that holds a sluice.yml; "" if there is none.
std::string ProjectAbove(const fs::path& from) {
  std::error_code ignored;
  for (fs::path at = fs::weakly_canonical(from, ignored); !at.empty(); at = at.parent_path()) {
    if (fs::exists(at / "sluice.yml", ignored)) return at.string();
    if (at == at.parent_path()) break;
  }
  return "";
}

Result<std::vector<fs::path>> TestFiles(const std::vector<std::string>& paths, const std::string& dir) {
  std::vector<fs::path> files;
  std::vector<fs::path> roots(paths.begin(), paths.end());
  if (roots.empty()) roots.push_back(fs::path(dir) / "tests");
  for (const fs::path& root : roots) {
    if (fs::is_regular_file(root)) {
      files.push_back(root);
      continue;
    }
    if (!fs::is_directory(root))
      return Fail(UserError("no-tests", fmt::format("there is no {}", root.string())).Hint("pipeline tests are tests/*.test of a project"));
    for (const auto& entry : fs::recursive_directory_iterator(root))
      if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

struct Job {
  Case test;
  std::string project_root;
};

Result<std::vector<Job>> LoadCases(const std::vector<fs::path>& files, const std::string& filter) {
  std::vector<Job> jobs;
  Diagnostics diagnostics;
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    auto cases = testing::ParseCaseFile(file.string(), text.str());
    if (!cases) {
      diagnostics.Add(cases.error());
      continue;
    }
    const std::string root = ProjectAbove(file.parent_path());
    for (Case& one : *cases)
      if (filter.empty() || one.name.find(filter) != std::string::npos) jobs.push_back({std::move(one), root});
  }
  if (!diagnostics.ok()) return Fail(std::move(diagnostics).Take());
  return jobs;
}

// Where the lakes of the i-th case go, "" = in its folder. The scratch folder's name tells one command's from another's.
std::string LakesOf(const TestArgs& args, const fs::path& scratch, size_t i) {
  return args.lakes.empty() ? "" : fmt::format("{}/{}/{}", args.lakes, scratch.filename().string(), i);
}

Result<int> RunTests(Context& context, const TestArgs& args) {
  SLUICE_TRY(const auto files, TestFiles(args.paths, context.globals.dir));
  SLUICE_TRY(const std::vector<Job> jobs, LoadCases(files, args.filter));
  if (jobs.empty())
    return Fail(
        UserError("no-tests", args.filter.empty() ? "no *.test file found" : fmt::format("no case has \"{}\" in its name", args.filter)));
  std::string folder = (fs::temp_directory_path() / "sluice-test-XXXXXX").string();  // its own, also when a case runs `sluice test`
  if (mkdtemp(folder.data()) == nullptr)
    return Fail(RetryableError("no-scratch", "can't make a folder in " + fs::temp_directory_path().string()));
  const fs::path scratch = folder;
  std::atomic<size_t> next{0};
  std::mutex printing;
  int passed = 0, failed = 0;
  const auto work = [&] {
    for (size_t i; (i = next++) < jobs.size();) {
      const CaseOutcome outcome = testing::RunCase(
          jobs[i].test, {jobs[i].project_root, (scratch / std::to_string(i)).string(), args.keep, LakesOf(args, scratch, i)});
      std::lock_guard lock(printing);
      (outcome.failures.empty() ? passed : failed)++;
      if (!outcome.failures.empty() || context.globals.verbose)
        context.io.out << fmt::format("{}  {}  {:.2f} s\n", outcome.failures.empty() ? "ok    " : "FAILED", outcome.name, outcome.seconds);
      for (const auto& failure : outcome.failures) context.io.out << "    " << failure << "\n";
      if (args.keep) context.io.out << "    kept in " << outcome.folder << "\n";
    }
  };
  const int threads = args.jobs > 0 ? args.jobs : std::max(1u, std::thread::hardware_concurrency());
  {
    std::vector<std::jthread> workers;
    for (int t = 1; t < threads; ++t) workers.emplace_back(work);
    work();
  }
  std::error_code ignored;
  if (!args.keep) fs::remove_all(scratch, ignored);
  context.io.out << fmt::format("{} passed, {} failed\n", passed, failed);
  return failed > 0 ? kFailed : kDone;
}

}  // namespace

int Test(Context& context, const TestArgs& args) {
  const auto result = RunTests(context, args);
  return result ? *result : Report(context, result.error());
}

}  // namespace sluice::cli
