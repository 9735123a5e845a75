#include "ingest/gates.h"

#include <fmt/format.h>

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

}  // namespace

std::optional<Error> GateRefusal(const contract::Contract& contract, const Tally& tally) {
  const Counts total = tally.total();
  const auto rules = tally.rules();
  if (tally.blocking() > 0) {
    return DataError("contract-violated",
                     fmt::format("{} violations of rules with on_fail: block{}", FormatCount(tally.blocking()), Samples(rules)))
        .At(contract.where);
  }
  if (total.quarantined > 0 && contract.on_violation == contract::OnViolation::kFail) {
    return DataError("contract-violated", fmt::format("{} of {} records break the contract, and on_violation is fail{}",
                                                      FormatCount(total.quarantined), FormatCount(total.read), Samples(rules)))
        .At(contract.where)
        .Hint("on_violation: quarantine keeps the good records and sets the others aside");
  }
  if (tally.type_violations() > 0 && contract.on_type_change == contract::OnTypeChange::kFail) {
    return DataError("type-changed", fmt::format("{} values are not of their column's type, and on_type_change is fail{}",
                                                 FormatCount(tally.type_violations()), Samples(rules)))
        .At(contract.where);
  }
  const auto& limit = contract.max_quarantined;
  const bool share = total.read >= limit.min_rows && static_cast<double>(total.quarantined) > limit.share * static_cast<double>(total.read);
  const bool rows = limit.rows && total.quarantined > *limit.rows;
  if (!share && !rows) return std::nullopt;
  const std::string allowed = rows ? FormatCount(*limit.rows) : fmt::format("{:g}%", limit.share * 100);
  return DataError("too-many-quarantined", fmt::format("{} of {} records break the contract; max_quarantined allows {}{}",
                                                       FormatCount(total.quarantined), FormatCount(total.read), allowed, Samples(rules)))
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
