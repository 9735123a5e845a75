#include "formats/unpacked.h"

#include <fmt/format.h>
#include <stdlib.h>  // mkdtemp

#include <filesystem>
#include <string_view>
#include <utility>

namespace sluice::formats {
namespace {

namespace fs = std::filesystem;

class UnpackedReader : public RecordReader {
 public:
  UnpackedReader(std::unique_ptr<Unpacked> unpacked, std::unique_ptr<RecordReader> reader)
      : unpacked_(std::move(unpacked)), reader_(std::move(reader)) {}
  Result<std::unique_ptr<RawBlock>> Next() override { return reader_->Next(); }

 private:
  std::unique_ptr<Unpacked> unpacked_;
  std::unique_ptr<RecordReader> reader_;  // goes first
};

Status Copy(ByteSource& bytes, store::ObjectWriter& writer) {
  std::string buffer(1 << 20, '\0');
  while (true) {
    SLUICE_TRY(const size_t n, bytes.Read(buffer.data(), buffer.size()));
    if (n == 0) return writer.Close();
    SLUICE_CHECK(writer.Write(std::string_view(buffer).substr(0, n)));
  }
}

}  // namespace

Unpacked::Unpacked(ReadRequest request, std::unique_ptr<store::ObjectStore> store, std::string folder)
    : request_(std::move(request)), store_(std::move(store)), folder_(std::move(folder)) {
  request_.shown = NameOf(request_);
  request_.object = nullptr;
  request_.store = store_.get();
  request_.compression = Compression::kNone;
  request_.member = {};
}

Unpacked::~Unpacked() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Result<std::unique_ptr<Unpacked>> Unpack(const ReadRequest& request) {
  SLUICE_TRY(const auto bytes, OpenBytes(request));
  std::error_code failed;
  const fs::path scratch = request.scratch_dir.empty() ? fs::temp_directory_path(failed) : fs::path(request.scratch_dir);
  std::string folder = (scratch / "sluice-unpacked-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr)
    return Fail(RetryableError("scratch", fmt::format("cannot make a folder in {} to unpack into", scratch.string())));
  SLUICE_TRY(auto store, store::OpenLocalStore(folder, false));
  auto unpacked = std::make_unique<Unpacked>(request, std::move(store), std::move(folder));
  SLUICE_TRY(const auto writer, unpacked->request().store->OpenWriter(request.key));
  SLUICE_CHECK(Copy(*bytes, *writer));
  return unpacked;
}

std::unique_ptr<RecordReader> KeepUnpacked(std::unique_ptr<Unpacked> unpacked, std::unique_ptr<RecordReader> reader) {
  return std::make_unique<UnpackedReader>(std::move(unpacked), std::move(reader));
}

}  // namespace sluice::formats
