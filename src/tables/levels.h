#pragma once
#include <cstdint>
#include <vector>

#include "core/result.h"
#include "tables/file_shape.h"

namespace arrow {
struct ArrayData;
}

namespace sluice::tables {

// Where values stand in nested rows (Melnik et al., "Dremel", VLDB 2010; Parquet's Nested Encoding): for each element of the innermost
// list, and each list that is empty or NULL, and each row without a list, how much of the way to the leaf is there, and which list goes on.
struct Levels {
  std::vector<uint8_t> definition, repetition;
  std::vector<uint32_t> rows;  // of the leaf's array, of those that have a value
  const arrow::ArrayData* values = nullptr;

  std::vector<uint32_t> at;  // while it is made
};

// Of rows of a column of the table. Error kBug: a NULL in a column that is not optional.
Status FindLevels(const Leaf& leaf, const arrow::ArrayData& column, const ChosenRows& chosen, Levels* out);

}  // namespace sluice::tables
