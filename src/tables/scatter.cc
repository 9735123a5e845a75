#include "tables/scatter.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "tables/one_dictionary.h"

namespace sluice::tables {
namespace {

// The rows of a part that stay, in the order of their partitions: `ends[p]` is where those of partition p end.
struct Order {
  std::vector<uint32_t> rows;
  std::vector<size_t> ends;

  std::span<const uint32_t> Of(uint32_t partition) const {
    const size_t begin = partition == 0 ? 0 : ends[partition - 1];
    return std::span(rows).subspan(begin, ends[partition] - begin);
  }
};

// A counting sort: stable, so rows keep their order within a partition.
Order OrderByPartition(const ScatterPart& part, uint32_t partitions) {
  const auto stays = [&](size_t row) { return part.dropped.empty() || part.dropped[row] == 0; };
  Order out;
  out.ends.assign(partitions, 0);
  for (size_t row = 0; row < part.partition_of.size(); ++row) out.ends[part.partition_of[row]] += stays(row);
  size_t begin = 0;
  for (size_t& end : out.ends) begin += std::exchange(end, begin);
  out.rows.resize(begin);
  for (size_t row = 0; row < part.partition_of.size(); ++row)
    if (stays(row)) out.rows[out.ends[part.partition_of[row]]++] = static_cast<uint32_t>(row);
  return out;
}

// All rows of the parts as those of one.
Result<ScatterPart> Joined(std::vector<ScatterPart> parts) {
  const bool drops = std::any_of(parts.begin(), parts.end(), [](const ScatterPart& part) { return !part.dropped.empty(); });
  ScatterPart whole;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (ScatterPart& part : parts) {
    if (drops) part.dropped.resize(part.partition_of.size());
    whole.partition_of.insert(whole.partition_of.end(), part.partition_of.begin(), part.partition_of.end());
    whole.dropped.insert(whole.dropped.end(), part.dropped.begin(), part.dropped.end());
    batches.push_back(std::move(part.data));
  }
  SLUICE_TRY(whole.data, ConcatenateBatches(batches));
  return whole;
}

}  // namespace

Result<std::vector<ScatterPart>> JoinParts(std::vector<ScatterPart> parts, uint32_t partitions) {
  constexpr size_t kRowsWorthAPick = 32, kMostRows = 1 << 18;
  std::vector<ScatterPart> joined, few;
  size_t rows = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    rows += parts[i].partition_of.size();
    few.push_back(std::move(parts[i]));
    if (i + 1 < parts.size() && rows < std::min(kMostRows, kRowsWorthAPick * partitions)) continue;
    if (few.size() == 1) {
      joined.push_back(std::move(few[0]));
    } else {
      SLUICE_TRY(auto whole, Joined(std::move(few)));
      joined.push_back(std::move(whole));
    }
    few.clear();
    rows = 0;
  }
  return joined;
}

Status Scatter(const std::vector<ScatterPart>& parts, uint32_t partitions, const WritePartition& write) {
  if (parts.empty()) return Ok();
  std::vector<Order> orders;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (const ScatterPart& part : parts) {
    orders.push_back(OrderByPartition(part, partitions));
    batches.push_back(part.data);
  }
  std::optional<Gatherer> gatherer;
  std::vector<RowPick> picks;
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    picks.clear();
    for (size_t i = 0; i < parts.size(); ++i)
      if (const auto rows = orders[i].Of(partition); !rows.empty()) picks.push_back({i, rows});
    if (!picks.empty()) SLUICE_CHECK(write(partition, PickedRows(batches, picks, &gatherer)));
  }
  return Ok();
}

}  // namespace sluice::tables
