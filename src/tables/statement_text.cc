#include "tables/statement_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "core/counted.h"
#include "core/text.h"

namespace sluice::tables {
namespace {

using When = MergeClause::When;
using Then = MergeClause::Then;

bool IsWordChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80; }

// The text cut into words, quoted parts, brackets with all in them, and single characters. CASE … END is one part, too.
class Parts {
 public:
  explicit Parts(std::string_view text) : text_(text) { Next(); }

  bool AtEnd() const { return begin_ == text_.size(); }
  std::string_view part() const { return text_.substr(begin_, end_ - begin_); }
  size_t begin() const { return begin_; }
  bool Is(std::string_view word) const { return EqualsIgnoreCase(part(), word); }

  void Next() {
    begin_ = end_;
    while (begin_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[begin_])) != 0) ++begin_;
    end_ = EndOf(begin_);
    if (!Is("case")) return;
    int depth = 1;
    while (depth > 0 && end_ < text_.size()) {
      size_t at = end_;
      while (at < text_.size() && std::isspace(static_cast<unsigned char>(text_[at])) != 0) ++at;
      end_ = EndOf(at);
      const std::string_view word = text_.substr(at, end_ - at);
      depth += EqualsIgnoreCase(word, "case") ? 1 : EqualsIgnoreCase(word, "end") ? -1 : 0;
    }
  }
  // Goes on if the part is this word.
  bool Take(std::string_view word) {
    if (!Is(word)) return false;
    Next();
    return true;
  }
  // What lies before the next of these words, at which it stops; trimmed.
  template <typename... Words>
  std::string Before(const Words&... words) {
    const size_t from = begin_;
    while (!AtEnd() && !(Is(words) || ...)) Next();
    return std::string(Trim(text_.substr(from, begin_ - from)));
  }

 private:
  // Past the part that begins at `at`.
  size_t EndOf(size_t at) const {
    if (at >= text_.size()) return text_.size();
    const char c = text_[at];
    if (c == '\'' || c == '"') return Past(c, at);
    if (c == '(' || c == '[' || c == '{') return PastBracket(at);
    if (!IsWordChar(c)) return at + 1;
    while (at < text_.size() && IsWordChar(text_[at])) ++at;
    return at;
  }
  size_t Past(char quote, size_t at) const {
    const size_t close = text_.find(quote, at + 1);
    return close == std::string_view::npos ? text_.size() : close + 1;  // a doubled quote begins the next part
  }
  size_t PastBracket(size_t at) const {
    const char close = text_[at] == '(' ? ')' : text_[at] == '[' ? ']' : '}';
    for (++at; at < text_.size() && text_[at] != close;) at = EndOf(at);
    return std::min(text_.size(), at + 1);
  }

  std::string_view text_;
  size_t begin_ = 0, end_ = 0;
};

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> items;
  Parts parts(text);
  while (true) {
    items.push_back(parts.Before(","));
    if (parts.AtEnd()) return items;
    parts.Next();
  }
}

// A name, quoted or plain; "" if it is none.
std::string NameAlone(std::string_view text) {
  if (text.size() > 2 && (text.front() == '"' || text.front() == '`') && text.back() == text.front()) {
    std::string name(text.substr(1, text.size() - 2));
    for (size_t at = 0; (at = name.find("\"\"", at)) != std::string::npos; ++at) name.erase(at, 1);
    return name;
  }
  return !text.empty() && std::all_of(text.begin(), text.end(), IsWordChar) ? std::string(text) : "";
}

// Past the qualifier, if there is one.
std::string_view Unqualified(std::string_view text) {
  text = Trim(text);
  for (const std::string_view qualifier : {"target.", "this."})
    if (text.size() > qualifier.size() && EqualsIgnoreCase(text.substr(0, qualifier.size()), qualifier)) {
      text.remove_prefix(qualifier.size());
      break;
    }
  return text;
}

// A name, perhaps behind "target."; "" if it is none.
std::string NameIn(std::string_view text) { return NameAlone(Unqualified(text)); }

// a."b c".d, perhaps behind "target."; nothing if it is no such path.
std::vector<std::string> PathIn(std::string_view text) {
  std::vector<std::string> names;
  std::string_view rest = Unqualified(text);
  for (size_t at = 0, end; !rest.empty() && at <= rest.size(); at = end + 1) {
    end = at;
    char quote = 0;
    while (end < rest.size() && (quote != 0 || rest[end] != '.')) {
      if (quote == 0 && (rest[end] == '"' || rest[end] == '`'))
        quote = rest[end];
      else if (rest[end] == quote)
        quote = 0;
      ++end;
    }
    names.push_back(NameAlone(Trim(rest.substr(at, end - at))));
    if (names.back().empty()) return {};
  }
  return names;
}

// "(a, b)" → its items; nullopt if it is not in brackets.
std::optional<std::vector<std::string>> Bracketed(std::string_view text) {
  if (text.size() < 2 || text.front() != '(' || text.back() != ')') return std::nullopt;
  return SplitList(text.substr(1, text.size() - 2));
}

class ClauseParser {
 public:
  ClauseParser(std::string_view text, Parts& parts) : text_(text), parts_(parts), begin_(parts.begin()) {}

