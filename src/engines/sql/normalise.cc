// DuckDB's type names as the contract's types (design section 4).
#include <fmt/format.h>

#include <map>

#include "core/text.h"
#include "engines/sql.h"
#include "engines/sql/source_text.h"

namespace sluice::engines {
namespace {

using contract::DataType;
using contract::TypeKind;

const std::map<std::string, DataType, std::less<>>& Plain() {
  static const auto* types = new std::map<std::string, DataType, std::less<>>{
      {"BOOLEAN", DataType::Of(TypeKind::kBoolean)},
      {"TINYINT", DataType::Of(TypeKind::kTinyint)},
      {"SMALLINT", DataType::Of(TypeKind::kSmallint)},
      {"INTEGER", DataType::Of(TypeKind::kInteger)},
      {"BIGINT", DataType::Of(TypeKind::kBigint)},
      {"HUGEINT", DataType::Of(TypeKind::kBigint)},  // CastTo checks the values
      {"UTINYINT", DataType::Of(TypeKind::kSmallint)},
      {"USMALLINT", DataType::Of(TypeKind::kInteger)},
      {"UINTEGER", DataType::Of(TypeKind::kBigint)},
      {"UBIGINT", DataType::Decimal(20, 0)},
      {"FLOAT", DataType::Of(TypeKind::kFloat)},
      {"DOUBLE", DataType::Of(TypeKind::kDouble)},
      {"VARCHAR", DataType::Of(TypeKind::kString)},
      {"JSON", DataType::Of(TypeKind::kString)},
      {"UUID", DataType::Of(TypeKind::kString)},
      {"BLOB", DataType::Of(TypeKind::kBinary)},
      {"DATE", DataType::Of(TypeKind::kDate)},
      {"TIMESTAMP", DataType::Of(TypeKind::kTimestampNtz)},
      {"TIMESTAMP_S", DataType::Of(TypeKind::kTimestampNtz)},
      {"TIMESTAMP_MS", DataType::Of(TypeKind::kTimestampNtz)},
      {"TIMESTAMP WITH TIME ZONE", DataType::Of(TypeKind::kTimestamp)},
  };
  return *types;
}

Error Unsupported(const std::string& type, std::string hint) {
  return UserError("unsupported-type", fmt::format("{} cannot be stored", type)).Hint(std::move(hint));
}

Error NotStorable(const std::string& type) {
  if (type == "INTERVAL") return Unsupported(type, "CAST it: to VARCHAR, or extract(epoch FROM x) for seconds");
  if (type.starts_with("TIME"))
    return Unsupported(type, type == "TIMESTAMP_NS" ? "CAST it to TIMESTAMP (microseconds)" : "CAST it to VARCHAR");
  if (type == "UHUGEINT" || type == "BIGNUM") return Unsupported(type, "CAST it to DECIMAL(38,0), BIGINT or VARCHAR");
  return Unsupported(type, "CAST it to a type of the contract, for example VARCHAR");
}

// Recursive descent over the tokens of a type name.
class TypeReader {
 public:
  explicit TypeReader(std::string_view text) : tokens_(Tokenize(text)), text_(text) {}

  Result<DataType> ReadAll() {
    SLUICE_TRY(DataType type, Read());
    if (at_ != tokens_.size()) return Fail(NotStorable(text_));
    return type;
  }

 private:
  Result<DataType> Read() {
    SLUICE_TRY(DataType type, ReadElement());
    while (Symbol('[')) {  // T[], and T[3]: a fixed array is a list
      if (!Symbol(']')) {
        ++at_;
        if (!Symbol(']')) return Fail(NotStorable(text_));
      }
      type = DataType::List(std::move(type));
    }
    return type;
  }

  Result<DataType> ReadElement() {
    if (at_ >= tokens_.size()) return Fail(NotStorable(text_));
    const Token first = tokens_[at_++];
    std::string name = first.text;
    if (first.kind == Token::Kind::kQuotedName && name == "NULL")
      return Fail(UserError("untyped-null", "a NULL without a type").Hint("say which type it is: CAST(NULL AS VARCHAR)"));
    if (name == "DECIMAL") return ReadDecimal();
    if (name == "STRUCT") return ReadStruct();
    if (name == "MAP") return ReadMap();
    if (name == "ENUM") return SkipParentheses(DataType::Of(TypeKind::kString));
    while (at_ < tokens_.size() && tokens_[at_].kind == Token::Kind::kWord) name += " " + tokens_[at_++].text;  // … WITH TIME ZONE
    const auto plain = Plain().find(name);
    if (plain == Plain().end()) return Fail(NotStorable(name));
    return plain->second;
  }

  Result<DataType> ReadDecimal() {
    if (!Symbol('(')) return DataType::Decimal(18, 3);
    const std::string precision = at_ < tokens_.size() ? tokens_[at_++].text : "";
    Symbol(',');
    const std::string scale = at_ < tokens_.size() ? tokens_[at_++].text : "";
    if (!Symbol(')')) return Fail(NotStorable(text_));
    return DataType::Decimal(std::atoi(precision.c_str()), std::atoi(scale.c_str()));
  }

  Result<DataType> ReadStruct() {
    if (!Symbol('(')) return Fail(NotStorable(text_));
    std::vector<contract::Field> fields;
    do {
      if (at_ + 1 >= tokens_.size() || tokens_[at_ + 1].IsSymbol(',') || tokens_[at_ + 1].IsSymbol(')'))
        return Fail(Unsupported(text_, "name its fields: {'a': 1} or struct_pack(a := 1)"));
      std::string name = tokens_[at_++].text;
      SLUICE_TRY(DataType type, Read());
      fields.push_back({std::move(name), std::move(type), true, {}});
    } while (Symbol(','));
    if (!Symbol(')')) return Fail(NotStorable(text_));
    return DataType::Struct(std::move(fields));
  }

  Result<DataType> ReadMap() {
    if (!Symbol('(')) return Fail(NotStorable(text_));
    SLUICE_TRY(DataType key, Read());
    Symbol(',');
    SLUICE_TRY(DataType value, Read());
    if (!Symbol(')')) return Fail(NotStorable(text_));
    return DataType::Map(std::move(key), std::move(value));
  }

  DataType SkipParentheses(DataType type) {
    while (at_ < tokens_.size() && !Symbol(')')) ++at_;
    return type;
  }

  bool Symbol(char c) {
    const bool hit = at_ < tokens_.size() && tokens_[at_].IsSymbol(c);
    at_ += hit;
    return hit;
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  std::string text_;
};

}  // namespace

Result<contract::DataType> NormaliseType(const std::string& duckdb_type) { return TypeReader(duckdb_type).ReadAll(); }

}  // namespace sluice::engines
