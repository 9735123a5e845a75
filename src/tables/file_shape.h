#pragma once
// The columns of data files: of a table, and of Parquet.
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