  Result<MergeClause> Parse() {
    parts_.Take("when");
    SLUICE_CHECK(ReadWhen());
    if (parts_.Take("and")) {
      clause_.condition = parts_.Before("then");
      if (clause_.condition.empty()) return Fail(Bad("AND needs a condition"));
    }
    if (!parts_.Take("then")) return Fail(Bad(fmt::format("expected THEN{}", Here())));
    SLUICE_CHECK(ReadThen());
    if (!parts_.AtEnd() && !parts_.Is("when")) return Fail(Bad(fmt::format("expected WHEN or the end{}", Here())));
    return std::move(clause_);
  }

 private:
  std::string Here() const { return parts_.AtEnd() ? " after it" : fmt::format(" instead of \"{}\"", parts_.part()); }
  Error Bad(const std::string& why) const {
    return UserError("bad-merge", fmt::format("\"{}\": {}", Trim(text_.substr(begin_)), why))
        .Hint(
            "as WHEN MATCHED [AND …] THEN UPDATE SET a = source.a | UPDATE SET * | DELETE, WHEN NOT MATCHED [AND …] THEN INSERT * | "
            "INSERT (…) VALUES (…), WHEN NOT MATCHED BY SOURCE [AND …] THEN DELETE | UPDATE SET …");
  }

  Status ReadWhen() {
    const bool none = parts_.Take("not");
    if (!parts_.Take("matched")) return Fail(Bad(fmt::format("expected MATCHED or NOT MATCHED{}", Here())));
    clause_.when = none ? When::kNotMatched : When::kMatched;
    if (!none || !parts_.Take("by")) return Ok();
    if (parts_.Take("source"))
      clause_.when = When::kNotMatchedBySource;
    else if (!parts_.Take("target"))
      return Fail(Bad(fmt::format("expected BY SOURCE or BY TARGET{}", Here())));
    return Ok();
  }

  Status ReadThen() {
    if (parts_.Take("delete")) {
      clause_.then = Then::kDelete;
      return Ok();
    }
    if (parts_.Take("update")) return ReadUpdate();
    if (parts_.Take("insert")) return ReadInsert();
    return Fail(Bad(fmt::format("expected UPDATE, DELETE or INSERT{}", Here())));
  }

  Status ReadUpdate() {
    clause_.then = Then::kUpdate;
    const bool set = parts_.Take("set");
    if (parts_.Take("*")) return Ok();
    if (!set) return Fail(Bad(fmt::format("expected SET{}", Here())));
    auto assignments = ParseAssignments(parts_.Before("when"));
    if (!assignments) return Fail(Bad(assignments.error().message));
    clause_.set = *std::move(assignments);
    return Ok();
  }

  Status ReadInsert() {
    clause_.then = Then::kInsert;
    if (parts_.Take("*")) return Ok();
    const auto names = Bracketed(parts_.part());
    if (!names) return Fail(Bad(fmt::format("expected * or (columns){}", Here())));
    parts_.Next();
    if (!parts_.Take("values")) return Fail(Bad(fmt::format("expected VALUES{}", Here())));
    const auto values = Bracketed(parts_.part());
    if (!values) return Fail(Bad(fmt::format("expected (values){}", Here())));
    parts_.Next();
    if (names->size() != values->size())
      return Fail(Bad(fmt::format("{} and {}", Counted(static_cast<int64_t>(names->size()), "column"),
                                  Counted(static_cast<int64_t>(values->size()), "value"))));
    for (size_t i = 0; i < names->size(); ++i) {
      clause_.set.push_back({NameIn((*names)[i]), (*values)[i]});
      if (clause_.set.back().column.empty()) return Fail(Bad(fmt::format("\"{}\" is no column's name", (*names)[i])));
    }
    return Ok();
  }

  const std::string_view text_;
  Parts& parts_;
  const size_t begin_;
  MergeClause clause_;
};

}  // namespace

Result<std::vector<Assignment>> ParseAssignments(std::string_view text) {
  std::vector<Assignment> assignments;
  for (const std::string& item : SplitList(text)) {
    Parts parts(item);
    std::vector<std::string> path = PathIn(parts.Before("="));
    const std::string value = parts.AtEnd() ? "" : std::string(Trim(std::string_view(item).substr(parts.begin() + 1)));
    if (path.empty() || value.empty())
      return Fail(UserError("bad-assignment", fmt::format("\"{}\" is no assignment", item))
                      .Hint("as status = 'paid', n = n + 1, address.zip = '1000'"));
    Assignment& assignment = assignments.emplace_back(Assignment{path.front(), value});
    assignment.fields.assign(path.begin() + 1, path.end());
  }
  return assignments;
}

Result<std::vector<MergeClause>> ParseMergeClauses(std::string_view text) {
  std::vector<MergeClause> clauses;
  Parts parts(text);
  do {
    SLUICE_TRY(clauses.emplace_back(), ClauseParser(text, parts).Parse());
  } while (!parts.AtEnd());
  return clauses;
}

std::optional<std::vector<std::string>> ParseNames(std::string_view text) {
  std::vector<std::string> names;
  for (const std::string& item : SplitList(text)) {
    names.push_back(NameIn(item));
    if (names.back().empty()) return std::nullopt;
  }
  return names;
}

}  // namespace sluice::tables
