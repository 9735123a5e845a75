#include "ingest/check_block.h"

#include <arrow/api.h>

#include <algorithm>

namespace sluice::ingest {

using contract::Violation;

namespace {

// A field that could not be decoded is NULL only for that reason: its rules have nothing to say. Nor has any rule about a record
// that could not be split.
void DropEchoes(size_t decoded, std::vector<Violation>* violations, const std::vector<uint8_t>& broken) {
  const auto undecoded = [&](const Violation& v) {
    if (broken[static_cast<size_t>(v.row)] == 0) return false;
    const auto end = violations->begin() + static_cast<int64_t>(decoded);
    auto at = std::lower_bound(violations->begin(), end, v.row, [](const Violation& a, int64_t row) { return a.row < row; });
    for (; at != end && at->row == v.row; ++at) {
      if (at->column.empty() || at->column == v.column || v.column.empty()) return true;
    }
    return false;
  };
  size_t kept = decoded;
  for (size_t i = decoded; i < violations->size(); ++i) {
    if (undecoded((*violations)[i])) continue;
    if (kept != i) (*violations)[kept] = std::move((*violations)[i]);
    ++kept;
  }
  violations->resize(kept);
}

}  // namespace

void CheckedBlock::Refuse(Violation violation) {
  uint8_t& mark = refused[static_cast<size_t>(violation.row)];
  refused_rows += mark == 0;
  mark = 1;
  violations.push_back(std::move(violation));
}

void CheckedBlock::SortViolations() {
  std::stable_sort(violations.begin(), violations.end(), [](const Violation& a, const Violation& b) { return a.row < b.row; });
}

int64_t CheckedBlock::warned_rows() const {
  int64_t rows = 0, last = -1;
  for (const Violation& v : violations) {
    if (!v.warn || refused[static_cast<size_t>(v.row)] != 0 || v.row == last) continue;
    last = v.row;
    ++rows;
  }
  return rows;
}

Result<CheckedBlock> CheckBlock(formats::DecodedBatch decoded, const contract::RowRules& rules, SqlRules* sql) {
  CheckedBlock block;
  block.first_row = decoded.first_row;
  block.place = std::move(decoded.place);
  block.raw = std::move(decoded.raw);
  block.new_columns = decoded.new_columns;
  block.violations = std::move(decoded.violations);
  SLUICE_TRY(block.rows, rules.FillDefaults(std::move(decoded.rows)));
  block.refused.assign(static_cast<size_t>(block.rows->num_rows()), 0);
  const size_t from_decoding = block.violations.size();
  for (const Violation& violation : block.violations) block.refused[static_cast<size_t>(violation.row)] = 1;
  if (sql != nullptr) SLUICE_CHECK(sql->Load(block.rows));
  const contract::RuleMask mask = sql == nullptr ? contract::RuleMask() : [sql](int column) { return sql->Mask(column); };
  rules.Check(*block.rows, mask, &block.violations);
  if (sql != nullptr) sql->AppendViolations(&block.violations);
  if (from_decoding > 0) DropEchoes(from_decoding, &block.violations, block.refused);
  for (const Violation& violation : block.violations) {
    if (!violation.warn) block.refused[static_cast<size_t>(violation.row)] = 1;
  }
  block.refused_rows = std::count(block.refused.begin(), block.refused.end(), 1);
  block.SortViolations();
  return block;
}

}  // namespace sluice::ingest
