#pragma once
// Reading structs of a checkpoint out of Arrow arrays. A member that the file does not have reads as NULL, and text, maps and
// lists are read in each of the layouts that a file's stored Arrow schema may ask for. Only for the checkpoint's reader and writer.
#include <arrow/api.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::delta {

using ArrayPtr = std::shared_ptr<arrow::Array>;

class TextField {
 public:
  explicit TextField(ArrayPtr array);
  bool IsSet(int64_t row) const { return array_ && array_->IsValid(row); }
  std::string_view At(int64_t row) const;  // "" for NULL

 private:
  ArrayPtr array_;
  ArrayPtr dictionary_;  // where array_ holds its indices
};

class IntField {
 public:
  explicit IntField(ArrayPtr array) : array_(std::move(array)) {}
  std::optional<int64_t> At(int64_t row) const;

 private:
  ArrayPtr array_;
};

class BoolField {
 public:
  explicit BoolField(ArrayPtr array) : array_(std::move(array)) {}
  std::optional<bool> At(int64_t row) const;

 private:
  ArrayPtr array_;
};

class ListField {
 public:
  explicit ListField(ArrayPtr array);
  std::optional<std::vector<std::string>> At(int64_t row) const;

 private:
  ArrayPtr array_;
  TextField items_;
};

class MapField {
 public:
  explicit MapField(const ArrayPtr& array);
  void ForEach(int64_t row, const std::function<void(std::string_view, std::optional<std::string_view>)>& visit) const;

 private:
  std::shared_ptr<arrow::MapArray> map_;
  TextField keys_, values_;
};

class StructField {
 public:
  StructField(const arrow::RecordBatch& batch, const std::string& name);
  int64_t length() const { return array_ ? array_->length() : 0; }
  bool IsSet(int64_t row) const { return array_ && array_->IsValid(row); }

  TextField Text(const std::string& name) const { return TextField(Member(name)); }
  IntField Int(const std::string& name) const { return IntField(Member(name)); }
  BoolField Bool(const std::string& name) const { return BoolField(Member(name)); }
  ListField List(const std::string& name) const { return ListField(Member(name)); }
  MapField Map(const std::string& name) const { return MapField(Member(name)); }
  StructField Struct(const std::string& name) const { return StructField(Member(name)); }

 private:
  explicit StructField(const ArrayPtr& array);
  ArrayPtr Member(const std::string& name) const;
  std::shared_ptr<arrow::StructArray> array_;
};

}  // namespace sluice::delta
