#include "engines/duckdb/handles.h"

#include "core/text.h"

namespace sluice::engines {
namespace {

bool Starts(std::string_view message, std::string_view word) { return message.starts_with(word); }

bool IsInvalidated(std::string_view message) {
  return Starts(message, "FATAL Error") || Starts(message, "INTERNAL Error") ||
         message.find("database has been invalidated") != std::string_view::npos;
}

Error WithCode(Error error, std::string code) {
  error.code = std::move(code);
  return error;
}

}  // namespace

Error SqlError(std::string_view message) {
  std::string text(Trim(message));
  // Nobody wrote that line of SQL: it is the scan of a table's files.
  if (const size_t line = text.find("\n\nLINE "); line != std::string::npos && text.find("read_parquet(", line) != std::string::npos)
    text.resize(line);
  if (Starts(text, "INTERRUPT Error")) return WithCode(CancelledError(), "sql-interrupted");
  if (IsInvalidated(text)) return RetryableError("engine-invalidated", text);
  if (Starts(text, "Out of Memory Error"))
    return RetryableError("sql-out-of-memory", text).Hint("give more with --memory, or run fewer nodes at once with --threads");
  if (Starts(text, "IO Error") || Starts(text, "HTTP Error") || Starts(text, "Network Error")) return RetryableError("sql-io", text);
  return UserError("sql", text);
}

Status Check(const ErrorHandle& error) {
  if (!error || !duckdb_error_data_has_error(error.get())) return Ok();
  return Fail(SqlError(duckdb_error_data_message(error.get())));
}

}  // namespace sluice::engines
