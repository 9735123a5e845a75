#pragma once
// What a SqlTree holds.
#include <memory>

#include "engines/sql.h"
#include "engines/sql/parser.h"

namespace sluice::engines {

struct SqlTree::Impl {
  std::shared_ptr<SqlParser> parser;  // prints
  SourceText source;
  Json statement;  // {"node", "named_param_map"}: macros expanded, the clock's functions replaced
  std::vector<TableUse> uses;
  std::vector<std::string> parameters;
  std::string fingerprint;
};

}  // namespace sluice::engines
