#pragma once
// Rows of several batches to their partitions.
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/result.h"
#include "tables/gather.h"

namespace sluice::tables {

// 1: this row of a batch is none of its rows. Empty: all are.
using Dropped = std::vector<uint8_t>;

struct ScatterPart {
  std::shared_ptr<arrow::RecordBatch> data;
  std::vector<uint32_t> partition_of;  // each row's, below `partitions`
  Dropped dropped;
};

// Parts of so few rows for each partition that they cost more than their rows are joined to larger ones, in order.
Result<std::vector<ScatterPart>> JoinParts(std::vector<ScatterPart> parts, uint32_t partitions);

// Calls `write` with each partition's rows, in the order of parts and rows, partition by partition.
using WritePartition = std::function<Status(uint32_t partition, const PickedRows& rows)>;
Status Scatter(const std::vector<ScatterPart>& parts, uint32_t partitions, const WritePartition& write);

}  // namespace sluice::tables
