#pragma once
// Arrow values as JSON text that the NDJSON reader reads back as the same values: decimals with all digits, instants with Z, dates
// in ISO form, maps as objects, UUIDs in their canonical text. NaN and infinities are strings. Binary that is no UTF-8 is {"$hex": "…"},
// which no binary column accepts: such a value is never read back as another.
#include <string>

namespace arrow {
class Array;
class RecordBatch;
}  // namespace arrow

namespace sluice::formats {

std::string JsonOfValue(const arrow::Array& array, int64_t i);
std::string JsonOfRow(const arrow::RecordBatch& batch, int64_t row);

}  // namespace sluice::formats
