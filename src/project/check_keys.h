#pragma once
// What the entries of `checks:` and of a contract's `rules:` have in common: which rule one is, and whether its keys fit.
#include <string>
#include <string_view>
#include <vector>

#include "project/spec.h"

namespace sluice::project {

// The key as the file gave it; null if it did not.
const config::GivenKey* FindGiven(const CheckSpec& spec, std::string_view name);
// The rule's key, or "" with an error.
std::string RuleOf(const CheckSpec& spec, Diagnostics& diagnostics);
// Each false with an error: "key-of-another-rule"; "missing-key" with the example; "missing-key", "empty-range".
bool HasOnlyItsKeys(const CheckSpec& spec, const std::string& rule, Diagnostics& diagnostics);
bool Needs(const CheckSpec& spec, bool has, const std::string& rule, const std::string& example, Diagnostics& diagnostics);
bool CheckBounds(const LengthSpec& bounds, std::string_view what, Diagnostics& diagnostics);
void CheckPatternAt(const PlacedText& pattern, Diagnostics& diagnostics);
// "duplicate-check"
void CheckNamesDiffer(const std::vector<CheckSpec>& specs, Diagnostics& diagnostics);

}  // namespace sluice::project
