#pragma once
// strptime-like formats of dates and timestamps, compiled once. Every byte of the text must be accounted for.
#include <string>
#include <string_view>
#include <vector>

#include "contract/decode.h"
#include "core/result.h"

namespace sluice::contract {

// %Y (4 digits) %m %d %e %H %I %M %S (1 or 2 digits) %f (1 to 9 digits of a second) %p %b %B %h (English) %a %A (must fit the
// date) %j %z (Z, ±hh, ±hhmm, ±hh:mm) %Z (UTC, GMT, Z) %s (seconds since 1970) %F %T %R %%. All else stands for itself.
class TimeFormat {
 public:
  // Errors: kUser "bad-format": unknown directives; %y and %D, for two digits do not say which century; no year.
  static Result<TimeFormat> Compile(std::string_view format);
  Decoded Parse(std::string_view text, TimeText* out) const;
  const std::string& text() const { return text_; }

 private:
  struct Part {
    char directive;  // '\0': a literal byte
    char literal;
  };
  std::string text_;
  std::vector<Part> parts_;
};

}  // namespace sluice::contract
