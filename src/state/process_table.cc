#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <fstream>

#include "core/text.h"
#include "state/lease.h"

namespace sluice::state {
namespace {

constexpr size_t kStartTimeAfterName = 19;  // proc(5): starttime is field 22; the name, in parentheses, is field 2

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

class ProcProcesses : public ProcessTable {
 public:
  std::string Host() override {
    char name[HOST_NAME_MAX + 1] = {};
    return ::gethostname(name, HOST_NAME_MAX) == 0 ? name : "localhost";
  }

  int64_t OwnPid() override { return ::getpid(); }

  // Ticks since the machine started, and which start of the machine that was.
  std::optional<std::string> StartOf(int64_t pid) override {
    const std::string stat = ReadLine(fmt::format("/proc/{}/stat", pid));
    const size_t name_end = stat.rfind(')');  // a name may hold spaces and parentheses itself
    if (name_end == std::string::npos) return std::nullopt;
    const auto fields = Split(Trim(std::string_view(stat).substr(name_end + 1)), ' ');
    if (fields.size() <= kStartTimeAfterName || fields[0] == "Z") return std::nullopt;
    return ReadLine("/proc/sys/kernel/random/boot_id") + ":" + fields[kStartTimeAfterName];
  }
};

}  // namespace

ProcessTable& SystemProcesses() {
  static ProcProcesses processes;
  return processes;
}

}  // namespace sluice::state
