#pragma once
// A column's text decoder: the contract's type, formats and zone compiled once.
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "contract/decode.h"
#include "contract/time_format.h"
#include "contract/zone.h"
#include "core/result.h"

namespace sluice::contract {

// Immutable; thread-safe.
class TextDecoder {
 public:
  // Of a scalar type. `zone`: for timestamps without one; "" = none. Errors: kUser "bad-format", "unknown-zone", at `where`.
  static Result<TextDecoder> Make(const DataType& type, const std::vector<std::string>& formats, std::string_view zone,
                                  const Location& where);
  // As the contract says: the column's formats; its zone and style of numbers, else the contract's.
  static Result<TextDecoder> ForColumn(const ColumnContract& column, const Contract& contract);

  const DataType& type() const { return type_; }
  // Of numbers that are not written as 1234.56: DecodeColumn brings them to that form first.
  const NumberStyle& style() const { return style_; }
  TextDecoder WithoutStyle() const;
  Decoded Date(std::string_view text, int32_t* days) const;         // kDate
  Decoded Timestamp(std::string_view text, int64_t* micros) const;  // kTimestamp (UTC), kTimestampNtz (wall clock)

 private:
  Decoded ParseTime(std::string_view text, TimeText* out) const;

  DataType type_;
  NumberStyle style_;
  std::vector<TimeFormat> formats_;
  bool has_zone_ = false;
  Zone zone_;
};

}  // namespace sluice::contract
