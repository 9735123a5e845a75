#pragma once
// An Avro schema, and the Arrow type that its values become. Pure.
//
// Logical types: decimal, date, time-*, timestamp-*, local-timestamp-*, uuid. A union with null is the other type, nullable; one of int
// and long is long, of float and double double; any other is a struct of its branches (member0, member1, …), of which one is not NULL.
// An enumeration is its symbols' text.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace arrow {
class DataType;
}

namespace sluice::formats {

struct AvroType {
  enum class Kind { kNull, kBoolean, kInt, kLong, kFloat, kDouble, kBytes, kString, kRecord, kEnum, kArray, kMap, kUnion, kFixed };
  Kind kind = Kind::kNull;
  std::shared_ptr<arrow::DataType> arrow;
  std::vector<AvroType> children;  // record: fields; array, map: the items; union: the branches
  std::vector<std::string> names;  // record: of the fields; enum: the symbols
  int64_t size = 0;                // fixed
  bool decimal = false;
  int precision = 0, scale = 0;
  bool members = false;  // union: a struct of its branches
  int64_t nodes = 1;     // of the type written out: a named type counts where it is used
  int levels = 1;
};

// Errors: kData "corrupt-file", kUnsupported "unsupported-avro"; their messages say what of the schema is wrong.
Result<AvroType> ParseAvroSchema(std::string_view json);

}  // namespace sluice::formats
