#include "contract/time_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text.h"
#include "core/time.h"

namespace sluice::contract {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"january", "february", "march",     "april",   "may",      "june",
                                                      "july",    "august",   "september", "october", "november", "december"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

// Counts since 1970 that are a format of their own: "epoch_ms" is one part, whose directive no format can spell with a %.
struct Epoch {
  std::string_view name;
  char directive;
  int64_t micros;  // of one unit
};
constexpr std::array<Epoch, 3> kEpochs = {{{"epoch_s", '\1', 1'000'000}, {"epoch_ms", '\2', 1'000}, {"epoch_us", '\3', 1}}};
// Of the years 1 to 9999, as all timestamps.
constexpr int64_t kFirstMicros = DaysFromCivil(1, 1, 1) * 86'400'000'000LL, kEndMicros = DaysFromCivil(10'000, 1, 1) * 86'400'000'000LL;

// What has been read so far; -1: not said.
struct Fields {
  int year = -1, month = -1, day = -1, day_of_year = -1, weekday = -1;
  int hour = 0, hour12 = -1, minute = 0, second = 0, pm = -1;
  int64_t micros = 0;
  bool has_epoch = false;
  int64_t epoch = 0;
  bool has_zone = false;
  int32_t offset = 0;
};

class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}
  bool done() const { return rest_.empty(); }
  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Between `least` and `most` digits, greedily; -1 if they are not there.
  int Number(size_t least, size_t most) {
    size_t n = 0;
    int value = 0;
    for (; n < most && n < rest_.size() && rest_[n] >= '0' && rest_[n] <= '9'; ++n) value = value * 10 + (rest_[n] - '0');
    if (n < least) return -1;
    rest_.remove_prefix(n);
    return value;
  }
  size_t DigitsAhead() const {
    size_t n = 0;
    while (n < rest_.size() && rest_[n] >= '0' && rest_[n] <= '9') ++n;
    return n;
  }
  // The index of the name that stands here, in full or, where allowed, its first three letters.
  template <size_t N>
  int Name(const std::array<std::string_view, N>& names) {
    for (const bool whole : {true, false}) {
      for (size_t i = 0; i < N; ++i) {
        const std::string_view name = whole ? names[i] : names[i].substr(0, 3);
        if (rest_.size() < name.size() || !EqualsIgnoreCase(rest_.substr(0, name.size()), name)) continue;
        rest_.remove_prefix(name.size());
        return static_cast<int>(i);
      }
    }
    return -1;
  }
  bool Word(std::string_view word) {
    if (rest_.size() < word.size() || !EqualsIgnoreCase(rest_.substr(0, word.size()), word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::string_view rest() const { return rest_; }
  void Skip(size_t n) { rest_.remove_prefix(n); }

 private:
  std::string_view rest_;
};

Decoded TakeFraction(Cursor& text, int64_t* micros) {
  const size_t digits = text.DigitsAhead();
  if (digits == 0 || digits > 9) return Decoded::kSyntax;
  int64_t nanos = text.Number(digits, digits);
  for (size_t i = digits; i < 9; ++i) nanos *= 10;
  if (nanos % 1000 != 0) return Decoded::kInexact;
  *micros = nanos / 1000;
  return Decoded::kOk;
}

bool TakeOffset(Cursor& text, int32_t* offset) {
  if (text.Take('Z') || text.Take('z')) return *offset = 0, true;
  const bool negative = !text.rest().empty() && text.rest().front() == '-';
  if (!text.Take('-') && !text.Take('+')) return false;
  const int hours = text.Number(2, 2);
  const bool colon = text.Take(':');
  const int minutes = colon || text.DigitsAhead() >= 2 ? text.Number(2, 2) : 0;
  if (hours < 0 || hours > 18 || minutes < 0 || minutes > 59) return false;
  *offset = (hours * 3600 + minutes * 60) * (negative ? -1 : 1);
  return true;
}

bool TakeEpoch(Cursor& text, int64_t* seconds) {
  const bool negative = text.Take('-');
  const size_t digits = text.DigitsAhead();
  if (digits == 0 || digits > 12) return false;
  int64_t value = 0;
  for (size_t i = 0; i < digits; ++i) value = value * 10 + text.Number(1, 1);
  *seconds = negative ? -value : value;
  return true;
}

Decoded TakeDirective(char directive, Cursor& text, Fields& f) {
  const auto in = [](int value, int low, int high) { return value >= low && value <= high ? Decoded::kOk : Decoded::kSyntax; };
  switch (directive) {
    case 'Y':
      return in(f.year = text.Number(4, 4), 1, 9999);
    case 'm':
      return in(f.month = text.Number(1, 2), 1, 12);
    case 'e':
      text.Take(' ');
      [[fallthrough]];
    case 'd':
      return in(f.day = text.Number(1, 2), 1, 31);
    case 'j':
      return in(f.day_of_year = text.Number(1, 3), 1, 366);
    case 'H':
      return in(f.hour = text.Number(1, 2), 0, 23);
    case 'I':
      return in(f.hour12 = text.Number(1, 2), 1, 12);
    case 'M':
      return in(f.minute = text.Number(1, 2), 0, 59);
    case 'S':
      return in(f.second = text.Number(1, 2), 0, 59);
    case 'f':
      return TakeFraction(text, &f.micros);
    case 'b':
    case 'B':
    case 'h':
      return in(f.month = text.Name(kMonths) + 1, 1, 12);
    case 'a':
    case 'A':
      return in(f.weekday = text.Name(kWeekdays), 0, 6);
    case 'p':
      f.pm = text.Word("pm") ? 1 : text.Word("am") ? 0 : -1;
      return in(f.pm, 0, 1);
    case 'z':
      return (f.has_zone = TakeOffset(text, &f.offset)) ? Decoded::kOk : Decoded::kSyntax;
    case 'Z':
      return (f.has_zone = text.Word("UTC") || text.Word("GMT") || text.Word("Z")) ? Decoded::kOk : Decoded::kSyntax;
    case 's':
      return (f.has_epoch = TakeEpoch(text, &f.epoch)) ? Decoded::kOk : Decoded::kSyntax;
    default:
      return Decoded::kSyntax;
  }
}

// A whole number and nothing else: no fraction, exponent or plus sign.
Decoded ParseEpoch(const Epoch& epoch, std::string_view text, TimeText* out) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty()) return Decoded::kSyntax;
  if (error != std::errc() || value < kFirstMicros / epoch.micros || value >= kEndMicros / epoch.micros) return Decoded::kRange;
  *out = {};
  out->local_micros = value * epoch.micros;
  out->has_zone = true;
  return Decoded::kOk;
}

Decoded Assemble(const Fields& f, TimeText* out) {
  TimeText time;
  if (f.has_epoch) {
    time.local_micros = f.epoch * 1000000 + f.micros;
    time.has_zone = true;
    *out = time;
    return Decoded::kOk;
  }
  int32_t days = 0;
  if (f.day_of_year > 0) {
    days = DaysFromCivil(f.year, 1, 1) + f.day_of_year - 1;
    if (CivilFromDays(days).year != f.year) return Decoded::kNoSuchDay;
  } else {
    if (!IsValidDate(f.year, static_cast<unsigned>(f.month), static_cast<unsigned>(f.day))) return Decoded::kNoSuchDay;
    days = DaysFromCivil(f.year, static_cast<unsigned>(f.month), static_cast<unsigned>(f.day));
  }
  if (f.weekday >= 0 && ((days + 4) % 7 + 7) % 7 != f.weekday) return Decoded::kNoSuchDay;
  const int hour = f.hour12 >= 0 ? f.hour12 % 12 + (f.pm == 1 ? 12 : 0) : f.hour;
  time.local_micros = days * 86400000000LL + (hour * 3600LL + f.minute * 60 + f.second) * 1000000 + f.micros;
  time.has_zone = f.has_zone;
  time.offset_seconds = f.offset;
  *out = time;
  return Decoded::kOk;
}

// Shorthands stand for several directives.
std::string Expand(std::string_view format) {
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    if (format[i + 1] == '-' || format[i + 1] == '0') ++i;  // %-d, %0d: one or two digits are read anyway
    const char directive = i + 1 < format.size() ? format[++i] : '%';
    if (directive == 'F')
      out += "%Y-%m-%d";
    else if (directive == 'T')
      out += "%H:%M:%S";
    else if (directive == 'R')
      out += "%H:%M";
    else
      (out += '%') += directive;
  }
  return out;
}

Error BadFormat(std::string_view format, std::string_view why) {
  return UserError("bad-format", fmt::format("format \"{}\" {}", format, why));
}

}  // namespace

