#pragma once
// The formats' readers behind one face.
#include <memory>
#include <vector>

#include "ingest/ingest.h"
#include "ingest/pipeline.h"

namespace sluice::ingest {

Result<OpenedFile> OpenFile(sources::FileFormat format, const formats::ReadRequest& request, const formats::CsvDialect& dialect);

// Must all records of such a file be read to know its columns?
bool ColumnsAreInRecords(sources::FileFormat format);

// Columns beyond the contract that the batch's rows carry: those of the table (evolved earlier), then those new in any of the files.
// `of_records`: also where all records must be read to know them. Error kData "too-many-columns" of the file that brings them.
Result<std::vector<contract::Field>> ExtraColumns(const IngestRequest& request, const contract::Contract& contract,
                                                  store::ObjectStore* input, const Budget& budget, bool of_records);

// Error kData "too-many-columns": `what` has more than the budget bears.
Status CheckColumns(size_t columns, const Budget& budget, const std::string& what, const Location& where);

}  // namespace sluice::ingest
