#include "ingest/tally.h"

#include <algorithm>
#include <optional>

#include "contract/decode.h"
#include "core/text.h"

namespace sluice::ingest {
namespace {

using contract::DataType;
using contract::TypeKind;
using contract::Violation;

constexpr size_t kSamples = 3;

// The narrowest wider type of the same family that holds `text`; nullopt if none does.
std::optional<DataType> WiderType(const DataType& type, std::string_view text) {
  if (type.is_integer()) {
    int64_t value = 0;
    for (const TypeKind kind : {TypeKind::kSmallint, TypeKind::kInteger, TypeKind::kBigint}) {
      const auto range = contract::RangeOf(kind);
      if (kind > type.kind && contract::DecodeInteger(text, range.min, range.max, &value) == contract::Decoded::kOk)
        return DataType::Of(kind);
    }
  }
  if (type.kind == TypeKind::kDecimal) {
    contract::Int128 value = 0;
    for (int scale = type.scale; scale <= contract::kMaxDecimalDigits; ++scale) {
      for (int whole = type.precision - type.scale; whole + scale <= contract::kMaxDecimalDigits; ++whole) {
        if (whole + scale < 1) continue;
        const auto outcome = contract::DecodeDecimal(text, whole + scale, scale, &value);
        if (outcome == contract::Decoded::kOk) return DataType::Decimal(whole + scale, scale);
        if (outcome == contract::Decoded::kSyntax) return std::nullopt;
        if (outcome == contract::Decoded::kInexact) break;
      }
    }
  }
  return std::nullopt;
}

// A type that holds both.
DataType Join(const DataType& a, const DataType& b) {
  if (a.kind != TypeKind::kDecimal) return a.kind > b.kind ? a : b;
  const int scale = std::max(a.scale, b.scale), whole = std::max(a.precision - a.scale, b.precision - b.scale);
  return DataType::Decimal(std::min(scale + whole, contract::kMaxDecimalDigits), scale);
}

}  // namespace

Counts& Counts::operator+=(const Counts& other) {
  read += other.read;
  written += other.written;
  quarantined += other.quarantined;
  deduplicated += other.deduplicated;
  warned += other.warned;
  return *this;
}

Tally::Tally(const contract::Contract& contract, const std::vector<InputFile>& files) : contract_(contract) {
  for (const InputFile& file : files) files_.push_back({file.name.empty() ? file.object.key : file.name, {}});
  for (const auto& column : contract.columns) {
    if (column.on_fail == contract::OnFail::kBlock) blocking_columns_.insert(column.name);
  }
  for (const auto& rule : contract.rules) {
    if (rule.on_fail == contract::OnFail::kBlock) blocking_rules_.insert(rule.name);
  }
}

void Tally::AddViolations(size_t file, const CheckedBlock& block) {
  if (block.violations.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const Violation& violation : block.violations) {
    Stat& stat = stats_[{violation.column, violation.rule}];
    stat.count.warn = violation.warn;
    ++stat.count.rows;
    const std::pair order(file, block.RowNumber(violation.row));
    if (stat.samples.size() < kSamples || order < stat.samples.back().first)
      Remember(order, violation, block.place(violation.row).line, &stat);
    if (violation.rule == "type") {
      ++type_violations_;
      Widen(violation);
    }
    const bool blocks = violation.column.empty() ? blocking_rules_.contains(violation.rule) : blocking_columns_.contains(violation.column);
    if (!violation.warn && blocks) ++blocking_;
  }
}

void Tally::Remember(std::pair<size_t, int64_t> order, const Violation& violation, int64_t line, Stat* stat) {
  auto& samples = stat->samples;
  const auto at = std::find_if(samples.begin(), samples.end(), [&](const auto& s) { return order < s.first; });
  samples.insert(at, {order, Sample{files_[order.first].file, order.second, line, violation.value, violation.message}});
  if (samples.size() > kSamples) samples.pop_back();
}

void Tally::Widen(const Violation& violation) {
  if (contract_.on_type_change != contract::OnTypeChange::kWiden) return;
  const auto column =
      std::find_if(contract_.columns.begin(), contract_.columns.end(), [&](const auto& c) { return c.name == violation.column; });
  if (column == contract_.columns.end()) return;
  if (const auto wider = WiderType(column->type, violation.value)) {
    const auto [known, added] = wider_.try_emplace(violation.column, *wider);
    if (!added) known->second = Join(known->second, *wider);
  }
}

void Tally::AddCounts(size_t file, const Counts& counts) {
  const std::lock_guard lock(mutex_);
  files_[file].counts += counts;
  total_ += counts;
}

Counts Tally::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

std::vector<FileCounts> Tally::files() const {
  const std::lock_guard lock(mutex_);
  return files_;
}

std::vector<RuleCount> Tally::rules() const {
  const std::lock_guard lock(mutex_);
  std::vector<RuleCount> rules;
  for (const auto& [key, stat] : stats_) {
    RuleCount count = stat.count;
    count.column = key.first;
    count.rule = key.second;
    for (const auto& [order, sample] : stat.samples) count.samples.push_back(sample);
    rules.push_back(std::move(count));
  }
  std::stable_sort(rules.begin(), rules.end(), [](const RuleCount& a, const RuleCount& b) { return a.rows > b.rows; });
  return rules;
}

int64_t Tally::blocking() const {
  const std::lock_guard lock(mutex_);
  return blocking_;
}

std::map<std::string, DataType> Tally::wider_types() const {
  const std::lock_guard lock(mutex_);
  return wider_;
}

int64_t Tally::type_violations() const {
  const std::lock_guard lock(mutex_);
  return type_violations_;
}

}  // namespace sluice::ingest
