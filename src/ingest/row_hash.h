#pragma once
// 128-bit hashes of rows, computed a column at a time; equal for equal values of equal types, on every machine.
#include <cstdint>
#include <string>
#include <vector>

namespace arrow {
class RecordBatch;
}

namespace sluice::ingest {

struct Hash128 {
  uint64_t low = 0, high = 0;
  bool operator==(const Hash128&) const = default;
};

struct RowHashes {
  std::vector<Hash128> hashes;    // per row
  std::vector<uint8_t> has_null;  // per row: one of the columns is NULL
};
// Over the given columns, in order. Two different rows share a hash with a probability of about 2^-128: taken as never.
RowHashes HashRows(const arrow::RecordBatch& rows, const std::vector<int>& columns);

// Bytes whose order is that of the columns' values, NULL lowest; for flat columns.
std::vector<std::string> SortKeys(const arrow::RecordBatch& rows, const std::vector<int>& columns);

}  // namespace sluice::ingest
