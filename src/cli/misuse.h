#pragma once
// A command line that can't be read: what is wrong with it, and what was probably meant, also by those who know other tools.
#include <string>
#include <vector>

#include "core/error.h"

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace sluice::cli {

// `app` after its parse of `args` threw `error`. Codes "unknown-command", "unknown-option", "usage".
Error Misused(const CLI::App& app, const std::vector<std::string>& args, const CLI::ParseError& error);

}  // namespace sluice::cli
