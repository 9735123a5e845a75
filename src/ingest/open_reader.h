#pragma once
// The formats' readers behind one face.
#include <memory>
#include <vector>

#include "ingest/ingest.h"
#include "ingest/pipeline.h"

namespace sluice::ingest {

Result<OpenedFile> OpenFile(sources::FileFormat format, const formats::ReadRequest& request, const formats::CsvDialect& dialect);

// Columns beyond the contract that the batch's rows carry: those of the table (evolved earlier), then those new in any of the files.
Result<std::vector<contract::Field>> ExtraColumns(const IngestRequest& request, const contract::Contract& contract,
                                                  store::ObjectStore& input, int64_t max_record_bytes, const std::string& scratch_dir);

}  // namespace sluice::ingest
