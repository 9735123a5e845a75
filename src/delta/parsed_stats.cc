#include "delta/parsed_stats.h"

#include <arrow/util/decimal.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "contract/arrow_types.h"
#include "core/text.h"
#include "core/time.h"
#include "delta/column_mapping.h"
#include "delta/json_text.h"

namespace sluice::delta {
namespace {

using contract::Field;
using contract::TypeKind;
using nlohmann::json;

bool IsPartition(const Snapshot& snapshot, const std::string& name) {
  const auto& columns = snapshot.metadata.partition_columns;
  return std::any_of(columns.begin(), columns.end(), [&](const std::string& column) { return EqualsIgnoreCase(column, name); });
}

bool HasBounds(TypeKind kind) {
  return kind != TypeKind::kBoolean && kind != TypeKind::kBinary && kind != TypeKind::kList && kind != TypeKind::kMap;
}

// Structs as they are; of the other columns those with bounds, or, for counts, all as numbers.
arrow::FieldVector Leaves(const std::vector<Field>& fields, ColumnMapping mapping, bool counts) {
  arrow::FieldVector out;
  for (const Field& field : fields) {
    const std::string name = PhysicalName(field, mapping);
    if (field.type.kind == TypeKind::kStruct) {
      auto children = Leaves(field.type.children, mapping, counts);
      if (!children.empty()) out.push_back(arrow::field(name, arrow::struct_(std::move(children))));
    } else if (counts) {
      out.push_back(arrow::field(name, arrow::int64()));
    } else if (HasBounds(field.type.kind)) {
      out.push_back(arrow::field(name, contract::ToArrow(field.type)));
    }
  }
  return out;
}

// ---- Texts → values

template <typename Builder>
arrow::Status AppendInt(std::string_view text, arrow::ArrayBuilder* builder) {
  typename Builder::value_type value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool read = error == std::errc() && end == text.data() + text.size() && !text.empty();
  return read ? static_cast<Builder*>(builder)->Append(value) : builder->AppendNull();
}

template <typename Builder>
arrow::Status AppendFloat(const std::string& text, arrow::ArrayBuilder* builder) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);  // NaN and Infinity too
  const bool read = !text.empty() && *end == '\0';
  return read ? static_cast<Builder*>(builder)->Append(static_cast<typename Builder::value_type>(value)) : builder->AppendNull();
}

arrow::Status AppendDecimal(const std::string& text, arrow::ArrayBuilder* builder) {
  const auto& type = static_cast<const arrow::Decimal128Type&>(*builder->type());
  arrow::Decimal128 value;
  int32_t precision = 0, scale = 0;
  if (!arrow::Decimal128::FromString(text, &value, &precision, &scale).ok()) return builder->AppendNull();
  const auto rescaled = value.Rescale(scale, type.scale());
  return rescaled.ok() ? static_cast<arrow::Decimal128Builder*>(builder)->Append(*rescaled) : builder->AppendNull();
}

arrow::Status AppendTime(const std::string& text, arrow::ArrayBuilder* builder) {
  auto instant = ParseInstant(text);
  if (!instant) instant = ParseInstant(text + "Z");  // a wall clock, and a partition value
  return instant ? static_cast<arrow::TimestampBuilder*>(builder)->Append(instant->micros) : builder->AppendNull();
}

