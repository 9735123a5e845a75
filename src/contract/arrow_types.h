#pragma once
// contract types ↔ Arrow types (design section 4).
#include <memory>

#include "contract/type.h"

namespace arrow {
class DataType;
class Field;
class Schema;
}  // namespace arrow

namespace sluice::contract {

// Exactly the table of design section 4: int8 … int64, float32/64, decimal128, utf8, binary, date32, timestamp[us, UTC],
// timestamp[us], struct, list<element>, map<key, value>.
std::shared_ptr<arrow::DataType> ToArrow(const DataType& type);
std::shared_ptr<arrow::Field> ToArrow(const Field& field);  // metadata is left out
std::shared_ptr<arrow::Schema> ToArrow(const Schema& schema);

// What an Arrow type from outside becomes: also large and view layouts, dictionaries (their values' type), unsigned integers
// (the next signed; uint64 → decimal(20,0)), half floats, smaller decimals, timestamps in seconds and milliseconds, UUIDs (string); other
// extension types as what stores them. The data must then be cast to ToArrow of the result. Errors: "untyped-null"; "unsupported-type"
// (nanoseconds, time, interval, decimal256, …).
Result<DataType> FromArrow(const arrow::DataType& type);
bool IsUuid(const arrow::DataType& type);  // the extension type "arrow.uuid"
// Errors name the column.
Result<Schema> FromArrow(const arrow::Schema& schema);

}  // namespace sluice::contract
