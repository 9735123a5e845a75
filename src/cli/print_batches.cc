#include "cli/print_batches.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "state/restore.h"

namespace sluice::cli {
namespace {

// What a batch was for.
std::string WorkOf(const state::ReadyRecord& ready) {
  const auto target = state::RestoreTargetOf(ready);
  return target ? fmt::format("restore of batch {}", target->batch) : ready.kind;
}

}  // namespace

nlohmann::ordered_json ToJson(const state::BatchSummary& batch) {
  return {{"n", batch.n},
          {"attempts", batch.attempts},
          {"state", batch.done    ? batch.done->abandoned ? "abandoned" : "done"
                    : batch.ready ? "decided"
                                  : "open"},
          {"kind", batch.ready ? WorkOf(*batch.ready) : ""},
          {"run", batch.ready ? batch.ready->run_id : ""}};
}

std::string RenderBatches(const nlohmann::ordered_json& batches) {
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (const auto& batch : batches)
    rows.push_back({batch["n"].dump(), batch["state"].get<std::string>(), batch["kind"].get<std::string>(), batch["attempts"].dump(),
                    batch["run"].get<std::string>()});
  return RenderTable({"batch", "state", "kind", "attempts", "run"}, rows);
}

}  // namespace sluice::cli