arrow::Status AppendText(const std::string& text, arrow::ArrayBuilder* builder) {
  switch (builder->type()->id()) {
    case arrow::Type::BOOL:
      return static_cast<arrow::BooleanBuilder*>(builder)->Append(EqualsIgnoreCase(text, "true"));
    case arrow::Type::INT8:
      return AppendInt<arrow::Int8Builder>(text, builder);
    case arrow::Type::INT16:
      return AppendInt<arrow::Int16Builder>(text, builder);
    case arrow::Type::INT32:
      return AppendInt<arrow::Int32Builder>(text, builder);
    case arrow::Type::INT64:
      return AppendInt<arrow::Int64Builder>(text, builder);
    case arrow::Type::FLOAT:
      return AppendFloat<arrow::FloatBuilder>(text, builder);
    case arrow::Type::DOUBLE:
      return AppendFloat<arrow::DoubleBuilder>(text, builder);
    case arrow::Type::DECIMAL128:
      return AppendDecimal(text, builder);
    case arrow::Type::DATE32: {
      const auto day = ParseDate(text);
      return day ? static_cast<arrow::Date32Builder*>(builder)->Append(*day) : builder->AppendNull();
    }
    case arrow::Type::TIMESTAMP:
      return AppendTime(text, builder);
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return static_cast<arrow::BinaryBuilder*>(builder)->Append(text);
    default:
      return builder->AppendNull();
  }
}

