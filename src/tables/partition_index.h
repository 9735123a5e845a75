#pragma once
// Which partition does each row belong to? Numbers partitions 0, 1, 2, … in order of appearance.
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "contract/type.h"
#include "delta/actions.h"
#include "tables/generated.h"
#include "tables/partitioning.h"

namespace arrow {
class Array;
class RecordBatch;
}  // namespace arrow

namespace sluice::tables {

// The distinct values of one partition column, numbered.
class ColumnIndex {
 public:
  virtual ~ColumnIndex() = default;
  // The number of the value of each row, into `out` (array.length() of them).
  virtual Status Number(const arrow::Array& array, uint32_t* out) = 0;
  virtual const std::optional<std::string>& TextOf(uint32_t number) const = 0;
};

class PartitionIndex {
 public:
  // `schema`: the table's; `input`: of the batches, without `generated` columns. Errors: "unknown-column".
  static Result<PartitionIndex> Make(const contract::Schema& schema, const std::vector<std::string>& partition_columns,
                                     const contract::Schema& input, const std::vector<Generated>& generated);

  // The partition of each row. `batch` has the columns of `input` in order; `kept`: and then the generated ones, taken as they are.
  // `dropped` (empty: none) marks rows whose values are not looked at; at least one is not dropped.
  Status Number(const arrow::RecordBatch& batch, bool kept, const std::vector<uint8_t>& dropped, std::vector<uint32_t>* out);
  // Keyed by the columns' names as the schema spells them.
  delta::PartitionValues Values(uint32_t partition) const;
  uint32_t size() const { return static_cast<uint32_t>(prefixes_.back().size() / columns_.size()); }

 private:
  struct Column {
    std::string name;
    int source;  // place in the batch of the column it is computed from (itself if plain)
    int kept;    // of a generated one: its own place, where the batch brings it
    std::unique_ptr<ColumnIndex> index, kept_index;
  };
  uint32_t Pair(uint32_t prefix, uint32_t number, size_t depth);

  std::vector<Column> columns_;
  // Of each prefix of columns: (number of the prefix before, number of the value) → number of the longer prefix.
  std::vector<std::unordered_map<uint64_t, uint32_t>> pairs_;
  // Of each depth: the value numbers of each prefix, depth + 1 apiece. The last one's are the partitions.
  std::vector<std::vector<uint32_t>> prefixes_;
  std::vector<uint32_t> scratch_;
};

}  // namespace sluice::tables
