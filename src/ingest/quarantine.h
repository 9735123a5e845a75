#pragma once
// Refused records as rows of quarantine.<source>.
//
// id           string     never changes: batch-file-row
// record       string     the raw record, or
// record_bytes binary     the same, where it is not UTF-8
// format       string     how to read the record again (JSON: format, dialect, header)
// file         string     where it came from …
// row          bigint     … the record's number in the file, from 1
// line         bigint     … its first line (0: the format has none)
// byte_offset  bigint     … in the decompressed file
// violations   list<struct<column, rule, value, message>>   why it was refused
// state        string     open | replayed | discarded | superseded (its file was read again, or a later snapshot came)
// resolved_at  timestamp, resolved_batch bigint             when and by which batch it left `open`
// and the metadata columns of bronze, of the batch that refused it
#include <memory>
#include <string>
#include <vector>

#include "contract/contract.h"
#include "core/result.h"
#include "formats/reader.h"
#include "ingest/ingest.h"

namespace arrow {
class RecordBatch;
}

namespace sluice::ingest {

struct RefusedRecord {
  std::string id;
  std::string raw;
  formats::RecordPlace place;
  std::vector<contract::Violation> violations;  // without warnings
};

// Gathers rows, of any number of files. Errors: kRetryable "out-of-memory".
class QuarantineRows {
 public:
  // `batch` outlives it.
  QuarantineRows(const BatchIdentity& batch, std::string source);
  ~QuarantineRows();
  QuarantineRows(QuarantineRows&&) noexcept;

  Status Add(const RefusedRecord& record, const std::string& file, const std::string& format);
  int64_t rows() const { return rows_; }
  int64_t bytes() const { return bytes_; }  // of their records
  // All that were added, which may be none; then it is empty.
  Result<std::shared_ptr<arrow::RecordBatch>> Take();

 private:
  class Builder;
  std::unique_ptr<Builder> builder_;
  const BatchIdentity& batch_;
  std::string source_;
  int64_t rows_ = 0, bytes_ = 0;
};

std::string QuarantineId(const BatchIdentity& batch, size_t file, int64_t row);

// JSON of how a raw record of this file is to be read; what Replay takes back.
std::string RecordFormat(sources::FileFormat format, const formats::FormatOptions& options, const formats::CsvDialect& dialect,
                         const std::vector<std::string>& header);

}  // namespace sluice::ingest
