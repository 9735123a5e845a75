#pragma once
// Which nodes did the person mean? Selectors as dbt users type them.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "plan/graph.h"

namespace sluice::plan {

// What `result:` selectors look at: table → "ok", "failed", "refused", "skipped", "blocked" of the last run.
using LastResults = std::map<std::string, std::string>;

struct Selection {
  std::vector<std::string> select;  // each -s; within one, spaces or several words = union, commas = intersection; empty = all
  std::vector<std::string> exclude;
};

// Of a publish group all or none are chosen: who names one means all.
// One term: [+|N+]METHOD:VALUE[+|+N] with methods tag, source, model, layer, path, owner, result, schedule, store; no method: a table
// name, with or without its layer, globs allowed. Errors: "unknown-selector" (no such method), "nothing-selected" (with the near names).
Result<std::set<size_t>> Select(const Graph& graph, const Selection& selection, const LastResults& last = {});

}  // namespace sluice::plan
