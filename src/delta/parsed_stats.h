#pragma once
// Statistics and partition values of a checkpoint as typed columns (PROTOCOL.md, "Checkpoint Schema": stats_parsed and
// partitionValues_parsed), which a table asks for by delta.checkpoint.writeStatsAsStruct. Only for the checkpoint's reader and writer.
#include <arrow/api.h>

#include <memory>
#include <string>

#include "delta/snapshot.h"

namespace sluice::delta {

// The type of add.stats_parsed for a table: numRecords, minValues, maxValues, nullCount, tightBounds, under physical names.
std::shared_ptr<arrow::DataType> StatsType(const Snapshot& snapshot);
// The type of add.partitionValues_parsed; null without partition columns.
std::shared_ptr<arrow::DataType> PartitionValuesType(const Snapshot& snapshot);

// Appends one row to a builder of these types. What a text does not say, or says in a way that is none of the type, is NULL.
arrow::Status AppendStats(const std::string& stats, arrow::StructBuilder* builder);
arrow::Status AppendPartitionValues(const PartitionValues& values, arrow::StructBuilder* builder);

// A row of add.stats_parsed as the JSON text that add.stats would be; "" for NULL.
std::string StatsText(const arrow::StructArray& stats, int64_t row);

}  // namespace sluice::delta
