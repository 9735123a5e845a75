#include "tables/file_shape.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/schema.h>
#include <parquet/properties.h>
#include <parquet/schema.h>

#include <cassert>
#include <stdexcept>
#include <string>
#include <utility>

#include "contract/arrow_types.h"
#include "tables/parquet_stream.h"

namespace sluice::tables {
namespace {

// NULL is refused above, column by column; below the top level files say "optional" everywhere but for the keys of maps.
contract::DataType Relaxed(contract::DataType type) {
  for (contract::Field& child : type.children) {
    child.nullable = !(type.kind == contract::TypeKind::kMap && child.name == "key");
    child.type = Relaxed(std::move(child.type));
  }
  return type;
}

// `field` and those of structs below it with the ids of their columns, which the Parquet writer puts into the file's schema.
std::shared_ptr<arrow::Field> WithIds(const std::shared_ptr<arrow::Field>& field, const contract::Field& column) {
  std::shared_ptr<arrow::DataType> type = field->type();
  arrow::FieldVector children;
  if (column.type.kind != contract::TypeKind::kMap)
    for (int i = 0; i < type->num_fields(); ++i) children.push_back(WithIds(type->field(i), column.type.children[i]));
  switch (column.type.kind) {
    case contract::TypeKind::kStruct:
      type = arrow::struct_(children);
      break;
    case contract::TypeKind::kList:
      type = arrow::list(children[0]);
      break;
    case contract::TypeKind::kMap: {
      const arrow::FieldVector& entry = type->field(0)->type()->fields();
      type = std::make_shared<arrow::MapType>(WithIds(entry[0], column.type.children[0]), WithIds(entry[1], column.type.children[1]));
      break;
    }
    default:
      break;
  }
  const auto renamed = field->WithType(type);
  const auto id = delta::ColumnId(column);
  return id ? renamed->WithMetadata(arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(*id)})) : renamed;
}

// The leaves of a column of the table, depth first, as Parquet has them.
class LeafFinder {
 public:
  explicit LeafFinder(FileShape* shape) : shape_(*shape) {}

  void Find(int field) {
    next_ = Leaf();
    next_.field = field;
    Visit(*shape_.arrow_schema->field(field));
  }

 private:
  void Visit(const arrow::Field& field) {
    const arrow::DataType& type = *field.type();
    switch (type.id()) {
      case arrow::Type::STRUCT:
        return VisitFields(type, field.nullable());
      case arrow::Type::LIST:
        return Within({Leaf::Kind::kList, field.nullable(), 0}, [&] { Visit(*type.field(0)); });
      case arrow::Type::MAP:
        return Within({Leaf::Kind::kList, field.nullable(), 0}, [&] { VisitFields(*type.field(0)->type(), false); });
      default:
        return Take(field);
    }
  }

  void VisitFields(const arrow::DataType& type, bool optional) {
    for (int i = 0; i < type.num_fields(); ++i) Within({Leaf::Kind::kStruct, optional, i}, [&] { Visit(*type.field(i)); });
  }

  template <typename Visit>
  void Within(Leaf::Node node, Visit visit) {
    const Leaf before = next_;
    const bool is_list = node.kind == Leaf::Kind::kList;
    next_.above.push_back(node);
    next_.max_definition += node.optional;
    if (is_list && next_.list_definition == 0) next_.list_definition = next_.max_definition;
    next_.max_definition += is_list;
    next_.max_repetition += is_list;
    visit();
    next_ = before;
  }

  void Take(const arrow::Field& field) {
    Leaf& leaf = shape_.leaves.emplace_back(next_);
    const parquet::ColumnDescriptor& column = *shape_.parquet_schema->Column(static_cast<int>(shape_.leaves.size()) - 1);
    leaf.odds = std::make_shared<DictionaryOdds>();
    leaf.optional = field.nullable();
    leaf.max_definition += leaf.optional;
    leaf.type = LeafTypeOf(*field.type(), column);
    if (leaf.type == nullptr) throw std::logic_error("no way to write a " + field.type()->ToString());
    assert(leaf.max_definition == column.max_definition_level() && leaf.max_repetition == column.max_repetition_level());
  }

  FileShape& shape_;
  Leaf next_;
};

}  // namespace

FileShape MakeFileShape(std::vector<contract::Field> fields, int indexed_columns, delta::ColumnMapping mapping) {
  FileShape shape{delta::PhysicalSchema({std::move(fields)}, mapping).fields, nullptr, indexed_columns};
  contract::Schema schema;
  for (const contract::Field& field : shape.fields) schema.fields.push_back({field.name, Relaxed(field.type), field.nullable});
  shape.arrow_schema = contract::ToArrow(schema);
  arrow::FieldVector with_ids;
  if (mapping != delta::ColumnMapping::kNone) {
    for (size_t i = 0; i < shape.fields.size(); ++i)
      with_ids.push_back(WithIds(shape.arrow_schema->field(static_cast<int>(i)), shape.fields[i]));
    shape.arrow_schema = arrow::schema(std::move(with_ids));
  }
  std::shared_ptr<parquet::SchemaDescriptor> columns;
  const auto made = parquet::arrow::ToParquetSchema(shape.arrow_schema.get(), *WriterPropertiesOf(), &columns);
  if (!made.ok()) throw std::logic_error("a type of the contract that Parquet does not have: " + made.ToString());
  shape.parquet_schema = std::move(columns);
  LeafFinder finder(&shape);
  for (int i = 0; i < shape.arrow_schema->num_fields(); ++i) finder.Find(i);
  return shape;
}

}  // namespace sluice::tables
