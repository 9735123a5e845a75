#include <fmt/format.h>

#include "core/text.h"
#include "project/build.h"

namespace sluice::project {
namespace {

// One statement of a file, and where it begins.
struct Statement {
  std::string text;
  Location where;
};

// Splits SQL at its semicolons; those in quotes, dollar quotes and comments do not count. Comments before a statement are left out.
class Splitter {
 public:
  Splitter(std::string_view sql, const std::string& file) : sql_(sql), file_(file) {}

  std::vector<Statement> Run() {
    while (at_ < sql_.size()) {
      if (SkipComment() || SkipQuoted()) continue;
      const char c = sql_[at_];
      if (c == ';')
        End();
      else if (begin_ == std::string_view::npos && std::string_view(" \t\r\n\f\v").find(c) == std::string_view::npos)
        begin_ = at_;
      if (at_ < sql_.size()) ++at_;
    }
    End();
    return std::move(statements_);
  }

 private:
  bool SkipComment() {
    const std::string_view rest = sql_.substr(at_);
    if (rest.starts_with("--")) return SkipPast("\n", 2);
    return rest.starts_with("/*") && SkipPast("*/", 2);
  }

  bool SkipQuoted() {
    const char c = sql_[at_];
    if (c == '\'' || c == '"') return Mark() && SkipPast(std::string_view(&sql_[at_], 1), 1);
    if (c != '$') return false;
    size_t end = at_ + 1;  // $tag$ … $tag$; $name is a parameter
    while (end < sql_.size() && (std::isalnum(static_cast<unsigned char>(sql_[end])) || sql_[end] == '_')) ++end;
    if (end >= sql_.size() || sql_[end] != '$') return false;
    return Mark() && SkipPast(sql_.substr(at_, end + 1 - at_), end + 1 - at_);
  }

  bool Mark() {
    if (begin_ == std::string_view::npos) begin_ = at_;
    return true;
  }

  bool SkipPast(std::string_view closing, size_t opening) {
    const size_t end = sql_.find(closing, at_ + opening);
    at_ = end == std::string_view::npos ? sql_.size() : end + closing.size();
    return true;
  }

  void End() {
    if (begin_ != std::string_view::npos) statements_.push_back({std::string(Trim(sql_.substr(begin_, at_ - begin_))), PlaceOf(begin_)});
    begin_ = std::string_view::npos;
  }

  Location PlaceOf(size_t at) const {
    int line = 1;
    size_t start = 0;
    for (size_t i = 0; i < at; ++i)
      if (sql_[i] == '\n') ++line, start = i + 1;
    return {file_, line, static_cast<int>(at - start) + 1};
  }

  std::string_view sql_;
  const std::string& file_;
  size_t at_ = 0, begin_ = std::string_view::npos;
  std::vector<Statement> statements_;
};

// The next word of `text` (letters, digits, _, or a quoted name), taken off it.
std::string TakeWord(std::string_view& text) {
  text = Trim(text);
  if (text.starts_with('"')) {
    const size_t end = text.find('"', 1);
    const std::string word(text.substr(1, end == std::string_view::npos ? end : end - 1));
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
    return word;
  }
  size_t end = 0;
  while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) ++end;
  const std::string word(text.substr(0, end));
  text = text.substr(end);
  return word;
}

// "create [or replace] macro NAME(" → NAME; "" if it is none.
std::string MacroName(std::string_view sql) {
  if (!EqualsIgnoreCase(TakeWord(sql), "create")) return "";
  std::string word = TakeWord(sql);
  if (EqualsIgnoreCase(word, "or")) {
    if (!EqualsIgnoreCase(TakeWord(sql), "replace")) return "";
    word = TakeWord(sql);
  }
  if (!EqualsIgnoreCase(word, "macro") && !EqualsIgnoreCase(word, "function")) return "";
  const std::string name = TakeWord(sql);
  return Trim(sql).starts_with('(') ? name : "";
}

}  // namespace

std::vector<Macro> BuildMacros(const MacroFile& file, Diagnostics& diagnostics) {
  std::vector<Macro> macros;
  for (Statement& statement : Splitter(file.text, file.path).Run()) {
    const std::string name = MacroName(statement.text);
    if (name.empty())
      diagnostics.Add(
          UserError("bad-macro", "this is no CREATE MACRO").At(statement.where).Hint("write create macro NAME(x, y) as EXPRESSION"));
    else
      macros.push_back({name, std::move(statement.text), statement.where});
  }
  return macros;
}

}  // namespace sluice::project
