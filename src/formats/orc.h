#pragma once
// ORC → typed rows, through Arrow's reader; values become the contract's types as Parquet's do (parquet.h).
#include <memory>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

// Errors: those of PlanTyped; kData "corrupt-file"; kUnsupported "unsupported-orc"; kRetryable "file-changed-while-read"; store errors.
Result<std::unique_ptr<RecordReader>> OpenOrc(const ReadRequest& request);
// Error kUser "unsupported-type", naming the column.
Result<std::vector<contract::Field>> NewOrcColumns(const ReadRequest& request);

}  // namespace sluice::formats
