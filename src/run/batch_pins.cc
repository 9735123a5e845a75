#include "run/batch_pins.h"

#include <memory>
#include <utility>

namespace sluice::run {

PinOf BatchPins::pin_of() const {
  return [this](const std::string& table) -> Result<Pinned> {
    const auto staged = staged_.find(table);
    return staged == staged_.end() ? run_(table) : Result<Pinned>(staged->second);
  };
}

Status BatchPins::Add(const std::string& table, const delta::PreparedCommit& commit, const delta::Snapshot* base, Instant at) {
  auto staged = std::make_shared<delta::LogCommit>(delta::LogCommit{commit.read_version + 1, commit.actions});
  SLUICE_TRY(auto after, delta::Preview(base, *staged));
  after.timestamp = at.millis();
  staged_[table] = {std::make_shared<const delta::Snapshot>(std::move(after)), std::move(staged)};
  return Ok();
}

}  // namespace sluice::run
