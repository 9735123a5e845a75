#include "engines/sql/macros.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"

namespace sluice::engines {
namespace {

// The head of a create macro statement: all but the body.
struct Head {
  std::string name;
  struct Parameter {
    std::string name;
    size_t default_begin = 0, default_end = 0;  // equal: none
  };
  std::vector<Parameter> parameters;
  bool is_table = false;
  size_t body_begin = 0, body_end = 0;
};

// Reads tokens one after another; what does not fit is remembered as the first error.
class HeadReader {
 public:
  HeadReader(const SourceText& source) : source_(source), tokens_(Tokenize(source.text())) {}

  Result<Head> Read() {
    Head head;
    if (!Word("create")) return Bad("a macro is written: create macro NAME(parameters) as EXPRESSION");
    if (Word("or") && !Word("replace")) return Bad("expected REPLACE");
    if (!Word("macro") && !Word("function")) return Bad("expected MACRO");
    if (!AtName()) return Bad("expected the macro's name");
    head.name = Take().text;
    if (AtSymbol('.')) return Bad("macros have no schema");
    if (!Symbol('(')) return Bad("expected ( and the parameters");
    while (!Symbol(')')) {
      if (!head.parameters.empty() && !Symbol(',')) return Bad("expected , or )");
      SLUICE_TRY(auto parameter, ReadParameter());
      head.parameters.push_back(std::move(parameter));
    }
    if (!Word("as")) return Bad("expected AS");
    head.is_table = Word("table");
    if (at_ >= tokens_.size()) return Bad("expected the macro's body");
    head.body_begin = tokens_[at_].begin;
    head.body_end = End();
    return head;
  }

 private:
  Result<Head::Parameter> ReadParameter() {
    if (!AtName()) return Fail(Bad("expected a parameter's name").error());
    Head::Parameter parameter{Take().text, 0, 0};
    if (!(Symbol(':') && Symbol('=')) && !(Symbol('=') && Symbol('>'))) return parameter;
    parameter.default_begin = at_ < tokens_.size() ? tokens_[at_].begin : 0;
    for (int depth = 0; at_ < tokens_.size(); ++at_) {
      const Token& token = tokens_[at_];
      if (depth == 0 && (token.IsSymbol(',') || token.IsSymbol(')'))) break;
      depth += token.IsSymbol('(') || token.IsSymbol('[') || token.IsSymbol('{');
      depth -= token.IsSymbol(')') || token.IsSymbol(']') || token.IsSymbol('}');
      parameter.default_end = token.end;
    }
    if (parameter.default_end <= parameter.default_begin) return Fail(Bad("expected the parameter's default").error());
    return parameter;
  }

  // A closing semicolon is no part of the body.
  size_t End() const {
    size_t last = tokens_.size();
    while (last > at_ + 1 && tokens_[last - 1].IsSymbol(';')) --last;
    return tokens_[last - 1].end;
  }

  bool AtName() const {
    return at_ < tokens_.size() && (tokens_[at_].kind == Token::Kind::kWord || tokens_[at_].kind == Token::Kind::kQuotedName);
  }
  bool AtSymbol(char c) const { return at_ < tokens_.size() && tokens_[at_].IsSymbol(c); }
  const Token& Take() { return tokens_[at_++]; }
  bool Word(std::string_view word) {
    const bool hit = at_ < tokens_.size() && tokens_[at_].IsWord(word);
    at_ += hit;
    return hit;
  }
  bool Symbol(char c) {
    const bool hit = AtSymbol(c);
    at_ += hit;
    return hit;
  }
  Result<Head> Bad(std::string message) const {
    const size_t offset = at_ < tokens_.size() ? tokens_[at_].begin : source_.text().size();
    return Fail(UserError("bad-macro", std::move(message)).At(source_.At(offset)));
  }

