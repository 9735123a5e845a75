#include "formats/avro_schema.h"

#include <arrow/api.h>
#include <arrow/extension/uuid.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace sluice::formats {
namespace {

using nlohmann::json;
using Kind = AvroType::Kind;

constexpr int kMaxDepth = 64;
constexpr int64_t kMaxNodes = 100'000;

Error Wrong(const std::string& why) { return DataError("corrupt-file", "its schema is wrong: " + why); }
Error Unsupported(const std::string& what) { return UnsupportedError("unsupported-avro", what); }

std::string TextOf(const json& schema, const char* key) {
  const auto found = schema.find(key);
  return found != schema.end() && found->is_string() ? found->get<std::string>() : "";
}

int64_t NumberOf(const json& schema, const char* key, int64_t absent) {
  const auto found = schema.find(key);
  return found != schema.end() && found->is_number_integer() ? found->get<int64_t>() : absent;
}

AvroType Simple(Kind kind, std::shared_ptr<arrow::DataType> type) {
  AvroType out;
  out.kind = kind;
  out.arrow = std::move(type);
  return out;
}

class SchemaParser {
 public:
  Result<AvroType> Parse(const json& schema, int depth) {
    if (depth > kMaxDepth) return Fail(Unsupported(fmt::format("its schema is nested deeper than {} levels", kMaxDepth)));
    if (schema.is_string()) return Named(schema.get<std::string>());
    if (schema.is_array()) return Union(schema, depth);
    if (!schema.is_object()) return Fail(Wrong("a type that is neither a name, nor an object, nor a union"));
    const auto type = schema.find("type");
    if (type == schema.end()) return Fail(Wrong("a type without \"type\""));
    if (!type->is_string()) return Parse(*type, depth + 1);
    const std::string name = type->get<std::string>();
    if (name == "record" || name == "error") return Record(schema, depth);
    if (name == "enum") return Enum(schema);
    if (name == "fixed") return Fixed(schema);
    if (name == "array") return List(schema, depth);
    if (name == "map") return Map(schema, depth);
    SLUICE_TRY(AvroType out, Named(name));
    return WithLogical(std::move(out), schema);
  }

 private:
  // A schema of a few bytes can name types in types until they are more than there is memory for.
  static Status AddChild(AvroType child, AvroType* out) {
    out->nodes += child.nodes;
    out->levels = std::max(out->levels, child.levels + 1);
    if (out->levels > kMaxDepth || out->nodes > kMaxNodes)
      return Fail(Unsupported(fmt::format("its schema has more than {} levels or {} types", kMaxDepth, kMaxNodes)));
    out->children.push_back(std::move(child));
    return Ok();
  }

  Result<AvroType> Named(const std::string& name) {
    static const std::map<std::string, AvroType> kPrimitives = {
        {"null", Simple(Kind::kNull, arrow::null())},      {"boolean", Simple(Kind::kBoolean, arrow::boolean())},
        {"int", Simple(Kind::kInt, arrow::int32())},       {"long", Simple(Kind::kLong, arrow::int64())},
        {"float", Simple(Kind::kFloat, arrow::float32())}, {"double", Simple(Kind::kDouble, arrow::float64())},
        {"bytes", Simple(Kind::kBytes, arrow::binary())},  {"string", Simple(Kind::kString, arrow::utf8())}};
    if (const auto primitive = kPrimitives.find(name); primitive != kPrimitives.end()) return primitive->second;
    const std::string full = name.find('.') != std::string::npos || namespace_.empty() ? name : namespace_ + "." + name;
    for (const std::string& known : {full, name}) {
      if (open_.contains(known)) return Fail(Unsupported(fmt::format("its type \"{}\" contains itself", known)));
      if (const auto found = types_.find(known); found != types_.end()) return found->second;
    }
    return Fail(Wrong(fmt::format("there is no type \"{}\"", name)));
  }

  // The full name of a type being defined; its namespace holds for what is inside.
  std::string Define(const json& schema) {
    const std::string name = TextOf(schema, "name");
    if (const size_t dot = name.rfind('.'); dot != std::string::npos) {
      namespace_ = name.substr(0, dot);
      return name;
    }
    if (schema.contains("namespace")) namespace_ = TextOf(schema, "namespace");
    return namespace_.empty() ? name : namespace_ + "." + name;
  }

  Result<AvroType> Record(const json& schema, int depth) {
    const std::string outer = namespace_, name = Define(schema);
    const auto fields = schema.find("fields");
    if (fields == schema.end() || !fields->is_array()) return Fail(Wrong("a record without fields"));
    open_.insert(name);
    AvroType out = Simple(Kind::kRecord, nullptr);
    arrow::FieldVector arrow_fields;
    for (const json& field : *fields) {
      if (!field.is_object() || !field.contains("type")) return Fail(Wrong("a field without a type"));
      SLUICE_TRY(AvroType type, Parse(field["type"], depth + 1));
      out.names.push_back(TextOf(field, "name"));
      arrow_fields.push_back(arrow::field(out.names.back(), type.arrow));
      SLUICE_CHECK(AddChild(std::move(type), &out));
    }
    open_.erase(name);
    out.arrow = arrow::struct_(arrow_fields);
    types_[name] = out;
    namespace_ = outer;
    return out;
  }

