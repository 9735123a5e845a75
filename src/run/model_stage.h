#pragma once
// A model's batch, computed and staged by its store.
#include <string>
#include <vector>

#include "run/model_plan.h"
#include "run/relations.h"
#include "tables/change.h"

namespace sluice::run {

struct StageIdentity {
  std::string batch_of;  // the node or publish group whose batch this is: names the staged files
  int64_t n = 0;
  int attempt = 0;
  std::string run_id;
  Instant clock;  // $run_started_at: of the batch's first attempt
  int64_t memory_bytes = 256LL << 20;
};

struct StagedModel {
  tables::TableTarget target;
  tables::StagedChange change;
  std::string this_sql, batch_sql;  // relations for checks
  contract::Schema schema;          // of both
  std::vector<std::string> notes;
};

// Reads exactly the inputs that `plan` names, from what `pin_of` has or else from the log, on the table's newest version. Errors of the SQL
// are kUser with a place; of the data (null key, ambiguous sequence, row outside its window) kData; "schema-change" where the result can't
// be stored without --full-refresh.
Result<StagedModel> StageModel(Session& session, const PinOf& pin_of, const plan::Node& node, const ModelPlan& plan,
                               const StageIdentity& identity);

OwnRelations OwnRelationsOf(const StagedModel& staged);

}  // namespace sluice::run