  const SourceText& source_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

// `text` parsed on its own, at its place in `source`. An expression goes in a select list.
Result<Json> ParsePart(SqlParser& parser, const SourceText& source, size_t begin, size_t end, bool is_query) {
  const SourceText part(is_query ? "" : "SELECT ", std::string_view(source.text()).substr(begin, end - begin), source.At(begin));
  SLUICE_TRY(Json statement, parser.Parse(part));
  if (is_query) return std::move(statement["node"]);
  const Json& node = statement["node"];
  if (!IsType(node, "SELECT_NODE") || node["select_list"].size() != 1 || !IsType(node["from_table"], "EMPTY"))
    return Fail(
        UserError("bad-macro", "expected one expression").At(source.At(begin)).Hint("a macro that gives rows is: … as table SELECT …"));
  return std::move(statement["node"]["select_list"][0]);
}

// Names bound by a lambda: they hide the macro's parameters inside it.
Scope LambdaNames(const Json& lambda) {
  Scope names;
  Walk(lambda["lhs"], [&](const Json& node, const Scope&) {
    if (IsClass(node, "COLUMN_REF") && node["column_names"].size() == 1) names.insert(ToLower(node["column_names"][0].get<std::string>()));
    return true;
  });
  return names;
}

using Arguments = std::map<std::string, Json>;

Json FieldOf(Json value, const std::string& field, uint64_t position) {
  return {{"class", "FUNCTION"},
          {"type", "FUNCTION"},
          {"alias", ""},
          {"query_location", position},
          {"function_name", "struct_extract"},
          {"schema", "main"},
          {"children", Json::array({std::move(value), TextConstant(field, position)})},
          {"filter", nullptr},
          {"order_bys", {{"type", "ORDER_MODIFIER"}, {"orders", Json::array()}}},
          {"distinct", false},
          {"is_operator", false},
          {"export_state", false},
          {"catalog", ""}};
}

// Puts the arguments where the body names its parameters (`x`, or `x.field`).
void Substitute(Json& value, const Arguments& arguments, const Scope& hidden) {
  if (value.is_array()) {
    for (Json& item : value) Substitute(item, arguments, hidden);
    return;
  }
  if (!value.is_object()) return;
  if (IsClass(value, "COLUMN_REF")) {
    const Json names = value["column_names"];
    const std::string first = ToLower(names[0].get<std::string>());
    const auto argument = arguments.find(first);
    if (argument == arguments.end() || hidden.contains(first)) return;
    const std::string alias = Text(value, "alias");
    const uint64_t position = Position(value);
    value = argument->second;
    for (size_t i = 1; i < names.size(); ++i) value = FieldOf(std::move(value), names[i].get<std::string>(), position);
    value["alias"] = alias;
    return;
  }
  if (IsClass(value, "LAMBDA")) {
    Scope inner = hidden;
    inner.merge(LambdaNames(value));
    Substitute(value["expr"], arguments, inner);
    return;
  }
  for (auto& [key, member] : value.items()) Substitute(member, arguments, hidden);
}

class Expander {
 public:
  Expander(const MacroMap& macros, const SourceText& source) : macros_(macros), source_(source) {}

  Status Expand(Json& value) {
    if (value.is_array()) {
      for (Json& item : value) SLUICE_CHECK(Expand(item));
      return Ok();
    }
    if (!value.is_object()) return Ok();
    for (auto& [key, member] : value.items())
      if (!(key == "function" && IsType(value, "TABLE_FUNCTION"))) SLUICE_CHECK(Expand(member));
    if (IsType(value, "TABLE_FUNCTION")) return ExpandTable(value);
    return IsClass(value, "FUNCTION") ? ExpandScalar(value) : Ok();
  }

 private:
  const Macro* Find(const Json& call) const {
    if (call.value("is_operator", false) || !Text(call, "schema").empty()) return nullptr;
    const auto found = macros_.find(ToLower(Text(call, "function_name")));
    return found == macros_.end() ? nullptr : &found->second;
  }

  Status ExpandScalar(Json& call) {
    const Macro* macro = Find(call);
    if (!macro) return Ok();
    if (macro->is_table) return Bad(call, fmt::format("{} gives rows: call it in FROM", macro->name));
    if (call["distinct"] == true || !call["filter"].is_null() || !call["order_bys"]["orders"].empty())
      return Bad(call, fmt::format("{} is a macro: DISTINCT, FILTER and ORDER BY belong inside it", macro->name));
    SLUICE_TRY(Json body, Instantiate(*macro, call));
    body["alias"] = Text(call, "alias");
    call = std::move(body);
    return Ok();
  }

  Status ExpandTable(Json& ref) {
    Json& call = ref["function"];
    const Macro* macro = Find(call);
    if (!macro || !macro->is_table) return Expand(call["children"]);
    SLUICE_CHECK(Expand(call["children"]));
    SLUICE_TRY(Json node, Instantiate(*macro, call));
    const std::string alias = Text(ref, "alias").empty() ? macro->name : Text(ref, "alias");
    ref = {{"type", "SUBQUERY"},
           {"alias", alias},
           {"sample", ref["sample"]},
           {"query_location", Position(ref)},
           {"subquery", {{"node", std::move(node)}, {"named_param_map", Json::array()}}},
           {"column_name_alias", ref["column_name_alias"]}};
    return Ok();
  }

