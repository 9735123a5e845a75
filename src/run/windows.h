#pragma once
// Which windows of an interval model are due? Windows are half-open, aligned to the calendar (UTC).
#include <set>
#include <string>
#include <vector>

#include "run/model_plan.h"

namespace sluice::run {

// Starts of windows, as microseconds since the epoch.
using WindowStarts = std::set<int64_t>;

int64_t WindowStart(project::Every every, int64_t micros);  // of the window that holds it
int64_t NextWindow(project::Every every, int64_t start, int steps = 1);

// A literal of `model`'s window type ("2024-01-31", "2024-01-31T10:00:00Z") ↔ microseconds. Error "bad-start".
std::string WindowLiteral(const project::Model& model, int64_t micros);
Result<int64_t> ParseWindowLiteral(const std::string& text);

// Adjacent windows joined to ranges.
std::vector<tables::Window> JoinWindows(const project::Model& model, const WindowStarts& starts);

// The model's lowered SQL over each of the windows, their bounds as literals in the place of $window_start and $window_end. Requires
// windows.
std::string OverWindows(const std::string& sql, const project::Model& model, const std::vector<tables::Window>& windows);

// Windows that changes of the inputs since `from` touch: found by the column that the SQL compares with $window_start. Null: can't be told
// (why says it): all windows are due.
struct TouchedWindows {
  std::optional<WindowStarts> starts;
  std::string why;
};
Result<TouchedWindows> FindTouched(Session& session, const plan::Node& node, const std::vector<PinnedInput>& inputs,
                                   const ConsumedInputs& from);

}  // namespace sluice::run
