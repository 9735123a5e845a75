#pragma once
// In which order did the rows that a batch of a model reads arrive? A merge with `sequence_by: arrival` needs to know where one batch
// reads several of its input's: on its first run, in a full refresh, after runs that left it out.
#include <string>
#include <vector>

#include "run/relations.h"

namespace sluice::run {

struct Arrivals {
  std::string use;                     // TableUse::id() of the one new() or changes() that tells arrivals; empty: none does
  std::vector<std::string> relations;  // text for FROM: the rows of each batch that wrote them, or of each version, oldest first
  std::string why_unknown;             // where `use` is empty: why, for people
  std::string remedy;                  // what to do where rows of one key stand in one arrival
};

// What `uses`, of one model, tell of arrivals; `consumed` as RelationsFor has it.
Result<Arrivals> ArrivalsOf(Session& session, const PinOf& pin_of, const std::vector<engines::TableUse>& uses,
                            const ConsumedInputs* consumed);

}  // namespace sluice::run
