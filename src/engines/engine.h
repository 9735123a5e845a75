#pragma once
// An engine computes and never commits (design section 9).
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "contract/type.h"
#include "core/clock.h"
#include "core/result.h"
#include "engines/duckdb.h"

namespace arrow {
class RecordBatchReader;
}

namespace sluice::engines {

struct StepInput {
  std::string id;        // TableUse::id() in the tree
  std::string relation;  // the scan that `tables` made of it: text for FROM
  contract::Schema schema;
};

// One computation, as a value.
struct Step {
  std::string name;  // for logs: "silver.orders"
  std::string sql;   // canonical, lowered: its FROMs name relations
  std::vector<Parameter> params;
  contract::Schema output;  // every column is cast to it
};

class Engine {
 public:
  virtual ~Engine() = default;
  // Arrow batches of exactly step.output's types, in its order. Cancelled: error "sql-interrupted".
  virtual Result<std::shared_ptr<arrow::RecordBatchReader>> Compute(const Step& step) = 0;
};

// Over a connection of its own for each Compute.
std::unique_ptr<Engine> NewDuckDbEngine(DuckDb& db);

}  // namespace sluice::engines
