// Spark's SQL of a constraint → DuckDB's, token by token.
#include <fmt/format.h>

#include <array>
#include <cctype>

#include "core/text.h"
#include "tables/constraints.h"

namespace sluice::tables {
namespace {

constexpr std::array kKeywords = {"and",  "or",    "not",  "in",   "is",   "null", "between", "like",
                                  "true", "false", "case", "when", "then", "else", "end",     "date"};
// Functions that give the same in both, by name.
constexpr std::array kFunctions = {"length",   "char_length", "lower",  "upper", "trim",  "ltrim", "rtrim", "abs",
                                   "coalesce", "nullif",      "ifnull", "year",  "month", "day",   "hour",  "minute"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kRenamed = {
    {{"nvl", "ifnull"}, {"startswith", "starts_with"}, {"endswith", "ends_with"}, {"contains", "contains"}}};
// Longest first. "/" divides differently, "||" treats NULL alike but makes text of numbers.
constexpr std::array<std::pair<std::string_view, std::string_view>, 17> kOperators = {{{"<=>", " IS NOT DISTINCT FROM "},
                                                                                       {"==", "="},
                                                                                       {"!=", "<>"},
                                                                                       {"<>", "<>"},
                                                                                       {"<=", "<="},
                                                                                       {">=", ">="},
                                                                                       {"=", "="},
                                                                                       {"<", "<"},
                                                                                       {">", ">"},
                                                                                       {"(", "("},
                                                                                       {")", ")"},
                                                                                       {",", ","},
                                                                                       {".", "."},
                                                                                       {"+", "+"},
                                                                                       {"-", "-"},
                                                                                       {"*", "*"},
                                                                                       {"%", "%"}}};

template <typename Names>
bool Has(const Names& names, std::string_view word) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return EqualsIgnoreCase(name, word); });
}

bool IsWordChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class Translator {
 public:
  Translator(const delta::Constraint& constraint, const contract::Schema& schema)
      : constraint_(constraint), text_(constraint.expression), schema_(schema) {}

  Result<std::string> Run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        ++at_;
        out_ += ' ';
      } else if (c == '\'' || c == '"') {
        SLUICE_CHECK(Literal(c));
      } else if (c == '`') {
        SLUICE_CHECK(QuotedName());
      } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
        SLUICE_CHECK(Number());
      } else if (IsWordChar(c)) {
        SLUICE_CHECK(Word());
      } else {
        SLUICE_CHECK(Operator());
      }
    }
    return std::move(out_);
  }

 private:
  Error Unsupported(std::string_view what) const {
    return UnsupportedError("unsupported-constraint",
                            fmt::format("the table's constraint {} cannot be evaluated: {} in \"{}\"", constraint_.name, what, text_))
        .Hint("write to this table with an engine that knows its SQL, or drop the constraint there");
  }

  // In Spark both quotes make text, and a backslash escapes.
  Status Literal(char quote) {
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string::npos) return Fail(Unsupported("a text without its end"));
    const std::string value = text_.substr(at_ + 1, end - at_ - 1);
    if (value.find('\\') != std::string::npos) return Fail(Unsupported("an escape"));
    at_ = end + 1;
    const size_t next = text_.find_first_not_of(" \t\r\n", at_);
    if (next != std::string::npos && (text_[next] == '\'' || text_[next] == '"')) return Fail(Unsupported("two texts side by side"));
    out_ += QuoteLiteral(value);
    after_dot_ = false;
    return Ok();
  }

  Status QuotedName() {
    const size_t end = text_.find('`', at_ + 1);
    if (end == std::string::npos || (end + 1 < text_.size() && text_[end + 1] == '`')) return Fail(Unsupported("a quoted name"));
    SLUICE_CHECK(Column(text_.substr(at_ + 1, end - at_ - 1)));
    at_ = end + 1;
    return Ok();
  }

  Status Column(const std::string& name) {
    if (!after_dot_ && schema_.Find(name) == nullptr) return Fail(Unsupported(fmt::format("\"{}\"", name)));
    out_ += QuoteIdentifier(name);
    after_dot_ = false;
    return Ok();
  }

  // A suffix gives a number another type; an exponent makes it a double in both.
  Status Number() {
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isdigit(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '.')) ++at_;
    if (at_ < text_.size() && IsWordChar(text_[at_])) return Fail(Unsupported("a number with letters"));
    out_ += text_.substr(begin, at_ - begin);
    return Ok();
  }

  Status Word() {
    const size_t begin = at_;
    while (at_ < text_.size() && IsWordChar(text_[at_])) ++at_;
    const std::string word = text_.substr(begin, at_ - begin);
    size_t next = at_;
    while (next < text_.size() && std::isspace(static_cast<unsigned char>(text_[next])) != 0) ++next;
    const bool called = next < text_.size() && text_[next] == '(';
    if (after_dot_ || (schema_.Find(word) != nullptr && !called)) return Column(word);
    if (Has(kKeywords, word) || (called && Has(kFunctions, word))) {
      out_ += word;
      return Ok();
    }
    for (const auto& [theirs, ours] : kRenamed)
      if (called && EqualsIgnoreCase(theirs, word)) {
        out_ += ours;
        return Ok();
      }
    return Fail(Unsupported(fmt::format("\"{}\"", word)));
  }

  Status Operator() {
    for (const auto& [theirs, ours] : kOperators) {
      if (!std::string_view(text_).substr(at_).starts_with(theirs)) continue;
      out_ += ours;
      at_ += theirs.size();
      after_dot_ = theirs == ".";
      return Ok();
    }
    return Fail(Unsupported(fmt::format("\"{}\"", text_[at_])));
  }

  const delta::Constraint& constraint_;
  const std::string& text_;
  const contract::Schema& schema_;
  size_t at_ = 0;
  bool after_dot_ = false;  // the name of a struct's field comes
  std::string out_;
};

}  // namespace

Result<std::string> ConditionInDuckDb(const delta::Constraint& constraint, const contract::Schema& schema) {
  // "--" would begin a comment, "/*" is refused with its first character.
  if (constraint.expression.find("--") != std::string::npos)
    return Fail(UnsupportedError("unsupported-constraint", fmt::format("the table's constraint {} holds \"--\"", constraint.name)));
  return Translator(constraint, schema).Run();
}

}  // namespace sluice::tables
