#pragma once
#include <arrow/record_batch.h>

#include <memory>

#include "engines/duckdb/handles.h"

namespace sluice::engines {

// Runs a bound statement and streams its rows. `owner` is held as long as the reader (what the statement needs to stay alive).
// The reader's errors carry SqlError as text behind a code: turn them back with ReaderError (engines/duckdb.h).
Result<std::shared_ptr<arrow::RecordBatchReader>> StreamResult(PreparedHandle statement, std::shared_ptr<void> owner);

}  // namespace sluice::engines
