#pragma once
// A *.test file as a value. Grammar (docs/pipeline-tests.md): a line "=== NAME" starts a case; what stands before the first is shared
// by all of them (without any, the file is one case). A line "--- WORDS" starts a section, whose body are the lines up to the next,
// without blank lines at the end and without last paragraphs of nothing but "#" lines, which are comments.
#include <string>
#include <vector>

#include "core/result.h"

namespace sluice::cli::testing {

struct Section {
  std::string verb;      // "file", "run", "table", …
  std::string argument;  // the rest of the line
  std::string body;      // with a final newline where it is not empty
  Location where;
};

struct Case {
  std::string name;               // "FILE" or "FILE: NAME"
  std::vector<Section> sections;  // the shared ones first
  Location where;
};

// Errors: "bad-test-file" at the line.
Result<std::vector<Case>> ParseCaseFile(const std::string& path, const std::string& text);

}  // namespace sluice::cli::testing
