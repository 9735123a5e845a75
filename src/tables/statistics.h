#pragma once
// The statistics of one data file as its add action says them (PROTOCOL.md, "Per-file Statistics"). Most of them stand in the
// Parquet footer already; what does not (NaNs, NULL lists) is seen as the batches pass.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contract/type.h"

namespace arrow {
class Array;
class RecordBatch;
}  // namespace arrow
namespace parquet {
class FileMetaData;
}

namespace sluice::tables {

class Statistics {
 public:
  // `fields`: the columns of the data file, in its order. Only the first `indexed_columns` leaf columns are told of; a list or a
  // map is one leaf, of which only the NULLs are counted.
  Statistics(const std::vector<contract::Field>& fields, int indexed_columns);

  void Observe(const arrow::RecordBatch& batch);
  void ObserveColumn(int field, const arrow::Array& values);
  void SeeNan(int field);  // instead of observing it
  // {"numRecords":…,"minValues":{…},"maxValues":{…},"nullCount":{…}}
  std::string Render(const parquet::FileMetaData& file) const;

 private:
  // One column of the tree, depth first.
  struct Node {
    const contract::Field* field = nullptr;
    std::vector<int> children;  // of a struct
    int parquet_column = -1;    // of a leaf that is neither list nor map
    bool watched = false;       // has below it a float, list or map
    bool has_nan = false;
    int64_t nulls = 0;  // of a list or map
  };
  // -1 once indexed_columns are used up.
  int AddNode(const contract::Field& field, int* parquet_column, int* left);
  bool Watches(int field) const {
    const int root = roots_[static_cast<size_t>(field)];
    return root >= 0 && nodes_[root].watched;
  }
  void Observe(int node, const arrow::Array& array);

  const std::vector<contract::Field>& fields_;
  std::vector<Node> nodes_;
  std::vector<int> roots_;  // one per field
};

// The longest prefix of at most 32 characters; a maximum is rounded up to one that no longer value exceeds, nullopt if there is none.
std::string TruncatedMin(std::string_view text);
std::optional<std::string> TruncatedMax(std::string_view text);

}  // namespace sluice::tables
