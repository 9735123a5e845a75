#pragma once
// Partition columns: those that the project asks for, their values as text, and the folders named for them.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contract/type.h"
#include "delta/actions.h"

namespace arrow {
class Array;
}

namespace sluice::tables {

// "month(order_date)" → the generated column order_date_month with its expression date_format(order_date, 'yyyy-MM'); plain
// columns pass. `schema` gains the generated column at its end, unless it has one that computes the same. Errors: "unknown-column",
// "bad-partition" (month of a string, a nested column, all columns, …).
Result<std::vector<std::string>> ResolvePartitioning(const std::vector<std::string>& partition_by, contract::Schema* schema);

// The protocol's text of a value (PROTOCOL.md, "Partition Value Serialization"); nullopt for NULL and for the empty string, which
// Delta cannot tell apart. Error "bad-partition": binary that is no UTF-8.
Result<std::optional<std::string>> PartitionTextAt(const arrow::Array& array, int64_t row);

// "country=DE/order_date_month=2024-01", NULL is __HIVE_DEFAULT_PARTITION__; "" without columns. All
// but letters, digits and -_.~ is percent-encoded: other writers spell the rest of a path in the log in ways of their own, and then do not
// know the file again (delta-rs what is not ASCII, when it removes a file; Spark all else, in VACUUM).
std::string PartitionFolder(const std::vector<std::string>& columns, const delta::PartitionValues& values);

// A decimal's digits with its point; never an exponent.
std::string DecimalText(const std::string& unscaled_digits, int scale);

}  // namespace sluice::tables
