#include "tables/statistics.h"

#include <arrow/util/decimal.h>
#include <fmt/format.h>
#include <parquet/metadata.h>
#include <parquet/statistics.h>

#include <cmath>

#include "core/text.h"
#include "core/time.h"
#include "delta/json_text.h"
#include "tables/partitioning.h"

namespace sluice::tables {
namespace {

using contract::Field;
using contract::TypeKind;

constexpr int kMaxCharacters = 32;

int ParquetLeaves(const contract::DataType& type) {
  if (!type.is_nested()) return 1;
  int leaves = 0;
  for (const Field& child : type.children) leaves += ParquetLeaves(child.type);
  return leaves;
}

struct Bounds {
  std::string min, max;  // JSON texts, "" if there is none
};

// The extremes over all row groups; false where one of them does not say (or there are only NULLs).
template <typename ParquetType, typename Value, typename Read>
bool Extremes(const parquet::FileMetaData& file, int column, Read read, Value* min, Value* max) {
  bool any = false;
  for (int group = 0; group < file.num_row_groups(); ++group) {
    const auto statistics = file.RowGroup(group)->ColumnChunk(column)->statistics();
    if (!statistics) return false;
    if (!statistics->HasMinMax()) {
      if (statistics->HasNullCount() && statistics->null_count() == file.RowGroup(group)->num_rows()) continue;
      return false;
    }
    const auto& typed = static_cast<const parquet::TypedStatistics<ParquetType>&>(*statistics);
    Value low = read(typed.min()), high = read(typed.max());
    if (!any || low < *min) *min = low;
    if (!any || *max < high) *max = high;
    any = true;
  }
  return any;
}

template <typename ParquetType, typename Value, typename Read, typename Write>
Bounds BoundsOf(const parquet::FileMetaData& file, int column, Read read, Write write) {
  Value min{}, max{};
  if (!Extremes<ParquetType, Value>(file, column, read, &min, &max)) return {};
  return {write(min, false), write(max, true)};
}

std::string FloatText(double value, bool max) {
  if (!std::isfinite(value)) return "";
  if (value == 0) return max ? "0.0" : "-0.0";  // the two zeros are equal: the bounds hold both
  return fmt::format("{}", value);
}

// Milliseconds: a minimum is cut, a maximum rounded up.
std::string TimestampText(int64_t micros, bool max, bool utc) {
  int64_t millis = Instant{micros}.millis();
  if (max && millis * 1000 != micros) ++millis;
  std::string text = FormatTimestamp(millis * 1000);
  text[text.find(' ')] = 'T';
  const size_t dot = text.find('.');
  text = dot == std::string::npos ? text + ".000" : text.substr(0, dot + 1) + fmt::format("{:0<3}", text.substr(dot + 1));
  return delta::JsonString(utc ? text + "Z" : text);
}

Bounds DecimalBounds(const parquet::FileMetaData& file, int column, const contract::DataType& type) {
  const auto write = [&](const arrow::Decimal128& value, bool) { return DecimalText(value.ToIntegerString(), type.scale); };
  const auto from_integer = [](int64_t value) { return arrow::Decimal128(value); };
  switch (file.schema()->Column(column)->physical_type()) {
    case parquet::Type::INT32:
      return BoundsOf<parquet::Int32Type, arrow::Decimal128>(file, column, from_integer, write);
    case parquet::Type::INT64:
      return BoundsOf<parquet::Int64Type, arrow::Decimal128>(file, column, from_integer, write);
    default:
      break;
  }
  const int width = file.schema()->Column(column)->type_length();
  const auto from_bytes = [&](const parquet::FixedLenByteArray& bytes) {
    return arrow::Decimal128::FromBigEndian(bytes.ptr, width).ValueOr(arrow::Decimal128());
  };
  return BoundsOf<parquet::FLBAType, arrow::Decimal128>(file, column, from_bytes, write);
}

Bounds StringBounds(const parquet::FileMetaData& file, int column) {
  const auto read = [](const parquet::ByteArray& bytes) { return std::string(reinterpret_cast<const char*>(bytes.ptr), bytes.len); };
  std::string min, max;
  if (!Extremes<parquet::ByteArrayType, std::string>(file, column, read, &min, &max)) return {};
  if (!IsValidUtf8(min) || !IsValidUtf8(max)) return {};
  const auto rounded = TruncatedMax(max);
  return {delta::JsonString(TruncatedMin(min)), rounded ? delta::JsonString(*rounded) : ""};
}

// "" where the type has no bounds (boolean, binary) or the file does not say.
Bounds BoundsOfColumn(const parquet::FileMetaData& file, int column, const contract::DataType& type) {
  const auto same = [](auto value) { return value; };
  const auto number = [](auto value, bool) { return fmt::format("{}", value); };
  switch (type.kind) {
    case TypeKind::kTinyint:
    case TypeKind::kSmallint:
    case TypeKind::kInteger:
      return BoundsOf<parquet::Int32Type, int32_t>(file, column, same, number);
    case TypeKind::kBigint:
      return BoundsOf<parquet::Int64Type, int64_t>(file, column, same, number);
    case TypeKind::kFloat:
      // A float's own shortest digits are not its value as a double, in which readers compare.
      return BoundsOf<parquet::FloatType, double>(file, column, [](float value) { return static_cast<double>(value); }, FloatText);
    case TypeKind::kDouble:
      return BoundsOf<parquet::DoubleType, double>(file, column, same, FloatText);
    case TypeKind::kDecimal:
      return DecimalBounds(file, column, type);
    case TypeKind::kString:
      return StringBounds(file, column);
    case TypeKind::kDate:
      return BoundsOf<parquet::Int32Type, int32_t>(file, column, same,
                                                   [](int32_t days, bool) { return delta::JsonString(FormatDate(days)); });
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampNtz: {
      const bool utc = type.kind == TypeKind::kTimestamp;
      return BoundsOf<parquet::Int64Type, int64_t>(file, column, same,
                                                   [&](int64_t micros, bool max) { return TimestampText(micros, max, utc); });
    }
    default:
      return {};
  }
}

// -1 if the file does not say.
int64_t NullsOfColumn(const parquet::FileMetaData& file, int column) {
  int64_t nulls = 0;
  for (int group = 0; group < file.num_row_groups(); ++group) {
    const auto statistics = file.RowGroup(group)->ColumnChunk(column)->statistics();
    if (!statistics || !statistics->HasNullCount()) return -1;
    nulls += statistics->null_count();
  }
  return nulls;
}

// One JSON object of the three, written as the columns are visited.
class Side {
 public:
  void Add(const std::string& name, const std::string& json) {
    if (json.empty()) return;
    text_ += text_.empty() ? "" : ",";
    text_ += delta::JsonString(name) + ":" + json;
  }
  std::string Object() const { return "{" + text_ + "}"; }
  bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

size_t PrefixBytes(std::string_view text) {
  int characters = 0;
  for (size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && ++characters > kMaxCharacters) return i;
  return text.size();
}

char32_t DecodeLast(std::string_view text, size_t* start) {
  *start = text.size() - 1;
  while (*start > 0 && (static_cast<unsigned char>(text[*start]) & 0xC0) == 0x80) --*start;
  const size_t length = text.size() - *start;
  const auto lead = static_cast<unsigned char>(text[*start]);
  char32_t code = length == 1 ? lead : lead & (0x7F >> length);
  for (size_t i = *start + 1; i < text.size(); ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
  return code;
}

void AppendUtf8(char32_t code, std::string* out) {
  if (code < 0x80) {
    *out += static_cast<char>(code);
    return;
  }
  const int extra = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr unsigned char kLead[] = {0, 0xC0, 0xE0, 0xF0};
  *out += static_cast<char>(kLead[extra] | (code >> (6 * extra)));
  for (int i = extra - 1; i >= 0; --i) *out += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
}

}  // namespace

std::string TruncatedMin(std::string_view text) { return std::string(text.substr(0, PrefixBytes(text))); }

std::optional<std::string> TruncatedMax(std::string_view text) {
  const size_t bytes = PrefixBytes(text);
  if (bytes == text.size()) return std::string(text);
  for (std::string_view prefix = text.substr(0, bytes); !prefix.empty();) {
    size_t start = 0;
    const char32_t last = DecodeLast(prefix, &start);
    prefix = prefix.substr(0, start);
    if (last == 0x10FFFF) continue;
    std::string out(prefix);
    AppendUtf8(last == 0xD7FF ? 0xE000 : last + 1, &out);  // surrogates are no characters
    return out;
  }
  return std::nullopt;
}

Statistics::Statistics(const std::vector<Field>& fields, int indexed_columns) : fields_(fields) {
  int parquet_column = 0, left = indexed_columns;
  for (const Field& field : fields_) roots_.push_back(AddNode(field, &parquet_column, &left));
}

int Statistics::AddNode(const Field& field, int* parquet_column, int* left) {
  if (*left <= 0) return -1;
  const int at = static_cast<int>(nodes_.size());
  nodes_.push_back({&field});
  if (field.type.kind == TypeKind::kStruct) {
    for (const Field& child : field.type.children) {
      const int node = AddNode(child, parquet_column, left);
      if (node < 0) break;
      nodes_[at].children.push_back(node);
    }
    return at;
  }
  --*left;
  nodes_[at].parquet_column = *parquet_column;
  *parquet_column += ParquetLeaves(field.type);
  return at;
}

Statistics::Node* Statistics::LeafAt(int parquet_column) {
  for (Node& node : nodes_)
    if (node.parquet_column == parquet_column) return &node;
  return nullptr;  // not told of
}

void Statistics::SeeNan(int parquet_column) {
  if (Node* node = LeafAt(parquet_column); node != nullptr) node->has_nan = true;
}

void Statistics::AddNullLists(int parquet_column, int64_t nulls) {
  if (Node* node = LeafAt(parquet_column); node != nullptr) node->nulls += nulls;
}

std::string Statistics::Render(const parquet::FileMetaData& file) const {
  const auto render = [&](const auto& self, int at, Side* min, Side* max, Side* nulls) -> void {
    const Node& node = nodes_[at];
    const std::string& name = node.field->name;
    if (node.field->type.kind == TypeKind::kStruct) {
      Side inner_min, inner_max, inner_nulls;
      for (int child : node.children) self(self, child, &inner_min, &inner_max, &inner_nulls);
      if (!inner_min.empty()) min->Add(name, inner_min.Object());
      if (!inner_max.empty()) max->Add(name, inner_max.Object());
      if (!inner_nulls.empty()) nulls->Add(name, inner_nulls.Object());
      return;
    }
    const bool is_list = node.field->type.is_nested();
    const int64_t count = is_list ? node.nulls : NullsOfColumn(file, node.parquet_column);
    if (count >= 0) nulls->Add(name, fmt::format("{}", count));
    if (is_list || node.has_nan) return;
    const Bounds bounds = BoundsOfColumn(file, node.parquet_column, node.field->type);
    min->Add(name, bounds.min);
    max->Add(name, bounds.max);
  };
  Side min, max, nulls;
  for (int root : roots_)
    if (root >= 0) render(render, root, &min, &max, &nulls);
  return fmt::format(R"({{"numRecords":{},"minValues":{},"maxValues":{},"nullCount":{}}})", file.num_rows(), min.Object(), max.Object(),
                     nulls.Object());
}

}  // namespace sluice::tables
