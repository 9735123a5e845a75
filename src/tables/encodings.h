#pragma once
// Which columns of a file are worth a dictionary.
#include <cstdint>
#include <string>
#include <vector>

namespace arrow {
class RecordBatch;
}

namespace sluice::tables {

// The top-level columns whose distinct values would outgrow a dictionary of `limit_bytes`, judged by the first rows of their file. The
// Parquet writer would find out too, and fall back, but only after hashing as many values as fill the dictionary; and its hash table
// costs several times their size. None where the rows are too few to judge by.
std::vector<std::string> ColumnsWithoutDictionary(const arrow::RecordBatch& first_rows, int64_t limit_bytes);

}  // namespace sluice::tables
