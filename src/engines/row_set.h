#pragma once
// A set of rows, each named by its file and its number in it, as a condition in SQL. A million of them as an IN list, or as a relation to
// join with, costs DuckDB more than to read the rows.
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::engines {

struct RowsOfFile {
  std::string file;
  std::vector<int64_t> rows;  // ascending, distinct, from 0
};

// `sluice_listed(set, file, row)`: true for the rows of the set. `file` and `row` are SQL: a VARCHAR and a BIGINT, NULL never. Only
// connections of DuckDb know the function.
std::string Listed(const std::vector<RowsOfFile>& set, const std::string& file, const std::string& row);

}  // namespace sluice::engines
