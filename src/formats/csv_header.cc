#include "formats/csv_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

#include "core/text.h"

namespace sluice::formats {
namespace {

using Row = std::vector<std::string>;

std::string_view At(const Row& row, size_t i) { return i < row.size() ? Trim(row[i]) : std::string_view(); }

// A text in an upper row stands for the fields to its right, too, as merged cells are exported; but not if it has nothing below it in
// its own field: then it is the name of that one alone.
Row Spread(const std::vector<Row>& rows, size_t level, size_t width) {
  Row out;
  std::string_view group;
  for (size_t i = 0; i < width; ++i) {
    const std::string_view own = At(rows[level], i);
    bool below = false;
    for (size_t lower = level + 1; lower < rows.size(); ++lower) below |= !At(rows[lower], i).empty();
    if (!own.empty()) group = below ? own : std::string_view();
    out.emplace_back(own.empty() && below ? group : own);
  }
  return out;
}

Row Joined(const std::vector<Row>& rows) {
  size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.size());
  Row names(width);
  for (size_t level = 0; level < rows.size(); ++level) {
    const Row texts = Spread(rows, level, width);
    for (size_t i = 0; i < width; ++i) {
      if (texts[i].empty()) continue;
      names[i] += (names[i].empty() ? "" : " ") + texts[i];
    }
  }
  return names;
}

// What is not blank counts as a line; what is held begins with the first of the last `lines` of them.
class FooterCut : public ByteSource {
 public:
  FooterCut(std::unique_ptr<ByteSource> source, size_t lines) : source_(std::move(source)), lines_(lines) {}

  Result<size_t> Read(char* buffer, size_t capacity) override {
    while (given_ == Givable() && !ended_) SLUICE_CHECK(Fill());
    const size_t n = std::min(capacity, Givable() - given_);
    std::memcpy(buffer, held_.data() + given_, n);
    given_ += n;
    return n;
  }

 private:
  static constexpr size_t kPiece = 64 << 10;
  static constexpr size_t kMostHeld = 1 << 20;

  static constexpr size_t kGiven = static_cast<size_t>(-1);  // a line's start that is no longer held

  size_t Givable() const {
    size_t footer = starts_.size() == lines_ ? starts_.front() : 0;
    if (footer == kGiven) footer = ended_ ? held_.size() : 0;
    return held_.size() - footer > kMostHeld ? held_.size() - kMostHeld : footer;
  }

  Status Fill() {
    Forget();
    const size_t before = held_.size();
    held_.resize(before + kPiece);
    Result<size_t> n = source_->Read(held_.data() + before, kPiece);
    held_.resize(before + n.value_or(0));
    if (!n) return Fail(std::move(n).error());
    ended_ = *n == 0;
    for (size_t i = before; i < held_.size(); ++i) Look(i);
    return Ok();
  }

  void Look(size_t i) {
    const char c = held_[i];
    if (c == '\n' || c == '\r') {
      line_start_ = i + 1;
      blank_ = true;
    } else if (blank_ && c != ' ' && c != '\t') {
      blank_ = false;
      starts_.push_back(line_start_);
      if (starts_.size() > lines_) starts_.pop_front();
    }
  }

  // Drops what was given.
  void Forget() {
    held_.erase(0, given_);
    for (size_t& start : starts_) start = start == kGiven || start < given_ ? kGiven : start - given_;
    line_start_ = line_start_ == kGiven || line_start_ < given_ ? kGiven : line_start_ - given_;
    given_ = 0;
  }

  std::unique_ptr<ByteSource> source_;
  size_t lines_;
  std::string held_;
  std::deque<size_t> starts_;  // of the last lines that are not blank, in held_
  size_t line_start_ = 0, given_ = 0;
  bool blank_ = true, ended_ = false;
};

}  // namespace

std::vector<std::string> HeaderNames(const std::vector<std::vector<std::string>>& rows, const CsvDialect& dialect, bool as_written) {
  std::vector<std::string> names = Joined(rows);
  if (dialect.trailing_delimiter) names.emplace_back();
  if (dialect.header_delimiter && !names.empty() && names.back().empty()) names.pop_back();
  if (as_written) return names;
  const auto last = std::find_if(names.rbegin(), names.rend(), [](const std::string& name) { return !name.empty(); });
  const auto named = static_cast<size_t>(names.rend() - last);
  const auto taken = [&](const std::string& name) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& other) { return EqualsIgnoreCase(other, name); });
  };
  for (size_t i = 0; i < named; ++i) {
    if (!names[i].empty()) continue;
    std::string name = fmt::format("column_{}", i + 1);
    while (taken(name)) name += "_";
    names[i] = std::move(name);
  }
  return names;
}

std::unique_ptr<ByteSource> WithoutFooter(std::unique_ptr<ByteSource> source, int lines) {
  if (lines <= 0) return source;
  return std::make_unique<FooterCut>(std::move(source), static_cast<size_t>(lines));
}

}  // namespace sluice::formats