  Result<AvroType> Enum(const json& schema) {
    const std::string outer = namespace_, name = Define(schema);
    AvroType out = Simple(Kind::kEnum, arrow::utf8());
    const auto symbols = schema.find("symbols");
    if (symbols == schema.end() || !symbols->is_array()) return Fail(Wrong("an enumeration without symbols"));
    for (const json& symbol : *symbols) out.names.push_back(symbol.is_string() ? symbol.get<std::string>() : "");
    types_[name] = out;
    namespace_ = outer;
    return out;
  }

  Result<AvroType> Fixed(const json& schema) {
    const std::string outer = namespace_, name = Define(schema);
    AvroType out = Simple(Kind::kFixed, nullptr);
    out.size = NumberOf(schema, "size", -1);
    if (out.size < 0 || out.size > INT32_MAX) return Fail(Wrong("a fixed type without a size"));
    out.arrow = arrow::fixed_size_binary(static_cast<int32_t>(out.size));
    SLUICE_TRY(out, WithLogical(std::move(out), schema));
    types_[name] = out;
    namespace_ = outer;
    return out;
  }

  Result<AvroType> List(const json& schema, int depth) {
    if (!schema.contains("items")) return Fail(Wrong("an array without items"));
    SLUICE_TRY(AvroType item, Parse(schema["items"], depth + 1));
    AvroType out = Simple(Kind::kArray, arrow::list(item.arrow));
    SLUICE_CHECK(AddChild(std::move(item), &out));
    return out;
  }

  Result<AvroType> Map(const json& schema, int depth) {
    if (!schema.contains("values")) return Fail(Wrong("a map without values"));
    SLUICE_TRY(AvroType item, Parse(schema["values"], depth + 1));
    AvroType out = Simple(Kind::kMap, arrow::map(arrow::utf8(), item.arrow));
    SLUICE_CHECK(AddChild(std::move(item), &out));
    return out;
  }

  Result<AvroType> Union(const json& schema, int depth) {
    AvroType out = Simple(Kind::kUnion, arrow::null());
    std::vector<std::shared_ptr<arrow::DataType>> types;
    arrow::FieldVector members;
    for (const json& branch : schema) {
      SLUICE_TRY(AvroType type, Parse(branch, depth + 1));
      if (type.kind == Kind::kUnion) return Fail(Wrong("a union within a union"));
      if (type.kind != Kind::kNull) {
        members.push_back(arrow::field(fmt::format("member{}", members.size()), type.arrow));
        types.push_back(type.arrow);
      }
      SLUICE_CHECK(AddChild(std::move(type), &out));
    }
    if (types.size() == 1) out.arrow = types[0];
    if (types.size() < 2) return out;
    const auto all = [&](arrow::Type::type a, arrow::Type::type b) {
      return std::all_of(types.begin(), types.end(), [&](const auto& type) { return type->id() == a || type->id() == b; });
    };
    if (all(arrow::Type::INT32, arrow::Type::INT64)) {
      out.arrow = arrow::int64();
    } else if (all(arrow::Type::FLOAT, arrow::Type::DOUBLE)) {
      out.arrow = arrow::float64();
    } else {
      out.members = true;
      out.arrow = arrow::struct_(members);
    }
    return out;
  }

  // A logical type that is not known, or not valid, is none: so the specification wants it.
  static Result<AvroType> WithLogical(AvroType type, const json& schema) {
    const std::string logical = TextOf(schema, "logicalType");
    const bool is_long = type.kind == Kind::kLong, is_int = type.kind == Kind::kInt;
    const auto unit = logical.ends_with("-millis")   ? arrow::TimeUnit::MILLI
                      : logical.ends_with("-micros") ? arrow::TimeUnit::MICRO
                                                     : arrow::TimeUnit::NANO;
    const bool has_unit = unit != arrow::TimeUnit::NANO || logical.ends_with("-nanos");
    if (logical == "date" && is_int) type.arrow = arrow::date32();
    if (logical == "time-millis" && is_int) type.arrow = arrow::time32(arrow::TimeUnit::MILLI);
    if (logical == "time-micros" && is_long) type.arrow = arrow::time64(arrow::TimeUnit::MICRO);
    if (logical.starts_with("timestamp-") && has_unit && is_long) type.arrow = arrow::timestamp(unit, "UTC");
    if (logical.starts_with("local-timestamp-") && has_unit && is_long) type.arrow = arrow::timestamp(unit);
    if (logical == "uuid" && type.kind == Kind::kFixed && type.size == 16) type.arrow = arrow::extension::uuid();
    if (logical != "decimal" || (type.kind != Kind::kBytes && type.kind != Kind::kFixed)) return type;
    type.precision = static_cast<int>(NumberOf(schema, "precision", 0));
    type.scale = static_cast<int>(NumberOf(schema, "scale", 0));
    if (type.precision < 1 || type.scale < 0 || type.scale > type.precision) return type;
    if (type.precision > 76) return Fail(Unsupported(fmt::format("a decimal of {} digits", type.precision)));
    type.decimal = true;
    type.arrow = type.precision <= 38 ? arrow::decimal128(type.precision, type.scale) : arrow::decimal256(type.precision, type.scale);
    return type;
  }

  std::map<std::string, AvroType> types_;
  std::set<std::string> open_;
  std::string namespace_;
};

}  // namespace

Result<AvroType> ParseAvroSchema(std::string_view text) {
  const json schema = json::parse(text, nullptr, false);
  if (schema.is_discarded()) return Fail(Wrong("it is no JSON"));
  SLUICE_TRY(AvroType type, SchemaParser().Parse(schema, 0));
  if (type.kind != Kind::kRecord) return Fail(Unsupported("its values are no records"));
  return type;
}

}  // namespace sluice::formats
