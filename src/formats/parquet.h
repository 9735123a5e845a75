#pragma once
// Parquet → typed rows. docs/files.md has the rules in the user's words.
//
// Columns and struct fields meet the contract by name, in any case of letters. Values become the contract's types only where
// nothing is lost: what does not fit is a violation (rule "type"). Text is decoded as in the other formats; a double becomes the
// decimal that it is spelt as (0.1 is 0.10); nanoseconds must end in three zeros; a wall clock becomes an instant by the contract's
// zone. Lists, maps and structs of a string column become JSON text, a UUID its canonical text. Fields of a struct that the contract does
// not have follow on_new_column: freeze ignores them, else a value there is a violation. The raw record of a refused row is its JSON.
#include <memory>
#include <vector>

#include "formats/reader.h"

namespace sluice::formats {

// Errors: those of PlanColumns; kData "corrupt-file"; kUnsupported "unsupported-parquet" (a codec or encryption that is not built in);
// kUser "bad-format", "unknown-zone"; kRetryable "file-changed-while-read".
Result<std::unique_ptr<RecordReader>> OpenParquet(const ReadRequest& request);

// The file's columns that the request lacks, with their types. Error kUser "unsupported-type", naming the column.
Result<std::vector<contract::Field>> NewParquetColumns(const ReadRequest& request);

}  // namespace sluice::formats
