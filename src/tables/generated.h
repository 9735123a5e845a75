#pragma once
// Generated columns (delta.generationExpression): the expressions by which Delta tables are partitioned, computed as Spark does with
// its session in UTC. They are kept as Spark's SQL, as its user typed them: parsed, never compared as text.
//
// An expression reads one column: the column itself; CAST to date, timestamp, timestamp_ntz, a wider integer, or string (of integers,
// dates, booleans); year, month, day, dayofmonth, hour; date_format with fixed fields; date_trunc, trunc; substring, substr. Nested as one
// likes.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contract/type.h"

namespace arrow {
class Array;
class RecordBatch;
}  // namespace arrow

namespace sluice::tables {

enum class TimeUnit { kYear, kQuarter, kMonth, kWeek, kDay, kHour, kMinute, kSecond, kMillisecond, kMicrosecond };

// A text of date_format: fields of fixed width, and what stands between them.
struct TimePattern {
  struct Part {
    char field = 0;  // y M d H m s; 0: literal
    int width = 0;   // at least so many digits, with zeros before
    std::string literal;
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> parts;
  TimeUnit unit = TimeUnit::kYear;  // the finest: instants of one such unit have one text
  bool operator==(const TimePattern&) const = default;
};

// One step from the source's value to the column's. Values are numbers (integers, days since 1970, microseconds since 1970, 0 and 1), and
// from some step on texts.
struct GenerationStep {
  enum class Kind {
    kDaysOfMicros,
    kMicrosOfDays,
    kPartOfDays,    // unit: year, month or day
    kHourOfMicros,  // 0 … 23
    kTruncateDays,  // to the beginning of the unit
    kTruncateMicros,
    kFormatMicros,  // number → text, as all of the following
    kIntegerText,
    kDateText,
    kBooleanText,
    kSubstring,  // text → text
  };
  Kind kind = Kind::kDaysOfMicros;
  TimeUnit unit = TimeUnit::kYear;
  TimePattern pattern;
  int64_t begin = 0, length = 0;  // of kSubstring, in characters, begin as in SQL: from 1, from the end where negative
  bool operator==(const GenerationStep&) const = default;
};

struct Generated {
  std::string column, source;  // as the schema spells them
  std::string expression;      // Spark's SQL
  contract::DataType type, source_type;
  std::vector<GenerationStep> numbers;  // number → number
  std::vector<GenerationStep> texts;    // then to text
  bool is_copy() const { return numbers.empty() && texts.empty(); }
};

bool IsGenerated(const contract::Field& field);
// nullopt: the field is no generated column. `schema`: of the table. Errors: kUnsupported "unsupported-feature" naming column and
// expression where Sluice cannot compute it.
Result<std::optional<Generated>> GeneratedOf(const contract::Field& field, const contract::Schema& schema);

// What comes of a source's number before it becomes text; what comes of a text. Pure.
int64_t GeneratedNumber(const Generated& generated, int64_t number);
std::string GeneratedText(const Generated& generated, int64_t number);  // `number`: GeneratedNumber's. Requires texts
std::string GeneratedText(const Generated& generated, std::string_view text);
// Does a larger source value never give a smaller one here? For texts: in the order of their bytes, in years 1 to 9999.
bool IsMonotone(const Generated& generated);
// Does the result depend on the zone of the session that computed it? Other writers may have had another than UTC.
bool DependsOnZone(const Generated& generated);

// The column's values for these of its source, NULL for NULL.
Result<std::shared_ptr<arrow::Array>> Generate(const Generated& generated, const arrow::Array& source);

// Are the values that a batch brings those that the expression gives? Both columns have their types. `empty_is_null`: of a partition
// column, which cannot hold the empty text. Error: kData "generated-value" naming column, value, the source's, and how many rows differ.
Status CheckGenerated(const Generated& generated, const arrow::Array& source, const arrow::Array& given, bool empty_is_null);

}  // namespace sluice::tables
