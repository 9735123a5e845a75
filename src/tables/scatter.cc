#include "tables/scatter.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <span>
#include <utility>

#include "tables/gather.h"

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

}  // namespace

Status Scatter(const std::vector<ScatterPart>& parts, uint32_t partitions, const WritePartition& write) {
  if (parts.empty()) return Ok();
  std::vector<Order> orders;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (const ScatterPart& part : parts) {
    orders.push_back(OrderByPartition(part, partitions));
    batches.push_back(part.data);
  }
  SLUICE_TRY(const Gatherer gatherer, Gatherer::Make(batches));
  std::vector<RowPick> picks;
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    picks.clear();
    for (size_t i = 0; i < parts.size(); ++i)
      if (const auto rows = orders[i].Of(partition); !rows.empty()) picks.push_back({i, rows});
    if (picks.empty()) continue;
    const auto is_whole = [&](const RowPick& pick) { return static_cast<int64_t>(pick.rows.size()) == batches[pick.batch]->num_rows(); };
    if (std::all_of(picks.begin(), picks.end(), is_whole)) {
      for (const RowPick& pick : picks) SLUICE_CHECK(write(partition, *batches[pick.batch]));
    } else {
      SLUICE_TRY(const auto rows, gatherer.Gather(picks));
      SLUICE_CHECK(write(partition, *rows));
    }
  }
  return Ok();
}

}  // namespace sluice::tables
