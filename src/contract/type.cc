#include "contract/type.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "core/text.h"

namespace sluice::contract {
namespace {

struct KindName {
  const char* name;
  TypeKind kind;
};
// The spelling that ToString gives.
constexpr std::array kNames = {
    KindName{"boolean", TypeKind::kBoolean},
    KindName{"tinyint", TypeKind::kTinyint},
    KindName{"smallint", TypeKind::kSmallint},
    KindName{"integer", TypeKind::kInteger},
    KindName{"bigint", TypeKind::kBigint},
    KindName{"float", TypeKind::kFloat},
    KindName{"double", TypeKind::kDouble},
    KindName{"decimal", TypeKind::kDecimal},
    KindName{"string", TypeKind::kString},
    KindName{"binary", TypeKind::kBinary},
    KindName{"date", TypeKind::kDate},
    KindName{"timestamp", TypeKind::kTimestamp},
    KindName{"timestamp_ntz", TypeKind::kTimestampNtz},
    KindName{"struct", TypeKind::kStruct},
    KindName{"list", TypeKind::kList},
    KindName{"map", TypeKind::kMap},
};
constexpr std::array kAliases = {
    KindName{"bool", TypeKind::kBoolean},    KindName{"byte", TypeKind::kTinyint},          KindName{"short", TypeKind::kSmallint},
    KindName{"int", TypeKind::kInteger},     KindName{"long", TypeKind::kBigint},           KindName{"real", TypeKind::kFloat},
    KindName{"numeric", TypeKind::kDecimal}, KindName{"text", TypeKind::kString},           KindName{"varchar", TypeKind::kString},
    KindName{"blob", TypeKind::kBinary},     KindName{"timestamptz", TypeKind::kTimestamp}, KindName{"array", TypeKind::kList},
};

const TypeKind* FindKind(std::string_view name) {
  for (const auto& entry : kNames)
    if (EqualsIgnoreCase(entry.name, name)) return &entry.kind;
  for (const auto& entry : kAliases)
    if (EqualsIgnoreCase(entry.name, name)) return &entry.kind;
  return nullptr;
}

const char* NameOf(TypeKind kind) {
  for (const auto& entry : kNames)
    if (entry.kind == kind) return entry.name;
  return "";
}

bool IsPlainName(std::string_view name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) return false;
  for (char c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_') return false;
  return true;
}

// Recursive descent over the contract spelling. Depth is bounded, for the text comes from outside.
class TypeParser {
 public:
  explicit TypeParser(std::string_view text) : text_(text) {}

  Result<DataType> Parse() {
    SLUICE_TRY(DataType type, ParseOne(0));
    if (!AtEnd()) return Fail(Bad(fmt::format("unexpected \"{}\" after it", Rest())));
    return type;
  }

 private:
  static constexpr int kMaxDepth = 32;

  Result<DataType> ParseOne(int depth) {
    if (depth > kMaxDepth) return Fail(Bad("it is nested too deeply"));
    const std::string name = Word();
    if (name.empty()) return Fail(Bad(AtEnd() ? "a type is missing" : fmt::format("a type is expected at \"{}\"", Rest())));
    const TypeKind* kind = FindKind(name);
    if (kind == nullptr) return Fail(Unknown(name));
    switch (*kind) {
      case TypeKind::kDecimal:
        return ParseDecimal();
      case TypeKind::kList:
        return ParseList(depth);
      case TypeKind::kMap:
        return ParseMap(depth);
      case TypeKind::kStruct:
        return ParseStruct(depth);
      default:
        return DataType::Of(*kind);
    }
  }

  Result<DataType> ParseDecimal() {
    if (!Take('(')) return Fail(BadDecimal("a decimal needs its precision and scale"));
    const auto precision = Number();
    int scale = 0;
    if (Take(',')) {
      const auto given = Number();
      if (!given) return Fail(BadDecimal("the scale is no number"));
      scale = *given;
    }
    if (!precision || !Take(')')) return Fail(BadDecimal("it is written decimal(precision, scale)"));
    if (*precision < 1 || *precision > 38) return Fail(BadDecimal("the precision must be from 1 to 38"));
    if (scale > *precision) return Fail(BadDecimal("the scale must not exceed the precision"));
    return DataType::Decimal(*precision, scale);
  }

