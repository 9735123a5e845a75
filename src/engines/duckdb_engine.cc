#include <arrow/record_batch.h>

#include "engines/engine.h"
#include "engines/sql.h"

namespace sluice::engines {
namespace {

class DuckDbEngine : public Engine {
 public:
  explicit DuckDbEngine(DuckDb& db) : db_(db) {}

  Result<std::shared_ptr<arrow::RecordBatchReader>> Compute(const Step& step) override {
    SLUICE_TRY(const auto connection, db_.Connect());  // the reader keeps what it needs of it
    return connection->Query(CastTo(step.sql, step.output), step.params);
  }

 private:
  DuckDb& db_;
};

}  // namespace

std::unique_ptr<Engine> NewDuckDbEngine(DuckDb& db) { return std::make_unique<DuckDbEngine>(db); }

}  // namespace sluice::engines
