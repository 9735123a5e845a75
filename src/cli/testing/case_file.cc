#include "cli/testing/case_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "core/text.h"

namespace sluice::cli::testing {
namespace {

// Longest first: "exit" has an argument, "lake unchanged" is one verb of two words.
const std::vector<std::string>& Verbs() {
  static const std::vector<std::string> kVerbs = {"kill at commit",
                                                  "kill before commit",
                                                  "kill at operation",
                                                  "stdout contains",
                                                  "stderr contains",
                                                  "stdout lacks",
                                                  "stderr lacks",
                                                  "lake unchanged",
                                                  "quarantine",
                                                  "append",
                                                  "bzip2",
                                                  "delete",
                                                  "given",
                                                  "query",
                                                  "stdout",
                                                  "table",
                                                  "clock",
                                                  "exit",
                                                  "file",
                                                  "gzip",
                                                  "move",
                                                  "zstd",
                                                  "cut",
                                                  "zip",
                                                  "xz",
                                                  "sluice",
                                                  "run"};
  return kVerbs;
}

Result<Section> ParseHeader(std::string_view line, const Location& where) {
  for (const std::string& verb : Verbs()) {
    if (line != verb && !line.starts_with(verb + " ")) continue;
    return Section{verb, std::string(Trim(line.substr(verb.size()))), "", where};
  }
  const std::string word(line.substr(0, line.find(' ')));
  return Fail(UserError("bad-test-file", fmt::format("no section \"--- {}\"{}", line, DidYouMean(word, Verbs())))
                  .At(where)
                  .Hint("sections: " + Join(Verbs(), ", ")));
}

// What a body is: without blank lines at its end, and without last paragraphs of nothing but "#" lines, which speak of what comes next.
void TidyBody(Section& section) {
  std::vector<std::string> lines = Split(section.body, '\n');
  const auto drop_blank = [&] {
    while (!lines.empty() && Trim(lines.back()).empty()) lines.pop_back();
  };
  drop_blank();
  while (!lines.empty() && lines.back().starts_with("#")) {
    size_t first = lines.size();
    while (first > 0 && lines[first - 1].starts_with("#")) --first;
    if (first > 0 && !Trim(lines[first - 1]).empty()) break;  // "#" lines of the body's last paragraph
    lines.resize(first);
    drop_blank();
  }
  section.body = lines.empty() ? "" : Join(lines, "\n") + "\n";
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
  for (Section& section : shared) TidyBody(section);
  for (Case& one : cases)
    for (Section& section : one.sections) TidyBody(section);
  for (Case& one : cases) one.sections.insert(one.sections.begin(), shared.begin(), shared.end());
  return cases;
}

}  // namespace sluice::cli::testing