  Result<DataType> ParseList(int depth) {
    SLUICE_CHECK(Expect('<'));
    SLUICE_TRY(DataType element, ParseOne(depth + 1));
    SLUICE_CHECK(Expect('>'));
    return DataType::List(std::move(element));
  }

  Result<DataType> ParseMap(int depth) {
    SLUICE_CHECK(Expect('<'));
    SLUICE_TRY(DataType key, ParseOne(depth + 1));
    SLUICE_CHECK(Expect(','));
    SLUICE_TRY(DataType value, ParseOne(depth + 1));
    SLUICE_CHECK(Expect('>'));
    return DataType::Map(std::move(key), std::move(value));
  }

  Result<DataType> ParseStruct(int depth) {
    SLUICE_CHECK(Expect('<'));
    Schema fields;
    do {
      SLUICE_TRY(std::string name, FieldName());
      if (fields.IndexOf(name) >= 0) return Fail(Bad(fmt::format("it has two fields named \"{}\"", name)));
      SLUICE_CHECK(Expect(':'));
      SLUICE_TRY(DataType type, ParseOne(depth + 1));
      fields.fields.push_back({std::move(name), std::move(type)});
    } while (Take(','));
    SLUICE_CHECK(Expect('>'));
    return DataType::Struct(std::move(fields.fields));
  }

  Result<std::string> FieldName() {
    SkipSpace();
    if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '`')) return QuotedName(text_[at_]);
    std::string name = Word();
    if (name.empty()) return Fail(Bad("a field's name is missing"));
    return name;
  }

