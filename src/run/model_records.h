#pragma once
// What do the records of a batch say of each of its models? Those of one alone are the model's own; those of a publish group keep cursor,
// inputs, counts and fingerprint for each table of the group.
#include <map>
#include <optional>
#include <string>

#include "run/model_plan.h"
#include "state/batch.h"

namespace sluice::run {

bool IsGroup(const plan::Node& node);  // does it share a publish group?

// Whose records a node's batches have: "silver.orders", "publish.evening".
std::string BatchOwner(const plan::Node& node);

inline constexpr std::string_view kGroupOwnerPrefix = "publish.";

// The cursor of a batch's owner, every version in it known: what a batch keeps that computes nothing.
Result<std::string> ResolvedCursor(const std::string& owner, const state::NodeState& state);

// The cursor of one model, out of its owner's as a record has it: versions of tables of the same batch are kOfThisBatch.
Result<ModelCursor> CursorOfModel(const plan::Node& node, const std::string& owner_cursor);
// The same, put in its place.
std::string WithCursorOfModel(const plan::Node& node, const std::string& owner_cursor, const ModelCursor& cursor);

// What the records of a batch's owner say of one model.
Result<state::NodeState> StateOfModel(const plan::Node& node, const state::NodeState& owner);

// What a decided batch of its owner planned for this model; nullopt where the batch leaves it out.
Result<std::optional<ModelPlan>> PlanOfModel(const plan::Node& node, const state::ReadyRecord& ready);

// Why the model must be built anew, whatever its cursor says: another owner's batch wrote its table since. "" = it need not.
Result<std::string> WrittenByOthers(Session& session, const plan::Node& node, const state::NodeState& state, const delta::Snapshot* table);

// The part of a record's text that is about one table of a group; "null" where there is none. And such a text with another part, a JSON
// text.
std::string PartOf(const std::string& text, const std::string& table);
std::string WithPart(const std::string& text, const std::string& table, const std::string& part);

// App id → batch: of other owners of this project, as a table's log knows them. `table`: null = none.
std::map<std::string, int64_t> OthersIn(const delta::Snapshot* table, const state::NodeIdentity& own);

}  // namespace sluice::run
