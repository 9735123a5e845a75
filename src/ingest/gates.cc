#include "ingest/gates.h"

#include <fmt/format.h>

#include "core/counted.h"
#include "core/text.h"

namespace sluice::ingest {
namespace {

std::string Samples(const std::vector<RuleCount>& rules) {
  constexpr size_t kShown = 3;
  std::string text;
  size_t shown = 0;
  for (const RuleCount& rule : rules) {
    if (rule.warn) continue;
    for (const Sample& sample : rule.samples) {
      if (shown++ == kShown) return text;
      text += fmt::format("\n  {}:{}: {}{}{}: {}", sample.file, sample.line > 0 ? sample.line : sample.row, rule.column,
                          rule.column.empty() ? "" : " ", sample.value.empty() ? rule.rule : "\"" + sample.value + "\"", sample.message);
    }
  }
  return text;
}

// "3 of 10 records break"
std::string Breaking(const Counts& total) {
  return fmt::format("{} of {} {}", FormatCount(total.quarantined), Counted(total.read, "record"),
                     total.quarantined == 1 ? "breaks" : "break");
}

}  // namespace

std::optional<Error> GateRefusal(const contract::Contract& contract, const Tally& tally) {
  const Counts total = tally.total();
  const auto rules = tally.rules();
  if (tally.blocking() > 0) {
    return DataError("contract-violated",
                     fmt::format("{} of rules with on_fail: block{}", Counted(tally.blocking(), "violation"), Samples(rules)))
        .At(contract.where);
  }
  if (total.quarantined > 0 && contract.on_violation == contract::OnViolation::kFail) {
    return DataError("contract-violated", fmt::format("{} the contract, and on_violation is fail{}", Breaking(total), Samples(rules)))
        .At(contract.where)
        .Hint("on_violation: quarantine keeps the good records and sets the others aside");
  }
  if (tally.type_violations() > 0 && contract.on_type_change == contract::OnTypeChange::kFail) {
    return DataError("type-changed", fmt::format("{} of the column's type, and on_type_change is fail{}",
                                                 Counted(tally.type_violations(), "value is not", "values are not"), Samples(rules)))
        .At(contract.where);
  }
  const auto& limit = contract.max_quarantined;
  const bool share = total.read >= limit.min_rows && static_cast<double>(total.quarantined) > limit.share * static_cast<double>(total.read);
  const bool rows = limit.rows && total.quarantined > *limit.rows;
  if (!share && !rows) return std::nullopt;
  const std::string allowed = rows ? FormatCount(*limit.rows) : fmt::format("{:g}%", limit.share * 100);
  return DataError("too-many-quarantined",
                   fmt::format("{} the contract; max_quarantined allows {}{}", Breaking(total), allowed, Samples(rules)))
      .At(contract.where)
      .Hint("nothing was committed; the same files come again after a fix of the data, the contract or max_quarantined");
}

Status KeepRefused(store::ObjectStore& lake, const std::string& quarantine_root, const std::vector<tables::StagedFile>& files,
                   const BatchIdentity& batch) {
  const std::string key = RefusedKey(batch);
  const std::string stem = key.substr(0, key.size() - std::string_view(".parquet").size());
  for (size_t i = 0; i < files.size(); ++i) {
    SLUICE_TRY(const auto bytes, lake.Get(quarantine_root + "/" + PercentDecode(files[i].add.path)));
    SLUICE_CHECK(lake.Put(i == 0 ? key : fmt::format("{}.{}.parquet", stem, i + 1), bytes));
  }
  return Ok();
}

}  // namespace sluice::ingest