Result<TimeFormat> TimeFormat::Compile(std::string_view format) {
  TimeFormat compiled;
  compiled.text_ = format;
  for (const Epoch& epoch : kEpochs) {
    if (format != epoch.name) continue;
    compiled.parts_.push_back({epoch.directive, '\0'});
    return compiled;
  }
  const std::string full = Expand(format);
  std::string seen;
  for (size_t i = 0; i < full.size(); ++i) {
    if (full[i] != '%') {
      compiled.parts_.push_back({'\0', full[i]});
      continue;
    }
    if (++i == full.size()) return Fail(BadFormat(format, "ends in a lone %"));
    const char directive = full[i];
    if (directive == '%') {
      compiled.parts_.push_back({'\0', '%'});
    } else if (directive == 'y' || directive == 'D' || directive == 'x') {
      return Fail(BadFormat(format, "has a two-digit year, which does not say the century").Hint("use %Y in the files and the format"));
    } else if (std::string_view("YmdejHIMSfbBhaApzZs").find(directive) == std::string_view::npos) {
      return Fail(BadFormat(format, fmt::format("has the unknown directive %{}", directive)).Hint("docs/contracts lists the directives"));
    } else {
      compiled.parts_.push_back({directive, '\0'});
      seen += directive == 'e' ? 'd' : directive == 'b' || directive == 'B' || directive == 'h' ? 'm' : directive;
    }
  }
  const auto has = [&](char c) { return seen.find(c) != std::string::npos; };
  if (!has('s') && !(has('Y') && ((has('m') && has('d')) || has('j')))) {
    return Fail(BadFormat(format, "does not say year, month and day")
                    .Hint(seen.empty()
                              ? "formats are written as strptime takes them: \"%d/%m/%Y\"; numbers are epoch_s, epoch_ms or epoch_us"
                              : ""));
  }
  if (has('I') != has('p')) return Fail(BadFormat(format, "needs both %I and %p, or %H"));
  return compiled;
}

Decoded TimeFormat::Parse(std::string_view text, TimeText* out) const {
  for (const Epoch& epoch : kEpochs)
    if (parts_.front().directive == epoch.directive) return ParseEpoch(epoch, text, out);
  Cursor cursor(text);
  Fields fields;
  for (const Part& part : parts_) {
    if (part.directive == '\0') {
      if (!cursor.Take(part.literal)) return Decoded::kSyntax;
    } else if (const Decoded taken = TakeDirective(part.directive, cursor, fields); taken != Decoded::kOk) {
      return taken;
    }
  }
  if (!cursor.done()) return Decoded::kSyntax;
  return Assemble(fields, out);
}

}  // namespace sluice::contract
