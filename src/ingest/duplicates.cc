#include "ingest/duplicates.h"

#include <arrow/api.h>

namespace sluice::ingest {
namespace {

bool IsFree(const Hash128& key) { return key.low == 0 && key.high == 0; }

}  // namespace

UniqueKeys::UniqueKeys(std::vector<int> key, std::vector<int> content, std::string key_text)
    : key_(std::move(key)), content_(std::move(content)), key_text_(std::move(key_text)), slots_(1 << 12) {}

UniqueKeys::Slot* UniqueKeys::Find(const Hash128& key) {
  const size_t mask = slots_.size() - 1;
  size_t at = key.low & mask;
  while (!IsFree(slots_[at].key) && !(slots_[at].key == key)) at = (at + 1) & mask;
  return &slots_[at];
}

void UniqueKeys::Grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (!IsFree(slot.key)) *Find(slot.key) = slot;
  }
}

void UniqueKeys::Apply(CheckedBlock* block, std::vector<uint8_t>* dropped) {
  const RowHashes keys = HashRows(*block->rows, key_);
  const RowHashes contents = HashRows(*block->rows, content_);
  bool refused = false;
  for (size_t row = 0; row < keys.hashes.size(); ++row) {
    if (block->refused[row] != 0 || (*dropped)[row] != 0 || keys.has_null[row] != 0) continue;
    Slot* slot = Find(keys.hashes[row]);
    if (IsFree(slot->key)) {
      *slot = {keys.hashes[row], contents.hashes[row]};
      if (++used_ * 10 > slots_.size() * 7) Grow();
    } else if (slot->content == contents.hashes[row]) {
      (*dropped)[row] = 1;
    } else {
      std::string value;
      for (const int column : key_)
        value += (value.empty() ? "" : ", ") + contract::ValueText(*block->rows->column(column), static_cast<int64_t>(row));
      block->Refuse({static_cast<int64_t>(row), key_text_, "unique", std::move(value),
                     "an earlier row of this batch has this key and other values", false});
      refused = true;
    }
  }
  if (refused) block->SortViolations();
}

void LatestRows::Observe(const arrow::RecordBatch& rows) {
  const RowHashes keys = HashRows(rows, key_);
  std::vector<std::string> order = SortKeys(rows, order_by_);
  for (size_t row = 0; row < keys.hashes.size(); ++row) {
    const uint64_t ordinal = observed_++;
    if (keys.has_null[row] != 0) continue;
    const auto [known, added] = winners_.try_emplace(keys.hashes[row], Winner{ordinal, {}});
    if (added || known->second.order <= order[row]) known->second = {ordinal, std::move(order[row])};
  }
}

std::vector<uint8_t> LatestRows::Losers(const arrow::RecordBatch& rows, uint64_t first) const {
  const RowHashes keys = HashRows(rows, key_);
  std::vector<uint8_t> losers(keys.hashes.size(), 0);
  for (size_t row = 0; row < losers.size(); ++row) {
    if (keys.has_null[row] != 0) continue;
    const auto winner = winners_.find(keys.hashes[row]);
    losers[row] = winner != winners_.end() && winner->second.ordinal != first + row;
  }
  return losers;
}

}  // namespace sluice::ingest
