// How long does it take to load a table's log, and to bring a held snapshot up to date? replay_bench FOLDER REPEATS
// Prints the files, then the medians of CPU seconds of a load, of CPU milliseconds of a refresh after one more commit (which it writes,
// and takes back at the end), and the peak of memory in MiB.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "delta/commit.h"
#include "delta/log_files.h"

namespace {

using namespace sluice;

template <typename T>
T Must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().ToString());
  return *std::move(result);
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::runtime_error("usage: replay_bench FOLDER REPEATS");
  const std::filesystem::path folder = std::filesystem::canonical(argv[1]);
  const int repeats = std::atoi(argv[2]);
  const auto store = Must(store::OpenLocalStore(folder.parent_path().string(), false));
  const std::string root = folder.filename().string();
  std::vector<double> loads, refreshes;
  for (int i = 0; i < repeats; ++i) {
    const double start = CpuSeconds();
    const delta::Snapshot snapshot = Must(delta::LoadSnapshot(*store, root));
    loads.push_back(CpuSeconds() - start);
  }
  delta::Snapshot held = Must(delta::LoadSnapshot(*store, root));
  const size_t files = held.files.size();
  std::vector<std::string> written;
  for (int i = 0; i < repeats; ++i) {
    delta::Add add = held.files[files / 2];
    add.path += fmt::format(".{}", i);
    written.push_back(delta::LogKey(root, delta::CommitFileName(held.version + 1)));
    if (auto put = store->Put(written.back(), delta::ToJsonLine(add) + "\n"); !put) throw std::runtime_error(put.error().ToString());
    const double start = CpuSeconds();
    delta::Snapshot next = Must(delta::Refresh(*store, root, held));
    refreshes.push_back(1000 * (CpuSeconds() - start));
    held = std::move(next);
  }
  for (const std::string& key : written) (void)store->Delete(key);
  if (held.files.size() != files + static_cast<size_t>(repeats)) throw std::runtime_error("the refreshed snapshot lacks files");
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{} {:.4f} {:.3f} {}\n", files, Median(loads), Median(refreshes), usage.ru_maxrss / 1024);
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
