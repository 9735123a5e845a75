#include "cli/testing/case_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "core/text.h"

namespace sluice::cli::testing {
namespace {

// Longest first: "exit" has an argument, "lake unchanged" is one verb of two words.
const std::vector<std::string>& Verbs() {
  static const std::vector<std::string> kVerbs = {"kill at commit", "kill before commit", "kill at operation", "stdout contains", "stderr contains", "stdout lacks", "stderr lacks",
                                                  "lake unchanged", "quarantine", "append", "delete", "given", "query", "stdout", "table", "clock", "exit", "file", "gzip", "move", "sluice", "run"};
  return kVerbs;
}

Result<Section> ParseHeader(std::string_view line, const Location& where) {
  for (const std::string& verb : Verbs()) {
    if (line != verb && !line.starts_with(verb + " ")) continue;
    return Section{verb, std::string(Trim(line.substr(verb.size()))), "", where};
  }
  const std::string word(line.substr(0, line.find(' ')));
  return Fail(UserError("bad-test-file", fmt::format("no section \"--- {}\"{}", line, DidYouMean(word, Verbs()))).At(where).Hint("sections: " + Join(Verbs(), ", ")));
}

}  // namespace

Result<std::vector<Case>> ParseCaseFile(const std::string& path, const std::string& text) {
  std::vector<Section> shared;
  std::vector<Case> cases;
  Section* open = nullptr;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    const Location where{path, ++number, 1};
    if (line.starts_with("=== ")) {
      cases.push_back({path + ": " + std::string(Trim(line.substr(4))), {}, where});
      open = nullptr;
    } else if (line.starts_with("--- ")) {
      SLUICE_TRY(Section section, ParseHeader(Trim(std::string_view(line).substr(4)), where));
      auto& into = cases.empty() ? shared : cases.back().sections;
      into.push_back(std::move(section));
      open = &into.back();
    } else if (open != nullptr) {
      open->body += line + "\n";
    } else if (!Trim(line).empty() && line[0] != '#') {
      return Fail(UserError("bad-test-file", "text before the first section").At(where).Hint("comments start with #"));
    }
  }
  if (cases.empty()) cases.push_back({path, {}, {path, 1, 1}});
  for (Case& one : cases) one.sections.insert(one.sections.begin(), shared.begin(), shared.end());
  return cases;
}

}  // namespace sluice::cli::testing
