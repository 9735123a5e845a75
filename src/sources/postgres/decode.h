#pragma once
// PostgreSQL's binary form of values → Arrow arrays. Pure: no server is needed.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sources/postgres/types.h"

namespace arrow {
class Array;
}

namespace sluice::sources::postgres {

struct Value {
  const char* data = nullptr;
  int32_t size = -1;  // -1: NULL
};

// A value that has no place in an array of the column's type: it is NULL there.
struct Unfit {
  int64_t row = 0;
  std::string json;  // the value
  std::string why;
};

// The values of one column, in the narrowest Arrow type that holds them all: that of ContractTypeOf, or, where one of them has none there
// (infinity, NaN in a decimal, a year beyond 9999), texts. Bytes of texts are not checked for being UTF-8. `unfit` gets lists of lists.
// Error kUnsupported "postgres-protocol": a value has not the form that its type has.
Result<std::shared_ptr<arrow::Array>> DecodeValues(const WireType& type, std::span<const Value> values, std::vector<Unfit>* unfit);

// The exact text of a numeric.
Result<std::string> NumericText(Value value);

// Rows of COPY's binary format, one behind the other: values by column, then by row. `bytes` begins at a row; the trailer ends them.
struct CopyRows {
  size_t rows = 0, columns = 0;
  std::vector<Value> values;  // columns × rows
  std::span<const Value> column(size_t i) const { return std::span(values).subspan(i * rows, rows); }
};
// Error "postgres-protocol": it is broken, or a row has another number of columns.
Result<CopyRows> SplitCopyRows(std::string_view bytes, size_t columns);

// A row, the bytes from `at` on, without its values above `most` bytes: they are NULL in it. Gives how long it was.
Result<size_t> ShortenRow(std::string* bytes, size_t at, size_t most);

// Each value of a column of transactions (xid), once for a run of equal ones. Error "postgres-protocol".
Status ForEachTransaction(std::span<const Value> values, const std::function<void(uint32_t)>& visit);

// What stands before the first row: how many bytes it takes. Error "postgres-protocol".
Result<size_t> CopyHeaderSize(std::string_view bytes);

}  // namespace sluice::sources::postgres
