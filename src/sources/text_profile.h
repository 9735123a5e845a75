#pragma once
// What a column's texts have in common: which types and time formats each of them fits, how many there are, which occur often.
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "contract/contract.h"
#include "contract/type.h"

namespace sluice::sources {

struct ValuePlace {
  std::string file;
  int64_t row = 0, line = 0;
};

// A value that the proposal would refuse.
struct Misfit {
  ValuePlace place;
  std::string column, value, why;
};

struct InferOptions {
  bool formats = true;      // other time formats than ISO 8601, and other numbers than 1234.56, may be proposed
  double tolerance = 0.05;  // the share of values that may be misfits
};

// The type that a column's texts are proposed to have.
struct InferredType {
  contract::DataType type;
  std::vector<std::string> formats;  // of dates and timestamps; empty: ISO 8601
  bool without_zone = false;         // a timestamp whose texts say no zone
  contract::GivenStyle numbers;      // of numbers; nothing: 1234.56
  std::string doubt;                 // what else the values could be; ""
  bool unsure = false;               // the doubt is about how the values are read: none, or few of them, tell
};

// What numbers of one style were seen to be like.
struct StyleSeen {
  int whole_digits = 0, scale = 0;
  bool fraction = false, grouped = false, leading_zero = false;
  std::string odd;  // a value that is written otherwise than 1234.56
};

class TextProfile {
 public:
  // `place` is only asked of values that may be shown.
  void Add(std::string_view text, const std::function<ValuePlace()>& place = {});
  void AddNull() { ++nulls_; }

  int64_t values() const { return values_; }
  int64_t nulls() const { return nulls_; }
  InferredType Infer(const InferOptions& options) const;
  // Values that do not fit `type`: how many, and the first of them.
  int64_t CountMisfits(const InferredType& type, const std::string& column, std::vector<Misfit>* samples) const;

  // Texts that usually mean "nothing" (NULL, N/A, \N, …) and how often.
  const std::map<std::string, int64_t>& null_words() const { return null_words_; }
  // All values with their counts; empty if there are too many, or one is long.
  const std::map<std::string, int64_t>& distinct() const { return distinct_; }
  // How many different values; exact up to two million values.
  int64_t distinct_count() const { return static_cast<int64_t>(hashes_.size()); }
  double share_of_emails() const { return values_ == 0 ? 0 : static_cast<double>(emails_) / static_cast<double>(values_); }
  // "ORD[0-9]{7}": what nearly all values look like, if letters and then digits; else "".
  std::string Pattern(double tolerance) const;
  bool any_negative() const { return negative_; }

 private:
  struct Group {  // values that fit the same candidates
    int64_t count = 0;
    std::vector<Misfit> first;
  };
  int64_t Fitting(uint64_t candidates) const;
  // Of the values that fit `chosen`, those that do not fit `rival`, and those that fit both and are no plain integers.
  struct Votes {
    int64_t deciding = 0, either = 0;
    bool few() const { return deciding < either && (deciding < 3 || deciding * 20 < either); }
  };
  Votes VotesFor(uint64_t chosen, uint64_t rival) const;
  void DoubtOrder(size_t chosen, InferredType* result) const;
  std::vector<int> CoverTimes(bool dates, bool formats) const;
  bool InferStyle(int64_t allowed, InferredType* result) const;
  uint64_t AddStyles(std::string_view text);
  void AddShape(std::string_view text);

  int64_t values_ = 0, nulls_ = 0, emails_ = 0;
  bool leading_zero_ = false, negative_ = false, many_ = false;
  int whole_digits_ = 0, scale_ = 0;
  int64_t zoned_ = 0;
  std::array<StyleSeen, 4> styles_;
  std::map<uint64_t, Group> groups_;  // by the bits of the candidates that fit
  std::map<std::string, int64_t> null_words_, distinct_;
  std::unordered_set<uint64_t> hashes_;
  struct Shape {
    int64_t count = 0;
    size_t min_digits = 0, max_digits = 0;
  };
  std::map<std::string, Shape> shapes_;  // by the letters before the digits
};

}  // namespace sluice::sources
