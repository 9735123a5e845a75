#include "engines/sql/parser.h"

#include <fmt/format.h>

#include <cstdlib>
#include <map>

#include "core/text.h"

namespace sluice::engines {
namespace {

Location PlaceOf(const Json& error, const SourceText& source) {
  const std::string& position = Text(error, "position");
  return source.At(position.empty() ? 0 : std::strtoull(position.c_str(), nullptr, 10));
}

// What a statement that is no SELECT starts with, for the message.
Error NotASelect(const SourceText& source) {
  const std::vector<Token> tokens = Tokenize(source.user_text());
  if (tokens.empty()) return UserError("not-a-select", "there is no SELECT in this file").At(source.At(0));
  for (const Token& token : tokens) {
    if (!token.IsWord("pivot") && !token.IsWord("pivot_wider")) continue;
    return UserError("sql-unsupported", "a PIVOT whose columns depend on the data cannot be planned")
        .At(source.At(source.Find(token.text)))
        .Hint("list the columns: SELECT … FROM t PIVOT (sum(x) FOR y IN ('a', 'b')), or write sum(x) FILTER (WHERE y = 'a')");
  }
  return UserError("not-a-select", fmt::format("a model is one SELECT; this is {}", tokens[0].text))
      .At(source.At(source.text().size() - source.user_text().size() + tokens[0].begin))
      .Hint("Sluice creates and changes the table itself: write the rows it should hold as a SELECT");
}

Error ParseError(const Json& error, const SourceText& source) {
  const std::string& message = Text(error, "error_message");
  if (Text(error, "error_type") == "not implemented" && message.starts_with("Only SELECT")) return NotASelect(source);
  if (Text(error, "error_type") == "parser")
    return UserError("sql-syntax", message)
        .At(PlaceOf(error, source))
        .Hint("look at what stands before it, too: a comma, a bracket or a quote that is missing or too much");
  return UserError("sql-unsupported", message).At(PlaceOf(error, source));
}

// The parser turns NOT (a = b) into a <> b, so a comparison that a macro brought below a NOT is written that way, too.
void NegateComparison(Json& node) {
  static const std::map<std::string, std::string, std::less<>> kOpposites = {{"COMPARE_EQUAL", "COMPARE_NOTEQUAL"},
                                                                             {"COMPARE_LESSTHAN", "COMPARE_GREATERTHANOREQUALTO"},
                                                                             {"COMPARE_GREATERTHAN", "COMPARE_LESSTHANOREQUALTO"},
                                                                             {"COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"},
                                                                             {"COMPARE_IN", "COMPARE_NOT_IN"}};
  if (!IsType(node, "OPERATOR_NOT") || node["children"].size() != 1) return;
  Json inner = node["children"][0];
  NegateComparison(inner);
  const std::string type = Text(inner, "type");
  for (const auto& [one, other] : kOpposites) {
    if (type != one && type != other) continue;
    inner["type"] = type == one ? other : one;
    inner["alias"] = node["alias"];
    node = std::move(inner);
    return;
  }
}

// DuckDB's printer writes a double as a decimal literal (1e3 → 1000.0), and joins without parentheses around commas: such nodes are
// put into a form that it prints right.
bool MakePrintable(Json& node) {
  NegateComparison(node);
  if (IsClass(node, "CONSTANT") && (Is(node["value"]["type"], "id", "DOUBLE") || Is(node["value"]["type"], "id", "FLOAT")) &&
      node["value"]["value"].is_number()) {
    const std::string text = fmt::format("{}", node["value"]["value"].get<double>());
    Json cast = CastNode(TextConstant(text, Position(node)), Text(node["value"]["type"], "id"), Position(node));
    cast["alias"] = node["alias"];
    node = std::move(cast);
    return false;
  }
  return true;
}

void JoinOnTrue(Json& join) {
  join["ref_type"] = "REGULAR";
  join["condition"] = CastNode(TextConstant("t", kNoPosition), "BOOLEAN", kNoPosition);
}

// Commas bind less than JOIN: only a chain of them from the left stays as it is.
void PutCommasRight(Json& ref, bool comma_allowed) {
  if (!IsType(ref, "JOIN")) return;
  const bool is_comma = Is(ref, "ref_type", "CROSS");
  if (is_comma && !comma_allowed) JoinOnTrue(ref);
  PutCommasRight(ref["left"], is_comma && comma_allowed);
  PutCommasRight(ref["right"], false);
}

Json Printable(const Json& statement) {
  Json out = statement;
  Walk(out, {}, [](Json& node, const Scope&) {
    if (IsType(node, "SELECT_NODE")) PutCommasRight(node["from_table"], true);
    return MakePrintable(node);
  });
  return out;
}

}  // namespace

Result<Json> SqlParser::Serialize(const std::string& sql) {
  SLUICE_TRY(const auto text, WithConnection([&](Connection& c) {
               return c.PreparedScalar("SELECT json_serialize_sql(CAST($q AS VARCHAR))", {{"q", "string", sql}});
             }));
  Json json = Json::parse(text.value_or(""), nullptr, false);
  if (json.is_discarded()) return Fail(BugError("json_serialize_sql gave no JSON"));
  return json;
}

Result<Json> SqlParser::Parse(const SourceText& source) {
  SLUICE_TRY(Json json, Serialize(source.text()));
  if (json.value("error", false)) return Fail(ParseError(json, source));
  Json& statements = json["statements"];
  if (statements.empty()) return Fail(NotASelect(source));
  if (statements.size() > 1)
    return Fail(UserError("not-a-select", fmt::format("there are {} statements; a model is one SELECT", statements.size()))
                    .At(source.At(FirstPosition(statements[1])))
                    .Hint("join the steps with WITH, or give each its own file"));
  return std::move(statements[0]);
}

Result<std::string> SqlParser::Print(const Json& statement, std::map<uint64_t, uint64_t>* positions) {
  const Json printable = Printable(statement);
  const Json document = {{"error", false}, {"statements", Json::array({printable})}};
  SLUICE_TRY(auto text, WithConnection([&](Connection& c) {
               return c.PreparedScalar("SELECT json_deserialize_sql(CAST($t AS VARCHAR))", {{"t", "string", document.dump()}});
             }));
  SLUICE_TRY(const Json again, Serialize(text.value_or("")));
  if (again.value("error", false) || again["statements"].size() != 1 ||
      !SameTree(printable["node"], again["statements"][0]["node"], positions))
    return Fail(UserError("sql-unsupported", "this statement cannot be written down again without changing what it means")
                    .Hint("simplify the joins: nest them in subqueries or WITH"));
  return *text;
}

}  // namespace sluice::engines
