#pragma once
// From a tree of the project's tables to SQL over relations.
#include <map>
#include <string>
#include <vector>

#include "engines/sql/tree.h"

namespace sluice::engines {

struct Lowered {
  std::string sql;
  // Where a byte of `sql` comes from in the model's text; kNoPosition if that cannot be told.
  uint64_t Original(size_t offset) const;

  struct Placed {
    size_t begin, end;                  // in `sql`: the relation's text
    size_t printed_begin, printed_end;  // in the printed text: its name
  };
  std::vector<Placed> placed;              // in order
  std::map<uint64_t, uint64_t> positions;  // printed text → the model's text
};

// `known_rows`: of relations, by use; their count(*) is answered by it. Errors: BugError where a use has no relation; "sql-unsupported"
// from the printer.
Result<Lowered> LowerTree(const SqlTree& tree, const std::map<std::string, std::string>& relations,
                          const std::map<std::string, contract::Schema>& inputs, const std::map<std::string, int64_t>& known_rows = {});

}  // namespace sluice::engines
