#pragma once
// Arrow arrays of whatever type a file has → the contract's type, only where nothing is lost.
#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "formats/field_shape.h"

namespace arrow {
class Array;
}

namespace sluice::formats {

// Told of each value that cannot be kept: its index in the array given, the path below the column (".lines[1].qty", "" for the column
// itself), rule ("type", "encoding", "new_column"), text and why. The value is NULL in the result.
using RefuseValue = std::function<void(int64_t index, const std::string& path, const char* rule, std::string value, std::string message)>;

// An array of ToArrow(shape.type), as long as `array`.
Result<std::shared_ptr<arrow::Array>> ConvertArray(const std::shared_ptr<arrow::Array>& array, const FieldShape& shape,
                                                   const RefuseValue& refuse);

}  // namespace sluice::formats
