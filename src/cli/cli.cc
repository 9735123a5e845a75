#include "cli/cli.h"

#include <ostream>

namespace sluice::cli {

int Main(const std::vector<std::string>& args, std::ostream& out, std::ostream& err) {
  if (args.size() == 1 && args[0] == "--version") {
    out << "sluice " << kVersion << "\n";
    return kDone;
  }
  err << "usage: sluice COMMAND\n";
  return kUsage;
}

}  // namespace sluice::cli
