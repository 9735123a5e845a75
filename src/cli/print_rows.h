#pragma once
// Rows of a SELECT, as a person or a program wants them.
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "engines/duckdb.h"

namespace sluice::cli {

struct RowsOutput {
  std::string format = "table";  // table, csv, json (one object a line) or parquet
  std::string out;               // the file that they are written to; "": stdout
  int64_t limit = 0;             // 0: 100 rows in a table, all otherwise
};
// As the flags say. Errors: "unknown-format", "needs-out".
Result<RowsOutput> RowsOutputOf(const Globals& globals, const std::string& format, const std::string& out, int64_t limit);

// A field of CSV, in quotes where it needs them; an empty one has them, for nothing at all is NULL.
std::string CsvCell(std::string_view text);

// Runs the SELECT and prints its rows to stdout, or writes the file.
Status PrintRows(Context& context, engines::Connection& connection, std::string sql, const std::vector<engines::Parameter>& params,
                 const RowsOutput& output);

}  // namespace sluice::cli
