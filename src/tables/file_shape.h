#pragma once
// The columns of data files: of a table, and of Parquet.
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "contract/type.h"
#include "delta/column_mapping.h"
#include "tables/leaf_type.h"

namespace arrow {
class Schema;
}
namespace parquet {
class SchemaDescriptor;
}

namespace sluice::tables {

// Is a dictionary worth a try? What the files before say of a column: where none of the last ones had one, only now and then. Thread-safe.
class DictionaryOdds {
 public:
  bool WorthATry() {
    return losses_.load(std::memory_order_relaxed) < kToLearn || asked_.fetch_add(1, std::memory_order_relaxed) % kAgain == 0;
  }
  void Tell(bool won) {
    if (won)
      losses_.store(0, std::memory_order_relaxed);
    else
      losses_.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  static constexpr int kToLearn = 8;
  static constexpr uint32_t kAgain = 32;
  std::atomic<int> losses_ = 0;
  std::atomic<uint32_t> asked_ = 0;
};

// A column of the Parquet file, and the way to it through a column of the table.
struct Leaf {
  enum class Kind { kStruct, kList };  // a map is a list of structs
  struct Node {
    Kind kind;
    bool optional;
    int child;  // of a struct: through which the way goes on
  };
  int field = 0;            // of the table's columns
  std::vector<Node> above;  // from that column on; none: its values are not nested
  bool optional = true;     // the leaf itself
  const LeafType* type = nullptr;
  uint8_t max_definition = 0, max_repetition = 0;
  uint8_t list_definition = 0;  // from which on the outermost list or map is not NULL; 0: there is none
  std::shared_ptr<DictionaryOdds> odds;
};

// What all files of one writer share.
struct FileShape {
  std::vector<contract::Field> fields;          // the data columns: all but the partition columns; under their physical names
  std::shared_ptr<arrow::Schema> arrow_schema;  // of the batches that are written
  int indexed_columns = 32;
  std::shared_ptr<const parquet::SchemaDescriptor> parquet_schema;
  std::vector<Leaf> leaves;  // its columns
};
FileShape MakeFileShape(std::vector<contract::Field> fields, int indexed_columns,
                        delta::ColumnMapping mapping = delta::ColumnMapping::kNone);

}  // namespace sluice::tables