  Result<std::string> QuotedName(char quote) {
    std::string name;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == quote) {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != quote) {
          ++at_;
          return name;
        }
        ++at_;
      }
      name += text_[at_];
    }
    return Fail(Bad("a quote is not closed"));
  }

  std::string Word() {
    SkipSpace();
    const size_t start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  std::optional<int> Number() {
    SkipSpace();
    int value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) return std::nullopt;
    at_ = end - text_.data();
    return value;
  }

  bool Take(char c) {
    SkipSpace();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  Status Expect(char c) {
    if (Take(c)) return Ok();
    return Fail(Bad(fmt::format("'{}' is expected {}", c, AtEnd() ? "at its end" : fmt::format("at \"{}\"", Rest()))));
  }
  void SkipSpace() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool AtEnd() {
    SkipSpace();
    return at_ == text_.size();
  }
  std::string_view Rest() { return text_.substr(at_); }

  Error Bad(const std::string& why) { return UserError("unknown-type", fmt::format("\"{}\" is not a type: {}", text_, why)); }
  Error BadDecimal(const std::string& why) {
    return UserError("bad-decimal", fmt::format("\"{}\": {}", text_, why)).Hint("for example decimal(12,2)");
  }
  Error Unknown(const std::string& name) {
    std::vector<std::string> known;
    for (const auto& entry : kNames) known.emplace_back(entry.name);
    for (const auto& entry : kAliases) known.emplace_back(entry.name);
    return UserError("unknown-type", fmt::format("\"{}\" is not a type{}", name, DidYouMean(name, known)))
        .Hint(
            "types: boolean, tinyint, smallint, integer, bigint, float, double, decimal(p,s), string, binary, date, timestamp, "
            "timestamp_ntz, list<t>, map<k, v>, struct<name: t>");
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

DataType DataType::Struct(std::vector<Field> fields) { return {TypeKind::kStruct, 0, 0, std::move(fields)}; }

DataType DataType::List(DataType element, bool element_nullable) {
  return {TypeKind::kList, 0, 0, {Field{"element", std::move(element), element_nullable, {}}}};
}

DataType DataType::Map(DataType key, DataType value, bool value_nullable) {
  return {TypeKind::kMap, 0, 0, {Field{"key", std::move(key), false, {}}, Field{"value", std::move(value), value_nullable, {}}}};
}

std::string DataType::ToString() const {
  switch (kind) {
    case TypeKind::kDecimal:
      return fmt::format("decimal({},{})", precision, scale);
    case TypeKind::kList:
      return fmt::format("list<{}>", children[0].type.ToString());
    case TypeKind::kMap:
      return fmt::format("map<{}, {}>", children[0].type.ToString(), children[1].type.ToString());
    case TypeKind::kStruct: {
      std::vector<std::string> fields;
      for (const Field& field : children)
        fields.push_back(fmt::format("{}: {}", IsPlainName(field.name) ? field.name : QuoteIdentifier(field.name), field.type.ToString()));
      return fmt::format("struct<{}>", Join(fields, ", "));
    }
    default:
      return NameOf(kind);
  }
}

std::string DataType::ToDuckDb() const {
  switch (kind) {
    case TypeKind::kBoolean:
      return "BOOLEAN";
    case TypeKind::kTinyint:
      return "TINYINT";
    case TypeKind::kSmallint:
      return "SMALLINT";
    case TypeKind::kInteger:
      return "INTEGER";
    case TypeKind::kBigint:
      return "BIGINT";
    case TypeKind::kFloat:
      return "FLOAT";
    case TypeKind::kDouble:
      return "DOUBLE";
    case TypeKind::kDecimal:
      return fmt::format("DECIMAL({},{})", precision, scale);
    case TypeKind::kString:
      return "VARCHAR";
    case TypeKind::kBinary:
      return "BLOB";
    case TypeKind::kDate:
      return "DATE";
    case TypeKind::kTimestamp:
      return "TIMESTAMP WITH TIME ZONE";
    case TypeKind::kTimestampNtz:
      return "TIMESTAMP";
    case TypeKind::kList:
      return children[0].type.ToDuckDb() + "[]";
    case TypeKind::kMap:
      return fmt::format("MAP({}, {})", children[0].type.ToDuckDb(), children[1].type.ToDuckDb());
    case TypeKind::kStruct: {
      std::vector<std::string> fields;
      for (const Field& field : children) fields.push_back(fmt::format("{} {}", QuoteIdentifier(field.name), field.type.ToDuckDb()));
      return fmt::format("STRUCT({})", Join(fields, ", "));
    }
  }
  return "";
}

bool DataType::operator==(const DataType& other) const {
  if (kind != other.kind || children.size() != other.children.size()) return false;
  if (kind == TypeKind::kDecimal && (precision != other.precision || scale != other.scale)) return false;
  for (size_t i = 0; i < children.size(); ++i) {
    const Field &a = children[i], &b = other.children[i];
    if (a.name != b.name || a.nullable != b.nullable || !(a.type == b.type)) return false;
  }
  return true;
}

int Schema::IndexOf(std::string_view name) const {
  for (size_t i = 0; i < fields.size(); ++i)
    if (EqualsIgnoreCase(fields[i].name, name)) return static_cast<int>(i);
  return -1;
}

const Field* Schema::Find(std::string_view name) const {
  const int at = IndexOf(name);
  return at < 0 ? nullptr : &fields[at];
}

std::vector<std::string> Schema::Names() const {
  std::vector<std::string> names;
  names.reserve(fields.size());
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

Result<DataType> ParseType(std::string_view text) { return TypeParser(text).Parse(); }

namespace {

bool HasName(const std::vector<Field>& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(), [&](const Field& field) { return EqualsIgnoreCase(field.name, name); });
}

}  // namespace

const std::vector<Field>& BronzeMetadataColumns() {
  static const auto* columns = new std::vector<Field>{
      {"_run_id", DataType::Of(TypeKind::kString)},       {"_batch_id", DataType::Of(TypeKind::kBigint)},
      {"_source", DataType::Of(TypeKind::kString)},       {"_file", DataType::Of(TypeKind::kString)},
      {"_row", DataType::Of(TypeKind::kBigint)},          {"_ingested_at", DataType::Of(TypeKind::kTimestamp)},
      {"_execution_date", DataType::Of(TypeKind::kDate)},
  };
  return *columns;
}

const std::vector<Field>& ModelMetadataColumns() {
  static const auto* columns = new std::vector<Field>{
      {"_run_id", DataType::Of(TypeKind::kString)},
      {"_batch_id", DataType::Of(TypeKind::kBigint)},
  };
  return *columns;
}

const std::vector<Field>& ChangeColumns() {
  static const auto* columns = new std::vector<Field>{
      {"_change_type", DataType::Of(TypeKind::kString)},
      {"_commit_version", DataType::Of(TypeKind::kBigint)},
      {"_commit_timestamp", DataType::Of(TypeKind::kTimestamp)},
  };
  return *columns;
}

bool IsMetadataColumn(std::string_view name) { return HasName(BronzeMetadataColumns(), name); }
bool IsChangeColumn(std::string_view name) { return HasName(ChangeColumns(), name); }

}  // namespace sluice::contract
