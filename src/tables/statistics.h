#pragma once
// The statistics of one data file as its add action says them (PROTOCOL.md, "Per-file Statistics"). Most of them stand in the
// Parquet footer already; what does not (NaNs, NULL lists) is told.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contract/type.h"

namespace parquet {
class FileMetaData;
}

namespace sluice::tables {

class Statistics {
 public:
  // `fields`: the columns of the data file, in its order. Only the first `indexed_columns` leaf columns are told of; a list or a
  // map is one leaf, of which only the NULLs are counted.
  Statistics(const std::vector<contract::Field>& fields, int indexed_columns);

  // Of a column of the Parquet file; NULL lists or maps of the table's column that it is below of, of its first one alone.
  void SeeNan(int parquet_column);
  void AddNullLists(int parquet_column, int64_t nulls);
  // {"numRecords":…,"minValues":{…},"maxValues":{…},"nullCount":{…}}
  std::string Render(const parquet::FileMetaData& file) const;

 private:
  // One column of the tree, depth first.
  struct Node {
    const contract::Field* field = nullptr;
    std::vector<int> children;  // of a struct
    int parquet_column = -1;    // of a leaf; the first one below a list or map
    bool has_nan = false;
    int64_t nulls = 0;  // of a list or map
  };
  // -1 once indexed_columns are used up.
  int AddNode(const contract::Field& field, int* parquet_column, int* left);
  Node* LeafAt(int parquet_column);

  const std::vector<contract::Field>& fields_;
  std::vector<Node> nodes_;
  std::vector<int> roots_;  // one per field
};

// The longest prefix of at most 32 characters; a maximum is rounded up to one that no longer value exceeds, nullopt if there is none.
std::string TruncatedMin(std::string_view text);
std::optional<std::string> TruncatedMax(std::string_view text);

}  // namespace sluice::tables