  // The body with the call's arguments in it and the macros that it calls expanded; positions are the call's.
  Result<Json> Instantiate(const Macro& macro, const Json& call) {
    if (std::find(stack_.begin(), stack_.end(), macro.name) != stack_.end())
      return Fail(UserError("bad-macro", fmt::format("macro {} calls itself: {} → {}", macro.name, Join(stack_, " → "), macro.name))
                      .At(macro.where));
    SLUICE_TRY(const Arguments arguments, Match(macro, call));
    Json body = macro.body;
    SetPositions(body, Position(call));
    stack_.push_back(macro.name);
    const Status expanded = Expand(body);
    stack_.pop_back();
    SLUICE_CHECK(expanded);
    Substitute(body, arguments, {});
    return body;
  }

  Result<Arguments> Match(const Macro& macro, const Json& call) const {
    Arguments arguments;
    size_t next = 0;
    for (const Json& child : call["children"]) {
      const std::string& name = Text(child, "alias");
      if (name.empty() && next >= macro.parameters.size())
        return Fail(
            Bad(call, fmt::format("{} takes {} arguments, not {}", macro.name, macro.parameters.size(), call["children"].size())).error());
      const std::string key = ToLower(name.empty() ? macro.parameters[next++].name : name);
      if (!Has(macro, key)) return Fail(Bad(call, fmt::format("{} has no parameter {}", macro.name, name)).error());
      Json value = child;
      value["alias"] = "";
      if (!arguments.emplace(key, std::move(value)).second)
        return Fail(Bad(call, fmt::format("{} gets its parameter {} twice", macro.name, key)).error());
    }
    for (const MacroParameter& parameter : macro.parameters) {
      if (arguments.contains(ToLower(parameter.name))) continue;
      if (!parameter.default_value) return Fail(Bad(call, fmt::format("{} needs its argument {}", macro.name, parameter.name)).error());
      Json value = *parameter.default_value;
      SetPositions(value, Position(call));
      arguments.emplace(ToLower(parameter.name), std::move(value));
    }
    return arguments;
  }

  static bool Has(const Macro& macro, const std::string& key) {
    return std::any_of(macro.parameters.begin(), macro.parameters.end(),
                       [&](const MacroParameter& p) { return EqualsIgnoreCase(p.name, key); });
  }

  Status Bad(const Json& call, std::string message) const {
    return Fail(UserError("bad-macro-call", std::move(message)).At(source_.At(Position(call))));
  }

  const MacroMap& macros_;
  const SourceText& source_;
  std::vector<std::string> stack_;
};

// An unaliased call in a select list would take its name from the expanded body: it keeps the macro's.
void NameMacroCalls(const MacroMap& macros, Json* root) {
  Walk(*root, {}, [&](Json& node, const Scope&) {
    if (!IsType(node, "SELECT_NODE")) return true;
    for (Json& item : node["select_list"])
      if (IsClass(item, "FUNCTION") && Text(item, "alias").empty() && Text(item, "schema").empty() &&
          macros.contains(ToLower(Text(item, "function_name"))))
        item["alias"] = item["function_name"];
    return true;
  });
}

}  // namespace

Result<Macro> ParseMacro(SqlParser& parser, const std::string& sql, const Location& where) {
  const SourceText source("", sql, where);
  SLUICE_TRY(const Head head, HeadReader(source).Read());
  Macro macro{head.name, {}, head.is_table, {}, where};
  for (const Head::Parameter& parameter : head.parameters) {
    MacroParameter& added = macro.parameters.emplace_back(MacroParameter{parameter.name, {}});
    if (parameter.default_end == 0) continue;
    SLUICE_TRY(added.default_value, ParsePart(parser, source, parameter.default_begin, parameter.default_end, false));
  }
  SLUICE_TRY(macro.body, ParsePart(parser, source, head.body_begin, head.body_end, head.is_table));
  return macro;
}

Status ExpandMacros(const MacroMap& macros, const SourceText& source, Json* root) {
  if (macros.empty()) return Ok();
  NameMacroCalls(macros, root);
  return Expander(macros, source).Expand(*root);
}

}  // namespace sluice::engines
