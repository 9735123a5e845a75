#include "formats/object_file.h"

#include <arrow/buffer.h>

#include <algorithm>
#include <cstring>
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
    ARROW_ASSIGN_OR_RAISE(const std::string range, Range(position, bytes));
    std::memcpy(out, range.data(), range.size());
    return static_cast<int64_t>(range.size());
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t bytes) override {
    ARROW_ASSIGN_OR_RAISE(std::string range, Range(position, bytes));
    return arrow::Buffer::FromString(std::move(range));
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
  arrow::Result<std::string> Range(int64_t position, int64_t bytes) {
    bytes = std::min(bytes, object_.size - position);
    if (position < 0 || bytes <= 0) return std::string();
    auto range = store_.GetRange(object_.key, position, bytes);
    if (!range) return arrow::Status::IOError(range.error().message).WithDetail(std::make_shared<StoreError>(std::move(range).error()));
    return *std::move(range);
  }

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
