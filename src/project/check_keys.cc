#include "project/check_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "project/names.h"
#include "project/pattern.h"

namespace sluice::project {
namespace {

// The keys that start a rule; each entry has exactly one.
const std::vector<std::string> kRules = {"unique",    "not_null",  "column",       "values", "relationship",
                                         "row_count", "freshness", "accounts_for", "sql"};

// The further keys that each rule takes.
bool TakesKey(std::string_view rule, std::string_view key) {
  if (key == rule || key == "name" || key == "on_fail" || key == "description") return true;
  if (key == "tolerate" || key == "where") return rule != "sql" ? true : key == "tolerate";
  if (rule == "column") return key == "values" || key == "min" || key == "max" || key == "length" || key == "pattern";
  if (rule == "values") return key == "in";
  if (rule == "relationship") return key == "to";
  if (rule == "freshness") return key == "within";
  if (rule == "accounts_for") return key == "key";
  return false;
}

}  // namespace

const config::GivenKey* FindGiven(const CheckSpec& spec, std::string_view name) {
  for (const auto& key : spec.given)
    if (key.name == name) return &key;
  return nullptr;
}

std::string RuleOf(const CheckSpec& spec, Diagnostics& diagnostics) {
  std::string rule;
  for (const std::string& candidate : kRules) {
    if (!FindGiven(spec, candidate) || (candidate == "values" && rule == "column")) continue;
    if (!rule.empty()) {
      diagnostics.Add(UserError("several-rules", fmt::format("one check has both \"{}\" and \"{}\"", rule, candidate))
                          .At(FindGiven(spec, candidate)->where)
                          .Hint("make two entries of it"));
      return "";
    }
    rule = candidate;
  }
  if (rule.empty()) {
    const bool lacks_column = FindGiven(spec, "min") || FindGiven(spec, "max") || FindGiven(spec, "pattern") || FindGiven(spec, "length");
    diagnostics.Add(UserError("no-rule", "this check has no rule")
                        .At(spec.where)
                        .Hint(lacks_column ? "add column: NAME" : "it needs one of " + Join(kRules, ", ")));
  }
  return rule;
}

bool HasOnlyItsKeys(const CheckSpec& spec, const std::string& rule, Diagnostics& diagnostics) {
  bool good = true;
  for (const auto& key : spec.given) {
    if (TakesKey(rule, key.name)) continue;
    good = false;
    diagnostics.Add(UserError("key-of-another-rule", fmt::format("\"{}\" does not belong to the rule \"{}\"", key.name, rule))
                        .At(key.where)
                        .Hint(key.name == "where" ? "write the condition in the SQL" : "remove it, or make another entry"));
  }
  return good;
}

bool Needs(const CheckSpec& spec, bool has, const std::string& rule, const std::string& example, Diagnostics& diagnostics) {
  if (!has)
    diagnostics.Add(
        UserError("missing-key", fmt::format("the rule \"{}\" says too little", rule)).At(spec.where).Hint("write it as " + example));
  return has;
}

bool CheckBounds(const LengthSpec& bounds, std::string_view what, Diagnostics& diagnostics) {
  if (bounds.broken) return false;
  if (!bounds.min && !bounds.max) {
    diagnostics.Add(UserError("missing-key", fmt::format("\"{}\" has neither min nor max", what))
                        .At(bounds.where)
                        .Hint("write a number, or { min: 1, max: 10 }"));
    return false;
  }
  if (!bounds.min || !bounds.max || *bounds.min <= *bounds.max) return true;
  diagnostics.Add(UserError("empty-range", fmt::format("\"{}\": the min {} is above the max {}", what, *bounds.min, *bounds.max))
                      .At(bounds.where)
                      .Hint("swap them"));
  return false;
}

void CheckPatternAt(const PlacedText& pattern, Diagnostics& diagnostics) {
  if (auto status = CheckPattern(pattern.value); !status) diagnostics.Add(std::move(status).error().At(pattern.where));
}

void CheckNamesDiffer(const std::vector<CheckSpec>& specs, Diagnostics& diagnostics) {
  Texts names;
  for (const CheckSpec& spec : specs)
    if (spec.name) names.push_back(*spec.name);
  CheckDistinct(names, "duplicate-check", "a check named", diagnostics);
}

}  // namespace sluice::project
