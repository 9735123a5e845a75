#include "engines/sql/bind_errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "core/text.h"
#include "engines/duckdb/handles.h"

namespace sluice::engines {
namespace {

struct Binder {
  std::string type, message, subtype, name, entry_type, candidates, call;
  uint64_t position = kNoPosition;
};

std::optional<Binder> Read(const std::string& text) {
  const size_t brace = text.find('{');
  if (brace == std::string::npos) return std::nullopt;
  const Json json = Json::parse(text.substr(brace), nullptr, false);
  if (!json.is_object()) return std::nullopt;
  Binder out{Text(json, "exception_type"), Text(json, "exception_message"), Text(json, "error_subtype"), Text(json, "name"),
             Text(json, "type"),           Text(json, "candidates"),        Text(json, "call"),          kNoPosition};
  if (const std::string& position = Text(json, "position"); !position.empty()) out.position = std::strtoull(position.c_str(), nullptr, 10);
  return out;
}

bool Has(const std::string& message, std::string_view part) { return message.find(part) != std::string::npos; }

// The text between the n-th pair of double quotes; "" if there is none.
std::string Quoted(const std::string& message, int n = 0) {
  size_t open = message.find('"');
  for (; n > 0 && open != std::string::npos; --n) {
    const size_t close = message.find('"', open + 1);
    open = close == std::string::npos ? close : message.find('"', close + 1);
  }
  const size_t close = open == std::string::npos ? open : message.find('"', open + 1);
  return close == std::string::npos ? "" : message.substr(open + 1, close - open - 1);
}

// "column foo must appear …", "Referenced column zz not found …": the word after "column ".
std::string WordAfterColumn(const std::string& message) {
  const size_t at = ToLower(message).find("column ");
  if (at == std::string::npos) return "";
  size_t end = at + 7;
  while (end < message.size() && !std::isspace(static_cast<unsigned char>(message[end]))) ++end;
  return message.substr(at + 7, end - at - 7);
}

std::string FirstLine(const std::string& message) { return message.substr(0, message.find('\n')); }

// DuckDB's message without its list of candidate functions and its position marker.
std::string Shortened(const std::string& message) {
  std::string line = FirstLine(message);
  const size_t advice = line.find(". You might need to add explicit type casts");
  if (advice != std::string::npos) line.erase(advice);
  while (!line.empty() && (line.back() == '.' || line.back() == '!')) line.pop_back();
  return line;
}

std::vector<std::string> KnownColumns(const BindContext& context) {
  std::vector<std::string> names;
  for (const TableUse& use : context.uses)
    if (const auto input = context.inputs.find(use.id()); input != context.inputs.end())
      for (const contract::Field& field : input->second.fields)
        if (std::find(names.begin(), names.end(), field.name) == names.end()) names.push_back(field.name);
  return names;
}

std::string Suggestion(const std::string& word, const std::string& candidates, const BindContext& context) {
  std::vector<std::string> names = candidates.empty() ? KnownColumns(context) : Split(candidates, ',');
  for (std::string& name : names) name = std::string(Trim(name));
  std::erase_if(names, [&](const std::string& name) { return EqualsIgnoreCase(name, word); });
  return DidYouMean(word, names);
}

std::string ColumnsHint(const BindContext& context) {
  std::vector<std::string> names;
  for (std::string& name : KnownColumns(context))
    if (!contract::IsMetadataColumn(name)) names.push_back(std::move(name));
  if (names.empty()) return "";
  const bool more = names.size() > 12;
  if (more) names.resize(12);
  return "columns of the inputs: " + Join(names, ", ") + (more ? ", …" : "");
}

Error UnknownColumn(const Binder& e, const std::string& name, const BindContext& context) {
  return UserError("unknown-column", fmt::format("there is no column \"{}\" here{}", name, Suggestion(name, e.candidates, context)))
      .Hint(ColumnsHint(context));
}

Error UnknownQualifiedColumn(const Binder& e, const BindContext& context) {
  const std::string table = Quoted(e.message, 0), column = Quoted(e.message, 1);
  return UserError("unknown-column", fmt::format("{} has no column \"{}\"{}", table, column, Suggestion(column, e.candidates, context)))
      .Hint(ColumnsHint(context));
}

Error UnknownAlias(const Binder& e) {
  const std::string name = Quoted(e.message);
  const size_t at = e.message.find("Candidate tables:");
  std::vector<std::string> known;
  if (at != std::string::npos)
    for (const std::string& part : Split(e.message.substr(at + 17), ',')) known.push_back(Quoted(part));
  return UserError("unknown-alias", fmt::format("no table in this FROM is called \"{}\"{}", name, DidYouMean(name, known)))
      .Hint(known.empty() ? "" : "known here: " + Join(known, ", "));
}

Error UnknownEntry(const Binder& e) {
  if (e.entry_type == "Type")
    return UserError("unknown-type", fmt::format("there is no type \"{}\"{}", e.name, DidYouMean(e.name, Split(e.candidates, ','))));
  if (!e.entry_type.ends_with("Function")) return UserError("sql-bind", Shortened(e.message));
  const std::string suggestion = DidYouMean(e.name, Split(e.candidates, ','));
  return UserError("unknown-function", fmt::format("there is no function {}(){}", e.name, suggestion))
      .Hint("functions are DuckDB's and the macros of macros/*.sql");
}

bool IsMismatch(const Binder& e) {
  return e.subtype == "NO_MATCHING_FUNCTION" || e.type == "Conversion" || e.type == "Mismatch Type" || Has(e.message, "explicit cast") ||
         Has(e.message, "explicit type cast") || Has(e.message, "Cannot compare values") || Has(e.message, "Cannot mix values") ||
         Has(e.message, "can only be applied to") || Has(e.message, "Unimplemented type for cast") || Has(e.message, "Cannot cast");
}

// Binder errors that name a column which is nowhere.
std::string MissingColumn(const Binder& e) {
  if (e.subtype == "COLUMN_NOT_FOUND") return e.name;
  const std::string& m = e.message;
  if (Has(m, "in EXCLUDE list not found") || Has(m, "in REPLACE list not found") || Has(m, "in RENAME list not found") ||
      Has(m, "side of join") || m.starts_with("Referenced column \""))
    return Quoted(m);
  if (m.starts_with("Referenced column ")) return WordAfterColumn(m);
  return "";
}

// Neither a column of an input nor spelled a second time (as an alias).
bool IsNowhereElse(const std::string& column, const BindContext& context) {
  for (const std::string& known : KnownColumns(context))
    if (EqualsIgnoreCase(known, column)) return false;
  const size_t first = context.source.Find(column);
  return first != std::string::npos && context.source.Find(column, first + 1) == std::string::npos;
}

Error Describe(const Binder& e, const BindContext& context) {
  const std::string& m = e.message;
  if (Has(m, "does not have a column named")) return UnknownQualifiedColumn(e, context);
  if (const std::string column = MissingColumn(e); !column.empty()) return UnknownColumn(e, column, context);
  if (m.starts_with("Referenced table")) return UnknownAlias(e);
  if (Has(m, "Could not find key")) {
    const size_t at = m.find("Candidate Entries:");
    return UserError("unknown-column", fmt::format("the struct has no field \"{}\"", Quoted(m)))
        .Hint(at == std::string::npos ? "" : "its fields: " + std::string(Trim(m.substr(at + 18))));
  }
  if (e.subtype == "MISSING_ENTRY") return UnknownEntry(e);
  if (m.starts_with("Ambiguous reference"))
    return UserError("ambiguous-column", fmt::format("\"{}\" is a column of several tables", Quoted(m)))
        .Hint(Has(m, "(use: ") ? "write " + m.substr(m.find("(use: ") + 6, m.rfind(')') - m.find("(use: ") - 6) : "say which table's");
  if (Has(m, "must appear in the GROUP BY clause")) {
    const std::string column = Quoted(m).empty() ? WordAfterColumn(m) : Quoted(m);
    if (IsNowhereElse(column, context)) return UnknownColumn(e, column, context);  // HAVING says this of what does not exist
    return UserError("not-grouped", fmt::format("\"{}\" is neither grouped nor aggregated", column))
        .Hint(fmt::format("add it to GROUP BY, or take one value of the group: max({})", column));
  }
  if (IsMismatch(e)) return UserError("type-mismatch", Shortened(m)).Hint("CAST one side to the type that is meant");
  return UserError("sql-bind", Shortened(m));
}

// Where DuckDB gives no position: the first place that spells what the message names.
uint64_t Spelled(const Binder& e, const BindContext& context) {
  for (const std::string& word : {e.name, Quoted(e.message), WordAfterColumn(e.message), Quoted(e.message, 1)}) {
    if (word.empty()) continue;
    if (const size_t at = context.source.Find(word); at != std::string::npos) return at;
  }
  return kNoPosition;
}

Location Place(const Binder& e, const BindContext& context) {
  // DuckDB points inside the printed type, or into a list: the word itself is nearer.
  const bool by_word = e.entry_type == "Type" || Has(e.message, " list not found");
  if (const uint64_t spelled = by_word ? Spelled(e, context) : kNoPosition; spelled != kNoPosition) return context.source.At(spelled);
  uint64_t position = e.position == kNoPosition ? kNoPosition : context.original(e.position);
  if (position == kNoPosition) position = Spelled(e, context);
  return context.source.At(position == kNoPosition ? 0 : position);
}

}  // namespace

Error TranslateBindError(const Error& error, const BindContext& context) {
  if (error.code != "sql") return error;
  const auto binder = Read(error.message);
  if (!binder) return UserError("sql-bind", FirstLine(error.message)).At(context.source.At(0));
  // What is no fault of the SQL keeps its kind: interrupted, out of memory, a broken instance.
  if (Error failed = SqlError(binder->type + " Error: " + binder->message); failed.code != "sql") return failed;
  return Describe(*binder, context).At(Place(*binder, context));
}

}  // namespace sluice::engines
