#pragma once
// Partition columns: generated ones, their values as text, and the folders named for them.
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

// Units of generated partition columns: calendar year, month, day, hour in UTC.
enum class DateUnit { kYear, kMonth, kDay, kHour };

// A column computed from another: date_format(source, 'yyyy-MM'), a string.
struct Generated {
  std::string source;
  DateUnit unit = DateUnit::kMonth;
};
// nullopt: the field is no generated column. kUnsupported "unsupported-feature" for an expression that Sluice cannot compute.
Result<std::optional<Generated>> GeneratedOf(const contract::Field& field);

// "month(order_date)" → the generated column order_date_month with its expression; plain columns pass. `schema` gains the
// generated column at its end. Errors: "unknown-column", "bad-partition" (month of a string, a nested column, all columns, …).
Result<std::vector<std::string>> ResolvePartitioning(const std::vector<std::string>& partition_by, contract::Schema* schema);

// The unit's number since 1970 that an instant lies in: years, months, days or hours. Text as date_format gives it.
int64_t UnitOfMicros(DateUnit unit, int64_t micros);
int64_t UnitOfDays(DateUnit unit, int32_t days);
std::string UnitText(DateUnit unit, int64_t number);

// The protocol's text of a value (PROTOCOL.md, "Partition Value Serialization"); nullopt for NULL and for the empty string, which
// Delta cannot tell apart. Error "bad-partition": binary that is no UTF-8.
Result<std::optional<std::string>> PartitionTextAt(const arrow::Array& array, int64_t row);

// "country=DE/order_date_month=2024-01", escaped as Hive and Spark do; NULL is __HIVE_DEFAULT_PARTITION__. "" without columns.
std::string PartitionFolder(const std::vector<std::string>& columns, const delta::PartitionValues& values);

// A decimal's digits with its point; never an exponent.
std::string DecimalText(const std::string& unscaled_digits, int scale);

}  // namespace sluice::tables
