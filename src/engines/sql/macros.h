#pragma once
// create macro f(x, y := 1) as …: parsed once, expanded in trees before any engine sees them.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engines/sql/parser.h"

namespace sluice::engines {

struct MacroParameter {
  std::string name;
  std::optional<Json> default_value;
};

struct Macro {
  std::string name;
  std::vector<MacroParameter> parameters;
  bool is_table = false;
  Json body;  // an expression, or a query node
  Location where;
};

// One `create [or replace] macro` text. Errors "bad-macro", and "sql-syntax" inside the body, at their places.
Result<Macro> ParseMacro(SqlParser& parser, const std::string& sql, const Location& where);

// By lower-case name.
using MacroMap = std::map<std::string, Macro>;

// Replaces every call in `root` by the macro's body, with the position of the call. Errors "bad-macro-call" at the call, "bad-macro" for
// a macro that calls itself.
Status ExpandMacros(const MacroMap& macros, const SourceText& source, Json* root);

}  // namespace sluice::engines
