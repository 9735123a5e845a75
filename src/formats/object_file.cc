#include "formats/object_file.h"

#include <arrow/buffer.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace sluice::formats {
namespace {

constexpr const char* kStoreError = "sluice::StoreError";

class StoreError : public arrow::StatusDetail {
 public:
  explicit StoreError(Error error) : error_(std::move(error)) {}
  const char* type_id() const override { return kStoreError; }
  std::string ToString() const override { return error_.code; }
  const Error& error() const { return error_; }

 private:
  Error error_;
};

class ObjectFile : public arrow::io::RandomAccessFile {
 public:
  ObjectFile(store::ObjectStore& store, store::ObjectMeta object) : store_(store), object_(std::move(object)) {}

  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return at_; }
  arrow::Result<int64_t> GetSize() override { return object_.size; }
  arrow::Status Seek(int64_t position) override {
    at_ = position;
    return arrow::Status::OK();
  }

  arrow::Result<int64_t> ReadAt(int64_t position, int64_t bytes, void* out) override {
    bytes = std::min(bytes, object_.size - position);
    if (position < 0 || bytes <= 0) return 0;
    const auto read = store_.ReadRange(object_.key, position, {static_cast<char*>(out), static_cast<size_t>(bytes)});
    if (!read) return arrow::Status::IOError(read.error().message).WithDetail(std::make_shared<StoreError>(read.error()));
    return static_cast<int64_t>(*read);
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t bytes) override {
    const int64_t there = std::clamp<int64_t>(object_.size - position, 0, bytes);
    ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(there));
    ARROW_ASSIGN_OR_RAISE(const int64_t read, ReadAt(position, there, buffer->mutable_data()));
    ARROW_RETURN_NOT_OK(buffer->Resize(read));
    return buffer;
  }
  arrow::Result<int64_t> Read(int64_t bytes, void* out) override {
    ARROW_ASSIGN_OR_RAISE(const int64_t n, ReadAt(at_, bytes, out));
    at_ += n;
    return n;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t bytes) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(at_, bytes));
    at_ += buffer->size();
    return buffer;
  }

 private:
  store::ObjectStore& store_;
  store::ObjectMeta object_;
  int64_t at_ = 0;
  bool closed_ = false;
};

}  // namespace

std::shared_ptr<arrow::io::RandomAccessFile> OpenObjectFile(store::ObjectStore& store, store::ObjectMeta object) {
  return std::make_shared<ObjectFile>(store, std::move(object));
}

std::optional<Error> StoreErrorOf(const arrow::Status& status) {
  const auto& detail = status.detail();
  if (!detail || detail->type_id() != std::string_view(kStoreError)) return std::nullopt;
  return static_cast<const StoreError&>(*detail).error();
}

}  // namespace sluice::formats
