#pragma once
// SQL text with its place in the project's files, and its tokens.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace sluice::engines {

struct Token {
  enum class Kind { kWord, kQuotedName, kString, kNumber, kParameter, kSymbol };
  Kind kind = Kind::kSymbol;
  size_t begin = 0, end = 0;  // bytes
  std::string text;           // quoted names without their quotes; parameters without '$'; strings as written

  bool IsWord(std::string_view word) const;  // unquoted, case-insensitive
  bool IsSymbol(char c) const { return kind == Kind::kSymbol && text.size() == 1 && text[0] == c; }
  bool IsName(std::string_view name) const;  // quoted or not, case-insensitive
};

// Comments and white space left out. An unfinished string or comment ends with the text.
std::vector<Token> Tokenize(std::string_view sql);

// What DuckDB parses, and where its bytes come from: `prefix` bytes of ours, then the user's text, which starts at `origin`.
class SourceText {
 public:
  SourceText(std::string prefix, std::string_view user_text, Location origin);

  const std::string& text() const { return text_; }
  std::string_view user_text() const { return std::string_view(text_).substr(prefix_); }
  const Location& origin() const { return origin_; }
  // Of a byte of text(); those of the prefix are the origin, those past the end the end.
  Location At(size_t offset) const;
  // The first token at or after `from` that spells `name`; npos if there is none.
  size_t Find(std::string_view name, size_t from = 0) const;

 private:
  std::string text_;
  size_t prefix_;
  Location origin_;
};

}  // namespace sluice::engines
