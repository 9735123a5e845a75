#include "sources/scratch_records.h"

#include <utility>

#include "formats/ndjson.h"
#include "sources/profile.h"

namespace sluice::sources {

Result<ScratchRecords> ScratchRecords::Make(const std::string& scratch, const std::string& kind, std::string name) {
  ScratchRecords records;
  SLUICE_TRY(records.folder_, ScratchFolder::Make(scratch, kind));
  records.file_.object.key = "records";
  records.file_.name = std::move(name);
  return records;
}

Status ScratchRecords::Failed() const { return Fail(RetryableError("scratch-failed", path() + " cannot be written: is the disk full?")); }

Status ScratchRecords::Write(std::string_view lines) {
  if (!output_) output_.reset(std::fopen(path().c_str(), "abe"));
  if (!output_ || std::fwrite(lines.data(), 1, lines.size(), output_.get()) != lines.size()) return Failed();
  return Ok();
}

Status ScratchRecords::Close() {
  SLUICE_CHECK(Write(""));  // that there is a file
  if (std::fclose(output_.release()) != 0) return Failed();
  SLUICE_TRY(auto store, store::OpenLocalStore(folder(), false));
  SLUICE_TRY(file_.object, store->Head("records"));
  store_ = std::move(store);
  return Ok();
}

Result<std::vector<contract::Field>> ScratchRecords::Columns() const { return DetectFields(*store_, {file_}, FileFormat::kNdjson); }

Result<std::vector<contract::Field>> ScratchRecords::NewColumns(const formats::ReadRequest& request) const {
  return formats::NewNdjsonColumns(RequestOf(request));
}

Result<std::unique_ptr<formats::RecordReader>> ScratchRecords::Read(const formats::ReadRequest& request) const {
  return formats::OpenNdjson(RequestOf(request));
}

formats::ReadRequest ScratchRecords::RequestOf(formats::ReadRequest request) const {
  request.store = store_.get();
  request.key = file_.object.key;
  request.object = nullptr;
  return request;
}

}  // namespace sluice::sources
