#include "core/error.h"

#include <fmt/format.h>

namespace sluice {
namespace {
Error Make(ErrorKind kind, std::string code, std::string message) {
  Error error;
  error.kind = kind;
  error.code = std::move(code);
  error.message = std::move(message);
  return error;
}
}  // namespace

std::string Location::ToString() const {
  if (line == 0) return file;
  if (column == 0) return fmt::format("{}:{}", file, line);
  return fmt::format("{}:{}:{}", file, line, column);
}

std::string Error::ToString() const {
  std::string out = where.known() ? where.ToString() + ": " : "";
  out += fmt::format("error[{}]: {}", code, message);
  if (!hint.empty()) out += "\n  hint: " + hint;
  for (const Error& other : more) out += "\n" + other.ToString();
  return out;
}

Error UserError(std::string code, std::string message) { return Make(ErrorKind::kUser, std::move(code), std::move(message)); }
Error DataError(std::string code, std::string message) { return Make(ErrorKind::kData, std::move(code), std::move(message)); }
Error RetryableError(std::string code, std::string message) { return Make(ErrorKind::kRetryable, std::move(code), std::move(message)); }
Error ConflictError(std::string code, std::string message) { return Make(ErrorKind::kConflict, std::move(code), std::move(message)); }
Error UnsupportedError(std::string code, std::string message) { return Make(ErrorKind::kUnsupported, std::move(code), std::move(message)); }
Error NotFoundError(std::string code, std::string message) { return Make(ErrorKind::kNotFound, std::move(code), std::move(message)); }
Error CancelledError() { return Make(ErrorKind::kCancelled, "cancelled", "interrupted"); }
Error BugError(std::string message) { return Make(ErrorKind::kBug, "bug", std::move(message)); }

void Diagnostics::Add(Error error) {
  std::vector<Error> more = std::move(error.more);
  error.more.clear();
  errors.push_back(std::move(error));
  for (Error& other : more) Add(std::move(other));
}

Error Diagnostics::Take() && {
  Error first = std::move(errors.front());
  first.more.assign(std::make_move_iterator(errors.begin() + 1), std::make_move_iterator(errors.end()));
  errors.clear();
  return first;
}

}  // namespace sluice
