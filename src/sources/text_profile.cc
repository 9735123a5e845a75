#include "sources/text_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>

#include "contract/decode.h"
#include "contract/decode_column.h"
#include "contract/time_format.h"
#include "core/text.h"
#include "sources/text_bits.h"
#include "sources/values.h"

namespace sluice::sources {
namespace {

using contract::DataType;
using contract::TypeKind;

constexpr size_t kMaxDistinct = 60;
constexpr size_t kMaxHashes = 2000000;
constexpr size_t kMaxShapes = 8;
constexpr size_t kSamples = 3;
constexpr size_t kLongestTyped = 48;  // longer texts are prose

struct TimeCandidate {
  std::string format;  // "": ISO 8601
  bool date = false;
  contract::TimeFormat compiled;
};

constexpr const char* kCompactDate = "%Y%m%d";  // an integer as well: only where every value is one, of our times

// ISO first: it is preferred where several fit.
std::vector<TimeCandidate> MakeTimeCandidates() {
  const std::array dates = {"%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y"};
  std::vector<TimeCandidate> all;
  all.push_back({"", true, {}});
  all.push_back({"", false, {}});
  const auto add = [&](const std::string& format, bool date) {
    if (auto compiled = contract::TimeFormat::Compile(format)) all.push_back({format, date, std::move(*compiled)});
  };
  for (const char* date : dates) add(date, true);
  for (const char* date : {kCompactDate, "%d %B %Y", "%B %d, %Y"}) add(date, true);
  add("%Y%m%d%H%M%S", false);
  for (const char* date : dates)
    for (const char* time : {" %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p"}) add(std::string(date) + time, false);
  return all;
}

const std::vector<TimeCandidate>& TimeCandidates() {
  static const auto* all = new std::vector<TimeCandidate>(MakeTimeCandidates());
  return *all;
}

uint64_t TimeBit(size_t candidate) { return 1ULL << (kFirstTime + candidate); }

bool IsOfOurTimes(std::string_view digits) { return digits.starts_with("19") || digits.starts_with("20"); }

uint64_t TimeBits(std::string_view text, int64_t* zoned) {
  if (text.size() < 8 || std::count_if(text.begin(), text.end(), IsDigit) < 5) return 0;
  uint64_t bits = 0;
  for (size_t i = 0; i < TimeCandidates().size(); ++i) {
    const TimeCandidate& candidate = TimeCandidates()[i];
    contract::TimeText time;
    int32_t days = 0;
    bool fits = false;
    if (!candidate.format.empty())
      fits = candidate.compiled.Parse(text, &time) == contract::Decoded::kOk &&
             (!candidate.format.starts_with(kCompactDate) || IsOfOurTimes(text));
    else if (candidate.date)
      fits = contract::DecodeIsoDate(text, &days) == contract::Decoded::kOk;
    else
      fits = contract::DecodeIsoTime(text, &time) == contract::Decoded::kOk;
    if (fits) bits |= TimeBit(i);
    if (fits && candidate.format.empty() && !candidate.date && time.has_zone) ++*zoned;
  }
  return bits;
}

// The same with day and month the other way round; itself where that is no form that people use.
std::string TwinOf(std::string format) {
  for (const char* begin : {"%d/%m", "%d-%m", "%m/%d", "%m-%d"})
    if (format.starts_with(begin)) return std::swap(format[1], format[4]), format;
  return format;
}

uint64_t CompactDateBit() {
  for (size_t i = 0; i < TimeCandidates().size(); ++i)
    if (TimeCandidates()[i].format == kCompactDate) return TimeBit(i);
  return 0;
}

bool IsBooleanWord(std::string_view text) {
  for (const char* word : {"true", "false", "yes", "no", "t", "f", "y", "n"})
    if (EqualsIgnoreCase(text, word)) return true;
  return false;
}

bool IsNullWord(std::string_view text) {
  for (const char* word : {"null", "n/a", "na", "none", "nan", "\\n", "-", "--", "?", "#n/a", "nil"})
    if (EqualsIgnoreCase(text, word)) return true;
  return false;
}

}  // namespace

void TextProfile::Add(std::string_view text, const std::function<ValuePlace()>& place) {
  if (IsNullWord(text)) {
    ++null_words_[std::string(text)];
    ++nulls_;
    return;
  }
  ++values_;
  emails_ += LooksLikeEmail(text);
  if (hashes_.size() < kMaxHashes) hashes_.insert(Hash64(text));
  if (!many_) {
    ++distinct_[std::string(text.substr(0, kLongestTyped))];
    many_ = distinct_.size() > kMaxDistinct || text.size() > kLongestTyped;
    if (many_) distinct_.clear();
  }
  AddShape(text);
  uint64_t bits = 0;
  int64_t integer = 0;
  double real = 0;
  if (!text.empty() && text.size() <= kLongestTyped) {
    if (IsBooleanWord(text)) bits |= kBoolean;
    const size_t digits = static_cast<size_t>(std::count_if(text.begin(), text.end(), IsDigit));
    contract::Int128 decimal = 0;
    const bool plain = contract::DecodeDecimal(text, 38, 18, &decimal) == contract::Decoded::kOk;
    if (plain) {
      bits |= kDecimal;
      leading_zero_ |= HasLeadingZero(text);
      negative_ |= decimal < 0;
      const size_t dot = text.find('.');
      if (dot != std::string_view::npos) scale_ = std::max(scale_, static_cast<int>(text.size() - dot - 1));
      whole_digits_ = std::max(whole_digits_, static_cast<int>(digits - (dot == std::string_view::npos ? 0 : text.size() - dot - 1)));
    }
    if (plain && contract::DecodeInteger(text, INT64_MIN, INT64_MAX, &integer) == contract::Decoded::kOk) bits |= kInteger;
    if (digits > 0 && contract::DecodeDouble(text, &real) == contract::Decoded::kOk) bits |= kDouble;
    if (digits > 0) bits |= AddStyles(text);
    bits |= TimeBits(text, &zoned_);
  }
  Group& group = groups_[bits];
  ++group.count;
  if (group.first.size() < kSamples) group.first.push_back({place ? place() : ValuePlace{}, "", contract::CutValue(text), ""});
}

// Letters and then digits to the end, as codes have: "ORD0001234".
void TextProfile::AddShape(std::string_view text) {
  const size_t digits = std::min(text.find_first_of("0123456789"), text.size());
  const std::string_view prefix = text.substr(0, digits);
  const bool code =
      !prefix.empty() && prefix.size() <= 12 && digits < text.size() &&
      std::all_of(
          prefix.begin(), prefix.end(), [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; }) &&
      std::all_of(text.begin() + static_cast<int64_t>(digits), text.end(), IsDigit);
  if (!code || (shapes_.size() >= kMaxShapes && !shapes_.contains(std::string(prefix)))) return;
  Shape& shape = shapes_[std::string(prefix)];
  const size_t length = text.size() - digits;
  shape.min_digits = shape.count == 0 ? length : std::min(shape.min_digits, length);
  shape.max_digits = std::max(shape.max_digits, length);
  ++shape.count;
}

std::string TextProfile::Pattern(double tolerance) const {
  for (const auto& [prefix, shape] : shapes_) {
    if (values_ < 20 || static_cast<double>(shape.count) < (1 - tolerance) * static_cast<double>(values_)) continue;
    return shape.min_digits == shape.max_digits ? fmt::format("{}[0-9]{{{}}}", prefix, shape.min_digits) : prefix + "[0-9]+";
  }
  return "";
}

int64_t TextProfile::Fitting(uint64_t candidates) const {
  int64_t count = 0;
  for (const auto& [bits, group] : groups_)
    if (bits & candidates) count += group.count;
  return count;
}

TextProfile::Votes TextProfile::VotesFor(uint64_t chosen, uint64_t rival) const {
  Votes votes;
  for (const auto& [bits, group] : groups_) {
    if ((bits & chosen) == 0) continue;
    if ((bits & rival) == 0)
      votes.deciding += group.count;
    else if ((bits & kInteger) == 0)
      votes.either += group.count;
  }
  return votes;
}

// 01/02/2024: where the format with day and month the other way round fits as well, or all but a few values.
void TextProfile::DoubtOrder(size_t chosen, InferredType* result) const {
  const std::string& format = TimeCandidates()[chosen].format;
  const std::string twin = TwinOf(format);
  for (size_t t = 0; twin != format && t < TimeCandidates().size(); ++t) {
    if (TimeCandidates()[t].format != twin) continue;
    const Votes votes = VotesFor(TimeBit(chosen), TimeBit(t));
    if (!votes.few()) continue;
    result->unsure = true;
    result->doubt = "CHECK: day and month could be the other way round";
    if (votes.deciding > 0) result->doubt += fmt::format(": only {} of {} values tell", votes.deciding, votes.deciding + votes.either);
  }
}

// The fewest time formats that together fit the most values: at each step the one that adds most.
std::vector<int> TextProfile::CoverTimes(bool dates, bool formats) const {
  std::vector<int> chosen;
  uint64_t covered = 0;
  while (chosen.size() < 3) {
    int best = -1;
    int64_t most = Fitting(covered);
    const int64_t before = most;
    for (size_t i = 0; i < TimeCandidates().size(); ++i) {
      const TimeCandidate& candidate = TimeCandidates()[i];
      if (candidate.date != dates || (!formats && !candidate.format.empty()) || candidate.format == kCompactDate) continue;
      // Day and month both ways in one column: each value up to the 12th would be read in either.
      const bool turned = std::any_of(chosen.begin(), chosen.end(), [&](int c) {
        return !candidate.format.empty() && TimeCandidates()[static_cast<size_t>(c)].format == TwinOf(candidate.format);
      });
      if (turned) continue;
      const int64_t fitting = Fitting(covered | TimeBit(i));
      if (fitting > most) {
        most = fitting;
        best = static_cast<int>(i);
      }
    }
    // A further format must explain more than a few slips.
    if (best < 0 || (!chosen.empty() && (most - before) * 100 < values_)) break;
    chosen.push_back(best);
    covered |= TimeBit(static_cast<size_t>(best));
  }
  return chosen;
}

InferredType TextProfile::Infer(const InferOptions& options) const {
  InferredType result{DataType::Of(TypeKind::kString), {}};
  if (values_ == 0) return result;
  const auto allowed = static_cast<int64_t>(options.tolerance * static_cast<double>(values_));
  const auto enough = [&](uint64_t bits) { return bits != 0 && Fitting(bits) >= values_ - allowed; };
  if (enough(kBoolean)) return {DataType::Of(TypeKind::kBoolean), {}};
  if (options.formats && Fitting(CompactDateBit()) == values_) {
    result.type = DataType::Of(TypeKind::kDate);
    result.formats = {kCompactDate};
    result.doubt = "CHECK: numbers of eight digits that are all dates";
    return result;
  }
  if (options.formats && InferStyle(allowed, &result)) return result;
  if (!leading_zero_ && enough(kInteger)) return {DataType::Of(TypeKind::kBigint), {}};
  if (!leading_zero_ && enough(kDecimal) && scale_ <= 8 && whole_digits_ + scale_ <= 30) {
    result.type = DataType::Decimal(std::clamp(whole_digits_ + scale_ + 4, 12, 38), std::max(scale_, 0));
    result.unsure = styles_[0].grouped && !styles_[0].fraction && VotesFor(kDecimal, StyleBit(0)).few();
    if (result.unsure) result.doubt = "CHECK: if 1.234 is a thousand and more here: type bigint, decimal: \",\", thousands: \".\"";
    return result;
  }
  if (!leading_zero_ && enough(kDouble)) return {DataType::Of(TypeKind::kDouble), {}};
  for (const bool dates : {true, false}) {
    uint64_t bits = 0;
    const std::vector<int> chosen = CoverTimes(dates, options.formats);
    bool iso = false;
    for (const int i : chosen) {
      bits |= TimeBit(static_cast<size_t>(i));
      iso |= TimeCandidates()[static_cast<size_t>(i)].format.empty();
    }
    if (!enough(bits)) continue;
    result.type = DataType::Of(dates ? TypeKind::kDate : TypeKind::kTimestamp);
    result.without_zone = !dates && zoned_ < values_ - allowed;
    if (chosen.size() == 1 && iso) return result;
    for (const int i : chosen) {
      std::string format = TimeCandidates()[static_cast<size_t>(i)].format;
      // Beside other formats ISO is spelt out; a time of day with fractions or a zone would need one more.
      if (format.empty()) format = dates ? "%Y-%m-%d" : "%Y-%m-%d %H:%M:%S";
      result.formats.push_back(format);
      DoubtOrder(static_cast<size_t>(i), &result);
    }
    return result;
  }
  return result;
}

int64_t TextProfile::CountMisfits(const InferredType& type, const std::string& column, std::vector<Misfit>* samples) const {
  uint64_t fits = 0;
  switch (type.type.kind) {
    case TypeKind::kBoolean:
      fits = kBoolean;
      break;
    case TypeKind::kBigint:
    case TypeKind::kDecimal:
      fits = type.type.kind == TypeKind::kBigint ? kInteger : kDecimal;
      if (const auto style = StyleIndex(type.numbers)) fits = StyleBit(*style);
      break;
    case TypeKind::kDouble:
      fits = kDouble;
      break;
    case TypeKind::kDate:
    case TypeKind::kTimestamp:
      for (size_t i = 0; i < TimeCandidates().size(); ++i) {
        const TimeCandidate& candidate = TimeCandidates()[i];
        if (candidate.date != (type.type.kind == TypeKind::kDate)) continue;
        const std::string iso = candidate.date ? "%Y-%m-%d" : "%Y-%m-%d %H:%M:%S";
        const std::string spelt = candidate.format.empty() && !type.formats.empty() ? iso : candidate.format;
        const bool chosen = type.formats.empty() ? candidate.format.empty()
                                                 : std::find(type.formats.begin(), type.formats.end(), spelt) != type.formats.end();
        if (chosen) fits |= TimeBit(i);
      }
      break;
    default:
      return 0;
  }
  int64_t count = 0;
  for (const auto& [bits, group] : groups_) {
    if (bits & fits) continue;
    count += group.count;
    for (const Misfit& misfit : group.first) {
      if (samples->size() >= kSamples) break;
      samples->push_back(misfit);
      samples->back().column = column;
      samples->back().why = contract::DecodeMessage(type.type, contract::Decoded::kSyntax);
    }
  }
  return count;
}

}  // namespace sluice::sources
