#pragma once
// DuckDB's binder errors in the user's terms, at their places in the model's text.
#include <functional>
#include <map>
#include <string>

#include "engines/sql/source_text.h"
#include "engines/sql/tree.h"

namespace sluice::engines {

// What the translation may look at.
struct BindContext {
  const SourceText& source;
  const std::map<std::string, contract::Schema>& inputs;
  const std::vector<TableUse>& uses;
  // A byte of the statement that was bound → one of `source`; kNoPosition if unknown.
  std::function<uint64_t(uint64_t)> original;
};

// `error` as DuckDB gives it with errors_as_json. Codes: "unknown-column", "unknown-alias", "unknown-function", "unknown-type",
// "type-mismatch", "ambiguous-column", "not-grouped", "sql-bind".
Error TranslateBindError(const Error& error, const BindContext& context);

}  // namespace sluice::engines
