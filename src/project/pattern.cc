#include "project/pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <string_view>

namespace sluice::project {
namespace {

Error BadPattern(const std::string& message, const std::string& hint) { return UserError("bad-pattern", message).Hint(hint); }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Walks a pattern that RE2 has accepted, looking for what Java reads differently
// (RE2: github.com/google/re2/wiki/Syntax, Java: the documentation of java.util.regex.Pattern).
class JavaCheck {
 public:
  explicit JavaCheck(std::string_view pattern) : text_(pattern) {}

  Status Run() {
    while (at_ < text_.size()) SLUICE_CHECK(Step());
    return Ok();
  }

 private:
  Status Step() {
    switch (text_[at_]) {
      case '\\':
        return Escape();
      case '[':
        return Class();
      case '(':
        return Group();
      case '{':
        return Brace();
      default:
        ++at_;
        return Ok();
    }
  }

  Status Escape() {
    const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c == 'Q') return Quoted();
    at_ += 2;
    if (c == 'C') return Fail(BadPattern("\\C matches a byte in RE2 and means nothing in Java", "write . for any character"));
    if (c == 'v') return Fail(BadPattern("\\v is one character in RE2 and a class of several in Java", "write \\x0B"));
    if (c == 'b' || c == 'B')
      return Fail(BadPattern(fmt::format("\\{} differs between RE2 and Java for letters outside ASCII", c),
                             "the pattern matches the whole text: say what stands at its edges"));
    if (c >= '1' && c <= '9')
      return Fail(BadPattern(fmt::format("\\{} is an octal number in RE2 and a back reference in Java", c),
                             "write \\x and two hexadecimal digits"));
    if (c == '0') return Fail(BadPattern("octal numbers differ between RE2 and Java", "write \\x and two hexadecimal digits"));
    if (c == 'p' || c == 'P') return UnicodeClass();
    if (c == 'x' && at_ < text_.size() && text_[at_] == '{') at_ = text_.find('}', at_) + 1;
    return Ok();
  }

  Status Quoted() {
    const size_t end = text_.find("\\E", at_);
    at_ = end == std::string_view::npos ? text_.size() : end + 2;
    return Ok();
  }

  // Behind \p: the general categories have one spelling in both; scripts and negation inside the braces do not.
  Status UnicodeClass() {
    if (at_ >= text_.size() || text_[at_] != '{') {
      ++at_;
      return Ok();
    }
    const size_t end = text_.find('}', at_);
    const std::string_view name = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    if (name.size() <= 2 && !name.starts_with('^')) return Ok();
    return Fail(BadPattern(fmt::format("\\p{{{}}} is spelt differently in RE2 and Java", name),
                           "use general categories such as \\p{L}, \\p{Lu} or \\p{Nd}, and \\P{L} for the others"));
  }

  Status Class() {
    ++at_;
    if (at_ < text_.size() && text_[at_] == '^') ++at_;
    for (bool first = true; at_ < text_.size() && (first || text_[at_] != ']'); first = false) {
      const char c = text_[at_];
      if (c == ']') return Fail(BadPattern("a ] that stands first in [ ] differs between RE2 and Java", "write \\]"));
      if (c == '[')
        return Fail(BadPattern("[ inside [ ] differs between RE2 and Java",
                               "write \\[ for the character; for [:alpha:] and its like write a-zA-Z, 0-9 …"));
      if (text_.substr(at_).starts_with("&&"))
        return Fail(BadPattern("&& inside [ ] is an intersection in Java", "write \\& or a single &"));
      if (c == '\\')
        SLUICE_CHECK(Escape());
      else
        ++at_;
    }
    ++at_;
    return Ok();
  }

  Status Group() {
    ++at_;
    if (at_ >= text_.size() || text_[at_] != '?') return Ok();
    ++at_;
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with("P<") || rest.starts_with("<"))
      return Fail(BadPattern("named groups are spelt differently in RE2 and Java", "leave the name out: (…)"));
    for (size_t i = 0; i < rest.size() && rest[i] != ':' && rest[i] != ')'; ++i) {
      if (rest[i] == 'm') return Fail(BadPattern("(?m) means other line ends in Java", "leave it out: the pattern matches the whole text"));
      if (rest[i] == 'U') return Fail(BadPattern("(?U) has another meaning in Java", "write *? and +? for the shortest match"));
    }
    return Ok();
  }

  // "{" that starts no repetition is itself in RE2 and an error in Java.
  Status Brace() {
    size_t i = at_ + 1;
    const size_t digits = i;
    while (i < text_.size() && IsDigit(text_[i])) ++i;
    bool good = i > digits;
    if (good && i < text_.size() && text_[i] == ',') {
      ++i;
      while (i < text_.size() && IsDigit(text_[i])) ++i;
    }
    good = good && i < text_.size() && text_[i] == '}';
    if (!good)
      return Fail(
          BadPattern("a { that is no repetition differs between RE2 and Java", "write \\{ for the character, {0,5} for \"up to five\""));
    at_ = i + 1;
    return Ok();
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Status CheckPattern(std::string_view pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 compiled(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!compiled.ok())
    return Fail(
        BadPattern(fmt::format("this is no pattern for RE2: {}", compiled.error()),
                   "RE2 has no look-around and no back references; in YAML write a \\ inside double quotes as \\\\, or use single quotes"));
  return JavaCheck(pattern).Run();
}

}  // namespace sluice::project
