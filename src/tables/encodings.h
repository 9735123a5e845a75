#pragma once
// Which columns of a file are worth a dictionary.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace arrow {
class RecordBatch;
}

namespace sluice::tables {

inline constexpr size_t kDictionaryBytes = 1 << 20;  // of a column in a row group; with more it is written without a dictionary

// How many distinct values a column has, of whose `values` first ones `distinct` differ: n values drawn from D equally frequent ones repeat
// about n²/2D times.
double EstimatedDistinct(size_t values, size_t distinct);

// The top-level columns whose distinct values would outgrow a dictionary of `limit_bytes`, judged by the first rows of their file. The
// Parquet writer would find out too, and fall back, but only after hashing as many values as fill the dictionary; and its hash table
// costs several times their size. None where the rows are too few to judge by.
std::vector<std::string> ColumnsWithoutDictionary(const arrow::RecordBatch& first_rows, int64_t limit_bytes);

}  // namespace sluice::tables
