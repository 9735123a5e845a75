#pragma once
// A model's batch, computed and staged by its store.
#include <string>
#include <vector>

#include "run/model_plan.h"
#include "run/relations.h"
#include "tables/change.h"

namespace sluice::run {

struct StageIdentity {
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

// Reads exactly the inputs that `plan` names, on the table's newest version. Errors of the SQL are kUser with a place; of the data (null
// key, ambiguous sequence, row outside its window) kData; "schema-change" where the result can't be stored without --full-refresh.
Result<StagedModel> StageModel(Session& session, const plan::Node& node, const ModelPlan& plan, const StageIdentity& identity);

OwnRelations OwnRelationsOf(const StagedModel& staged);

// The schema that a model's SQL gives, checked against what its .yml says of it (key, sequence_by, track, columns …): errors at their
// place. `inputs`: TableUse::id() → columns.
Result<contract::Schema> BindModel(Session& session, const plan::Node& node, const std::map<std::string, contract::Schema>& inputs);

// Columns of the model's table as readers see them: with scd2's own and metadata columns.
Result<contract::Schema> StoredSchema(const plan::Node& node, const contract::Schema& model_schema);

}  // namespace sluice::run
