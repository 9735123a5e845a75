#include "engines/sql/templates.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"

namespace sluice::engines {
namespace {

void CheckReferences(const SourceText& source, const std::vector<Token>& tokens, Diagnostics* diagnostics) {
  static constexpr std::string_view kKinds[] = {"var", "env", "file", "secret"};
  if (source.text().find("${") == std::string::npos) return;
  size_t end = 0;
  for (const Token& token : tokens) {
    const size_t begin = std::max(token.begin, end);
    for (size_t at = source.text().find("${", begin); at < token.end; at = source.text().find("${", at + 1)) {
      const size_t colon = source.text().find(':', at), close = source.text().find('}', at);
      if (colon >= close || close == std::string::npos) continue;
      const std::string kind = source.text().substr(at + 2, colon - at - 2), name = source.text().substr(colon + 1, close - colon - 1);
      if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds)) continue;
      end = close;
      Error error = UserError("template-in-sql", fmt::format("SQL has no ${{{}:{}}}", kind, name)).At(source.At(at));
      error.hint = kind == "var"
                       ? fmt::format("write ${0}, without quotes: the value of the var \"{0}\" is bound", name)
                       : fmt::format("make it a var in sluice.yml (vars: {{ {0}: \"${{{1}:{0}}}\" }}) and write ${0}", name, kind);
      diagnostics->Add(std::move(error));
    }
  }
}

// Names that a call such as source('shop', 'orders') has in its brackets.
std::vector<std::string> Arguments(const std::vector<Token>& tokens, size_t call) {
  std::vector<std::string> texts;
  for (size_t i = call + 1; i < tokens.size() && !tokens[i].IsSymbol(')') && !tokens[i].IsSymbol('}'); ++i)
    if (tokens[i].kind == Token::Kind::kString || tokens[i].kind == Token::Kind::kQuotedName)
      texts.emplace_back(tokens[i].kind == Token::Kind::kString ? tokens[i].text.substr(1, tokens[i].text.size() - 2) : tokens[i].text);
  return texts;
}

std::string InPlaceOfExpression(const std::vector<Token>& tokens, size_t first) {
  const auto named = Arguments(tokens, first);
  const std::string last = named.empty() ? "NAME" : named.back();
  if (tokens[first].IsWord("ref")) return fmt::format("write the table's name with its layer, such as silver.{}", last);
  if (tokens[first].IsWord("source")) return fmt::format("write bronze.{}: a file in sources/ says where it comes from", last);
  if (tokens[first].IsWord("var"))
    return fmt::format("write ${}: vars of sluice.yml are bound as values", named.empty() ? "NAME" : named.front());
  if (tokens[first].IsWord("config")) return "what a model is stands in a .yml beside it: store, key, checks, …";
  if (tokens[first].IsWord("this")) return "write this: the model's own table as it stood before";
  return "SQL stays SQL: what repeats is a `create macro` in macros/*.sql, called as a function";
}

std::string InPlaceOf(const std::vector<Token>& tokens, size_t open) {
  const size_t first = open + 2;
  if (first >= tokens.size()) return "SQL stays SQL";
  if (tokens[open + 1].IsSymbol('{')) return InPlaceOfExpression(tokens, first);
  for (size_t i = first; i < tokens.size() && !tokens[i].IsSymbol('}'); ++i)
    if (tokens[i].IsWord("is_incremental"))
      return "the first run and all later ones have the same SQL: read only what is new with from new(bronze.NAME), and say store: append "
             "or merge in the .yml beside it";
  return "SQL stays SQL: what repeats is a `create macro` in macros/*.sql, called as a function";
}

// Two brackets that no SQL has side by side.
bool OpensTemplate(const std::vector<Token>& tokens, size_t i) {
  if (i + 1 >= tokens.size() || !tokens[i].IsSymbol('{') || tokens[i + 1].begin != tokens[i].end) return false;
  return tokens[i + 1].IsSymbol('{') || tokens[i + 1].IsSymbol('%') || tokens[i + 1].IsSymbol('#');
}

void CheckBrackets(const SourceText& source, const std::vector<Token>& tokens, Diagnostics* diagnostics) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!OpensTemplate(tokens, i)) continue;
    const std::string what = tokens[i + 1].IsSymbol('{') ? "{{ … }}" : tokens[i + 1].IsSymbol('%') ? "{% … %}" : "{# … #}";
    diagnostics->Add(UserError("template-in-sql", "SQL has no " + what).At(source.At(tokens[i].begin)).Hint(InPlaceOf(tokens, i)));
    ++i;
  }
}

}  // namespace

void CheckTemplates(const SourceText& source, Diagnostics* diagnostics) {
  if (source.text().find("${") == std::string::npos && source.text().find('{') == std::string::npos) return;
  const std::vector<Token> tokens = Tokenize(source.text());
  CheckReferences(source, tokens, diagnostics);
  CheckBrackets(source, tokens, diagnostics);
}

}  // namespace sluice::engines
