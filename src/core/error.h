#pragma once
// The one error value of every room. See docs/errors.md for the index of codes.
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// What the caller may do about an error; the exit code and the retry policy follow from it.
enum class ErrorKind {
  kUser,         // the project, a flag or an argument is wrong: file:line:col and a hint      (exit 2)
  kData,         // the data is refused by a rule or a gate                                    (exit 3)
  kRetryable,    // a peer or the disk failed in a way that may pass: retried with backoff     (exit 1)
  kConflict,     // another writer was first and touches what we read: plan again              (exit 1)
  kUnsupported,  // a feature Sluice does not have, named                                      (exit 1)
  kNotFound,     // an object, table or node does not exist                                    (exit 1)
  kCancelled,    // Ctrl-C or a cancel request                                                 (exit 130)
  kBug,          // a broken invariant of our own                                              (exit 1)
};

// A place in a project file. line and column are 1-based; 0 means unknown. Columns count bytes.
struct Location {
  std::string file;
  int line = 0;
  int column = 0;
  bool known() const { return !file.empty(); }
  std::string ToString() const;  // "file:line:col", without the unknown parts
  bool operator==(const Location&) const = default;
};

struct Error {
  ErrorKind kind = ErrorKind::kBug;
  std::string code;     // kebab-case, stable, indexed in docs/errors.md: "unknown-column"
  std::string message;  // the user's terms, no trailing period
  Location where;
  std::string hint;         // what to do; may be empty
  std::vector<Error> more;  // further errors found in the same pass

  Error&& At(Location location) && {
    where = std::move(location);
    return std::move(*this);
  }
  Error&& Hint(std::string text) && {
    hint = std::move(text);
    return std::move(*this);
  }

  // "file:line:col: error[code]: message\n  hint: …", `more` following on lines of their own.
  std::string ToString() const;
};

Error UserError(std::string code, std::string message);
Error DataError(std::string code, std::string message);
Error RetryableError(std::string code, std::string message);
Error ConflictError(std::string code, std::string message);
Error UnsupportedError(std::string code, std::string message);
Error NotFoundError(std::string code, std::string message);
Error CancelledError();
Error BugError(std::string message);

// Collects errors (and warnings) of one pass, so that all are shown at once.
struct Diagnostics {
  std::vector<Error> errors;
  std::vector<Error> warnings;
  void Add(Error error);
  void Warn(Error warning) { warnings.push_back(std::move(warning)); }
  bool ok() const { return errors.empty(); }
  // The first error with the rest in `more`. Requires !ok().
  Error Take() &&;
};

}  // namespace sluice
