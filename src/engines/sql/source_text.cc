#include "engines/sql/source_text.h"

#include <algorithm>

#include "core/text.h"

namespace sluice::engines {
namespace {

bool IsNameStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || static_cast<unsigned char>(c) >= 0x80; }
bool IsNamePart(char c) { return IsNameStart(c) || std::isdigit(static_cast<unsigned char>(c)) || c == '$'; }

size_t SkipBlockComment(std::string_view sql, size_t at) {
  int depth = 0;
  for (; at < sql.size(); ++at) {
    if (sql.substr(at, 2) == "/*") {
      ++depth;
      ++at;
    } else if (sql.substr(at, 2) == "*/") {
      ++at;
      if (--depth == 0) return at + 1;
    }
  }
  return at;
}

size_t SkipBlanks(std::string_view sql, size_t at) {
  while (at < sql.size()) {
    if (std::isspace(static_cast<unsigned char>(sql[at]))) {
      ++at;
    } else if (sql.substr(at, 2) == "--") {
      at = std::min(sql.find('\n', at), sql.size());
    } else if (sql.substr(at, 2) == "/*") {
      at = SkipBlockComment(sql, at);
    } else {
      break;
    }
  }
  return at;
}

// Past the closing quote; a doubled quote is part of the text.
size_t SkipQuoted(std::string_view sql, size_t at, char quote) {
  for (++at; at < sql.size(); ++at) {
    if (sql[at] != quote) continue;
    if (at + 1 >= sql.size() || sql[at + 1] != quote) return at + 1;
    ++at;
  }
  return sql.size();
}

// $$text$$ and $tag$text$tag$; npos if the dollar starts neither.
size_t SkipDollarQuoted(std::string_view sql, size_t at) {
  size_t end = at + 1;
  while (end < sql.size() && IsNamePart(sql[end]) && sql[end] != '$') ++end;
  if (end >= sql.size() || sql[end] != '$') return std::string_view::npos;
  const std::string_view tag = sql.substr(at, end + 1 - at);
  const size_t close = sql.find(tag, end + 1);
  return close == std::string_view::npos ? sql.size() : close + tag.size();
}

std::string Unquote(std::string_view quoted) {
  std::string out;
  for (size_t i = 1; i + 1 < quoted.size(); ++i) {
    out += quoted[i];
    if (quoted[i] == '"') ++i;
  }
  return out;
}

size_t SkipWhile(std::string_view sql, size_t at, bool (*part)(char)) {
  while (at < sql.size() && part(sql[at])) ++at;
  return at;
}

Token Next(std::string_view sql, size_t at) {
  Token token{Token::Kind::kSymbol, at, at + 1, {}};
  const char c = sql[at];
  if (c == '\'') {
    token.kind = Token::Kind::kString;
    token.end = SkipQuoted(sql, at, '\'');
  } else if (c == '"') {
    token.kind = Token::Kind::kQuotedName;
    token.end = SkipQuoted(sql, at, '"');
  } else if (const size_t end = c == '$' ? SkipDollarQuoted(sql, at) : std::string_view::npos; end != std::string_view::npos) {
    token.kind = Token::Kind::kString;
    token.end = end;
  } else if (c == '$') {
    token.kind = Token::Kind::kParameter;
    token.end = SkipWhile(sql, at + 1, IsNamePart);
  } else if (IsNameStart(c)) {
    token.kind = Token::Kind::kWord;
    token.end = SkipWhile(sql, at, IsNamePart);
  } else if (std::isdigit(static_cast<unsigned char>(c))) {
    token.kind = Token::Kind::kNumber;
    token.end = SkipWhile(sql, at, [](char x) { return std::isalnum(static_cast<unsigned char>(x)) || x == '.' || x == '_'; });
  }
  const std::string_view raw = sql.substr(at, token.end - at);
  token.text =
      token.kind == Token::Kind::kQuotedName ? Unquote(raw) : std::string(raw.substr(token.kind == Token::Kind::kParameter ? 1 : 0));
  return token;
}

// DuckDB rewrites Unicode white space before it parses, which would move every later position: the same, byte for byte.
void BlankUnicodeSpaces(std::string* sql) {
  if (std::none_of(sql->begin(), sql->end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) return;
  for (const std::string_view space : {"\u00A0", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
                                       "\u2009", "\u200A", "\u200B", "\u202F", "\u205F", "\u2060", "\u3000", "\uFEFF"}) {
    if (sql->find(space) == std::string::npos) continue;
    for (const Token& token : Tokenize(*sql)) {
      if (token.kind != Token::Kind::kWord) continue;  // quoted text keeps them; unquoted they look like parts of a word
      for (size_t at; (at = std::string_view(*sql).substr(0, token.end).find(space, token.begin)) != std::string::npos;)
        sql->replace(at, space.size(), std::string(space.size(), ' '));
    }
  }
}

}  // namespace

bool Token::IsWord(std::string_view word) const { return kind == Kind::kWord && EqualsIgnoreCase(text, word); }

bool Token::IsName(std::string_view name) const {
  return (kind == Kind::kWord || kind == Kind::kQuotedName || kind == Kind::kParameter) && EqualsIgnoreCase(text, name);
}

std::vector<Token> Tokenize(std::string_view sql) {
  std::vector<Token> tokens;
  for (size_t at = SkipBlanks(sql, 0); at < sql.size(); at = SkipBlanks(sql, at)) {
    tokens.push_back(Next(sql, at));
    at = tokens.back().end;
  }
  return tokens;
}

SourceText::SourceText(std::string prefix, std::string_view user_text, Location origin)
    : text_(std::move(prefix)), prefix_(text_.size()), origin_(std::move(origin)) {
  text_ += user_text;
  BlankUnicodeSpaces(&text_);
}

Location SourceText::At(size_t offset) const {
  const std::string_view before = std::string_view(text_).substr(0, std::clamp(offset, prefix_, text_.size())).substr(prefix_);
  const auto lines = static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  const size_t last = before.rfind('\n');
  const auto column = static_cast<int>(last == std::string_view::npos ? before.size() : before.size() - last - 1);
  const int origin_line = std::max(1, origin_.line), origin_column = std::max(1, origin_.column);
  return {origin_.file, origin_line + lines, (lines == 0 ? origin_column : 1) + column};
}

size_t SourceText::Find(std::string_view name, size_t from) const {
  for (const Token& token : Tokenize(text_))
    if (token.begin >= from && token.IsName(name)) return token.begin;
  return std::string::npos;
}

}  // namespace sluice::engines