// The digits of numbers stay as they stand: a decimal has more than a double holds.
class TextTree : public nlohmann::json_sax<json> {
 public:
  bool null() override { return Put(json()); }
  bool boolean(bool value) override { return Put(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return Put(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Put(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return Put(text); }
  bool string(string_t& text) override { return Put(text); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override {
    stack_.push_back({key_, json::object()});
    return true;
  }
  bool key(string_t& name) override {
    key_ = name;
    return true;
  }
  bool end_object() override {
    auto [name, object] = std::move(stack_.back());
    stack_.pop_back();
    key_ = name;
    return Put(std::move(object));
  }
  bool start_array(std::size_t) override { return false; }
  bool end_array() override { return false; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  json root;

 private:
  bool Put(json value) {
    (stack_.empty() ? root : stack_.back().second[key_]) = std::move(value);
    return true;
  }
  std::string key_;
  std::vector<std::pair<std::string, json>> stack_;
};

arrow::Status AppendTree(const json* tree, arrow::ArrayBuilder* builder) {
  if (builder->type()->id() != arrow::Type::STRUCT)
    return tree != nullptr && tree->is_string() ? AppendText(tree->get_ref<const std::string&>(), builder) : builder->AppendNull();
  if (tree == nullptr || !tree->is_object()) return builder->AppendNull();
  auto* members = static_cast<arrow::StructBuilder*>(builder);
  ARROW_RETURN_NOT_OK(members->Append());
  for (int i = 0; i < members->num_fields(); ++i) {
    const auto found = tree->find(builder->type()->field(i)->name());
    ARROW_RETURN_NOT_OK(AppendTree(found == tree->end() ? nullptr : &*found, members->field_builder(i)));
  }
  return arrow::Status::OK();
}

// ---- Values → texts

template <typename Array>
std::string Number(const arrow::Array& array, int64_t row) {
  return fmt::format("{}", static_cast<const Array&>(array).Value(row));
}

template <typename Array>
std::string Float(const arrow::Array& array, int64_t row) {
  const auto value = static_cast<const Array&>(array).Value(row);
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value < 0 ? "\"-Infinity\"" : "\"Infinity\"";
  return fmt::format("{}", value);
}

std::string TimeText(const arrow::Array& array, int64_t row) {
  const auto& type = static_cast<const arrow::TimestampType&>(*array.type());
  int64_t micros = static_cast<const arrow::TimestampArray&>(array).Value(row);
  if (type.unit() == arrow::TimeUnit::MILLI) micros *= 1000;
  if (type.unit() == arrow::TimeUnit::NANO) micros /= 1000;
  std::string text = FormatTimestamp(micros);
  text[text.find(' ')] = 'T';
  return JsonString(type.timezone().empty() ? text : text + "Z");
}

// The JSON of a value; "" where there is no such text.
std::string ValueText(const arrow::Array& array, int64_t row) {
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false";
    case arrow::Type::INT8:
      return Number<arrow::Int8Array>(array, row);
    case arrow::Type::INT16:
      return Number<arrow::Int16Array>(array, row);
    case arrow::Type::INT32:
      return Number<arrow::Int32Array>(array, row);
    case arrow::Type::INT64:
      return Number<arrow::Int64Array>(array, row);
    case arrow::Type::FLOAT:
      return Float<arrow::FloatArray>(array, row);
    case arrow::Type::DOUBLE:
      return Float<arrow::DoubleArray>(array, row);
    case arrow::Type::DECIMAL128:
      return static_cast<const arrow::Decimal128Array&>(array).FormatValue(row);
    case arrow::Type::DATE32:
      return JsonString(FormatDate(static_cast<const arrow::Date32Array&>(array).Value(row)));
    case arrow::Type::TIMESTAMP:
      return TimeText(array, row);
    case arrow::Type::STRING:
      return JsonString(static_cast<const arrow::StringArray&>(array).GetView(row));
    case arrow::Type::LARGE_STRING:
      return JsonString(static_cast<const arrow::LargeStringArray&>(array).GetView(row));
    default:
      return "";
  }
}

void WriteStruct(const arrow::StructArray& array, int64_t row, std::string* out) {
  JsonObject object(out);
  for (int i = 0; i < array.num_fields(); ++i) {
    const auto field = array.field(i);
    if (field->IsNull(row)) continue;
    const std::string& name = array.type()->field(i)->name();
    if (field->type_id() == arrow::Type::STRUCT) {
      object.Key(name);
      WriteStruct(static_cast<const arrow::StructArray&>(*field), row, out);
    } else if (const std::string text = ValueText(*field, row); !text.empty()) {
      object.Raw(name, text);
    }
  }
  object.Close();
}

}  // namespace

std::shared_ptr<arrow::DataType> StatsType(const Snapshot& snapshot) {
  const ColumnMapping mapping = ColumnMappingOf(snapshot.protocol, snapshot.metadata);
  std::vector<Field> data;
  for (const Field& field : snapshot.schema.fields)
    if (!IsPartition(snapshot, field.name)) data.push_back(field);
  arrow::FieldVector members = {arrow::field("numRecords", arrow::int64())};
  const auto bounds = Leaves(data, mapping, /*counts=*/false), counts = Leaves(data, mapping, /*counts=*/true);
  if (!bounds.empty()) {
    members.push_back(arrow::field("minValues", arrow::struct_(bounds)));
    members.push_back(arrow::field("maxValues", arrow::struct_(bounds)));
  }
  if (!counts.empty()) members.push_back(arrow::field("nullCount", arrow::struct_(counts)));
  members.push_back(arrow::field("tightBounds", arrow::boolean()));
  return arrow::struct_(std::move(members));
}

std::shared_ptr<arrow::DataType> PartitionValuesType(const Snapshot& snapshot) {
  const ColumnMapping mapping = ColumnMappingOf(snapshot.protocol, snapshot.metadata);
  arrow::FieldVector members;
  for (const std::string& name : snapshot.metadata.partition_columns)
    if (const Field* field = snapshot.schema.Find(name))
      members.push_back(arrow::field(PhysicalName(*field, mapping), contract::ToArrow(field->type)));
  return members.empty() ? nullptr : arrow::struct_(std::move(members));
}

arrow::Status AppendStats(const std::string& stats, arrow::StructBuilder* builder) {
  TextTree tree;
  const bool read = !stats.empty() && json::sax_parse(stats, &tree);
  return AppendTree(read ? &tree.root : nullptr, builder);
}

arrow::Status AppendPartitionValues(const PartitionValues& values, arrow::StructBuilder* builder) {
  ARROW_RETURN_NOT_OK(builder->Append());
  for (int i = 0; i < builder->num_fields(); ++i) {
    const auto found = values.find(builder->type()->field(i)->name());
    const bool set = found != values.end() && found->second && !found->second->empty();
    ARROW_RETURN_NOT_OK(set ? AppendText(*found->second, builder->field_builder(i)) : builder->field_builder(i)->AppendNull());
  }
  return arrow::Status::OK();
}

std::string StatsText(const arrow::StructArray& stats, int64_t row) {
  std::string out;
  if (stats.IsValid(row)) WriteStruct(stats, row, &out);
  return out;
}

}  // namespace sluice::delta
