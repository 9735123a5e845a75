// Spark's SQL of a generated column → the steps that compute it.
#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "tables/generated.h"

namespace sluice::tables {
namespace {

using contract::DataType;
using contract::Field;
using contract::TypeKind;
using Kind = GenerationStep::Kind;

constexpr const char* kExpressionKey = "delta.generationExpression";

struct Token {
  enum class Kind { kName, kQuotedName, kText, kNumber, kSign, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;
};

bool IsWordChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// nullopt: something that no such expression has.
std::optional<std::vector<Token>> Tokens(std::string_view sql) {
  std::vector<Token> tokens;
  for (size_t at = 0; at < sql.size();) {
    const char c = sql[at];
    size_t end = at + 1;
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      at = end;
      continue;
    }
    if (c == '`' || c == '\'' || c == '"') {
      std::string text;
      for (;; ++end) {
        if (end >= sql.size() || (c != '`' && sql[end] == '\\')) return std::nullopt;
        if (sql[end] == c && c == '`' && end + 1 < sql.size() && sql[end + 1] == c)
          ++end;  // a doubled one stands for itself
        else if (sql[end] == c)
          break;
        text += sql[end];
      }
      tokens.push_back({c == '`' ? Token::Kind::kQuotedName : Token::Kind::kText, text});
      at = end + 1;
      continue;
    }
    if (IsWordChar(c)) {
      while (end < sql.size() && IsWordChar(sql[end])) ++end;
      const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
      tokens.push_back({digit ? Token::Kind::kNumber : Token::Kind::kName, std::string(sql.substr(at, end - at))});
    } else if (std::string_view("(),-").find(c) != std::string_view::npos) {
      tokens.push_back({Token::Kind::kSign, std::string(1, c)});
    } else {
      return std::nullopt;
    }
    at = end;
  }
  tokens.push_back({});
  return tokens;
}

// What an expression is so far: its type, and the steps to it.
struct Value {
  DataType type;
  std::vector<GenerationStep> steps;
};
using Parsed = std::optional<Value>;

bool IsInstant(TypeKind kind) { return kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampNtz; }

GenerationStep Step(Kind kind, TimeUnit unit = TimeUnit::kYear) {
  GenerationStep step;
  step.kind = kind;
  step.unit = unit;
  return step;
}

// Casts that cannot fail, and give the same text in Spark.
Parsed Cast(Value value, const DataType& to) {
  const TypeKind from = value.type.kind;
  if (from == TypeKind::kDate && IsInstant(to.kind)) {
    value.steps.push_back(Step(Kind::kMicrosOfDays));
  } else if (IsInstant(from) && to.kind == TypeKind::kDate) {
    value.steps.push_back(Step(Kind::kDaysOfMicros));
  } else if (to.kind == TypeKind::kString && value.type.is_integer()) {
    value.steps.push_back(Step(Kind::kIntegerText));
  } else if (to.kind == TypeKind::kString && (from == TypeKind::kDate || from == TypeKind::kBoolean)) {
    value.steps.push_back(Step(from == TypeKind::kDate ? Kind::kDateText : Kind::kBooleanText));
  } else {
    const bool grows = value.type.is_integer() && to.is_integer() && from <= to.kind;
    if (!(value.type == to) && !grows && !(IsInstant(from) && IsInstant(to.kind))) return std::nullopt;
  }
  value.type = to;
  return value;
}

Parsed Append(Parsed value, GenerationStep step, TypeKind type) {
  if (!value) return value;
  value->steps.push_back(std::move(step));
  value->type = DataType::Of(type);
  return value;
}

std::optional<TimeUnit> UnitOf(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, TimeUnit>, 15> kNames = {{{"year", TimeUnit::kYear},
                                                                             {"yyyy", TimeUnit::kYear},
                                                                             {"yy", TimeUnit::kYear},
                                                                             {"quarter", TimeUnit::kQuarter},
                                                                             {"month", TimeUnit::kMonth},
                                                                             {"mm", TimeUnit::kMonth},
                                                                             {"mon", TimeUnit::kMonth},
                                                                             {"week", TimeUnit::kWeek},
                                                                             {"day", TimeUnit::kDay},
                                                                             {"dd", TimeUnit::kDay},
                                                                             {"hour", TimeUnit::kHour},
                                                                             {"minute", TimeUnit::kMinute},
                                                                             {"second", TimeUnit::kSecond},
                                                                             {"millisecond", TimeUnit::kMillisecond},
                                                                             {"microsecond", TimeUnit::kMicrosecond}}};
  for (const auto& [text, unit] : kNames)
    if (EqualsIgnoreCase(text, name)) return unit;
  return std::nullopt;
}

// Fields as numbers only, and text between them that means nothing else in Java's patterns.
std::optional<TimePattern> PatternOf(const std::string& text) {
  constexpr std::array<std::pair<char, TimeUnit>, 6> kFields = {{{'y', TimeUnit::kYear},
                                                                 {'M', TimeUnit::kMonth},
                                                                 {'d', TimeUnit::kDay},
                                                                 {'H', TimeUnit::kHour},
                                                                 {'m', TimeUnit::kMinute},
                                                                 {'s', TimeUnit::kSecond}}};
  TimePattern pattern;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    size_t end = at + 1;
    TimePattern::Part part;
    if (std::isalpha(static_cast<unsigned char>(c)) == 0) {
      if (std::string_view("'[]{}#").find(c) != std::string_view::npos) return std::nullopt;
      part.literal = c;
    } else {
      while (end < text.size() && text[end] == c) ++end;
      const auto field = std::find_if(kFields.begin(), kFields.end(), [&](const auto& entry) { return entry.first == c; });
      part.field = c;
      part.width = static_cast<int>(end - at);
      const bool known = c == 'y' ? part.width == 1 || part.width == 2 || part.width == 4 : part.width <= 2;
      if (field == kFields.end() || !known) return std::nullopt;
      pattern.unit = std::max(pattern.unit, field->second);
    }
    pattern.parts.push_back(std::move(part));
    at = end;
  }
  return pattern;
}

class Parser {
 public:
  Parser(std::vector<Token> tokens, const contract::Schema& schema) : tokens_(std::move(tokens)), schema_(schema) {}

  Parsed Run() {
    auto value = Expression();
    return value && Now().kind == Token::Kind::kEnd && source_ != nullptr ? value : std::nullopt;
  }
  const Field* source() const { return source_; }

 private:
  const Token& Now() const { return tokens_[at_]; }
  bool IsSign(const char* sign) const { return Now().kind == Token::Kind::kSign && Now().text == sign; }
  bool Take(const char* sign) {
    if (!IsSign(sign)) return false;
    ++at_;
    return true;
  }
  bool TakeWord(const char* word) {
    if (Now().kind != Token::Kind::kName || !EqualsIgnoreCase(Now().text, word)) return false;
    ++at_;
    return true;
  }

  Parsed Expression() {
    if (Take("(")) return Closed(Expression());
    const bool called = Now().kind == Token::Kind::kName && tokens_[at_ + 1].kind == Token::Kind::kSign && tokens_[at_ + 1].text == "(";
    if (!called) return Column();
    const std::string name = ToLower(Now().text);
    at_ += 2;
    return Closed(Call(name));
  }
  Parsed Closed(Parsed value) { return value && Take(")") ? value : std::nullopt; }

  Parsed Column() {
    if (Now().kind != Token::Kind::kName && Now().kind != Token::Kind::kQuotedName) return std::nullopt;
    const Field* field = schema_.Find(Now().text);
    if (field == nullptr || field->type.is_nested() || IsGenerated(*field)) return std::nullopt;
    source_ = field;
    ++at_;
    return Value{field->type, {}};
  }

  Parsed Call(const std::string& name) {
    if (name == "cast") return CastCall();
    if (name == "year") return Append(As(Expression(), TypeKind::kDate), Step(Kind::kPartOfDays, TimeUnit::kYear), TypeKind::kInteger);
    if (name == "month") return Append(As(Expression(), TypeKind::kDate), Step(Kind::kPartOfDays, TimeUnit::kMonth), TypeKind::kInteger);
    if (name == "day" || name == "dayofmonth")
      return Append(As(Expression(), TypeKind::kDate), Step(Kind::kPartOfDays, TimeUnit::kDay), TypeKind::kInteger);
    if (name == "hour") return Append(AsInstant(Expression()), Step(Kind::kHourOfMicros), TypeKind::kInteger);
    if (name == "date_format") return Format();
    if (name == "date_trunc") return TruncateInstant();
    if (name == "trunc") return TruncateDate();
    if (name == "substring" || name == "substr") return SubstringCall();
    return std::nullopt;
  }

  static Parsed As(Parsed value, TypeKind kind) {
    if (!value || (value->type.kind != TypeKind::kDate && !IsInstant(value->type.kind))) return std::nullopt;
    return Cast(*std::move(value), DataType::Of(kind));
  }
  static Parsed AsInstant(Parsed value) {
    return value && value->type.kind == TypeKind::kTimestampNtz ? value : As(std::move(value), TypeKind::kTimestamp);
  }

  Parsed CastCall() {
    auto value = Expression();
    if (!value || !TakeWord("as") || Now().kind != Token::Kind::kName) return std::nullopt;
    constexpr std::array kTypes = {"boolean", "tinyint", "byte", "smallint", "short",     "int",          "integer",
                                   "bigint",  "long",    "date", "string",   "timestamp", "timestamp_ntz"};
    std::string name = ToLower(Now().text);
    if (std::find(kTypes.begin(), kTypes.end(), name) == kTypes.end()) return std::nullopt;
    if (name == "byte") name = "tinyint";
    if (name == "short") name = "smallint";
    ++at_;
    const auto type = contract::ParseType(name);
    return type ? Cast(*std::move(value), *type) : std::nullopt;
  }

  std::optional<std::string> Text() {
    if (Now().kind != Token::Kind::kText) return std::nullopt;
    return tokens_[at_++].text;
  }

  std::optional<int64_t> Number() {
    const bool negative = Take("-");
    int64_t value = 0;
    const std::string& text = Now().text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (Now().kind != Token::Kind::kNumber || error != std::errc() || end != text.data() + text.size() ||
        value > std::numeric_limits<int32_t>::max())
      return std::nullopt;
    ++at_;
    return negative ? -value : value;
  }

  Parsed Format() {
    auto value = AsInstant(Expression());
    if (!value || !Take(",")) return std::nullopt;
    const auto text = Text();
    auto pattern = text ? PatternOf(*text) : std::nullopt;
    if (!pattern) return std::nullopt;
    value = Append(std::move(value), Step(Kind::kTruncateMicros, pattern->unit), value->type.kind);
    GenerationStep step = Step(Kind::kFormatMicros);
    step.pattern = *std::move(pattern);
    return Append(std::move(value), std::move(step), TypeKind::kString);
  }

  Parsed TruncateInstant() {
    const auto text = Text();
    const auto unit = text ? UnitOf(*text) : std::nullopt;
    if (!unit || !Take(",")) return std::nullopt;
    return Append(As(Expression(), TypeKind::kTimestamp), Step(Kind::kTruncateMicros, *unit), TypeKind::kTimestamp);
  }

  // Of a smaller unit Spark's gives NULL for all.
  Parsed TruncateDate() {
    auto value = As(Expression(), TypeKind::kDate);
    if (!value || !Take(",")) return std::nullopt;
    const auto text = Text();
    const auto unit = text ? UnitOf(*text) : std::nullopt;
    if (!unit || *unit > TimeUnit::kWeek) return std::nullopt;
    return Append(std::move(value), Step(Kind::kTruncateDays, *unit), TypeKind::kDate);
  }

  // substring(text, begin [, length]), or substring(text FROM begin [FOR length])
  Parsed SubstringCall() {
    auto value = Expression();
    if (value && value->type.kind != TypeKind::kString) value = Cast(*std::move(value), DataType::Of(TypeKind::kString));
    if (!value || (!Take(",") && !TakeWord("from"))) return std::nullopt;
    GenerationStep step = Step(Kind::kSubstring);
    const auto begin = Number();
    std::optional<int64_t> length = int64_t{std::numeric_limits<int32_t>::max()} + 1;
    if (Take(",") || TakeWord("for")) length = Number();
    if (!begin || !length) return std::nullopt;
    step.begin = *begin;
    step.length = *length;
    return Append(std::move(value), std::move(step), TypeKind::kString);
  }

  std::vector<Token> tokens_;
  const contract::Schema& schema_;
  const Field* source_ = nullptr;
  size_t at_ = 0;
};

bool MakesText(const GenerationStep& step) { return step.kind >= Kind::kFormatMicros; }

}  // namespace

bool IsGenerated(const Field& field) { return field.metadata.contains(kExpressionKey); }

Result<std::optional<Generated>> GeneratedOf(const Field& field, const contract::Schema& schema) {
  const auto entry = field.metadata.find(kExpressionKey);
  if (entry == field.metadata.end()) return std::optional<Generated>();
  Generated generated;
  generated.column = field.name;
  generated.type = field.type;
  const auto json = nlohmann::json::parse(entry->second, nullptr, /*allow_exceptions=*/false);
  generated.expression = json.is_string() ? json.get<std::string>() : entry->second;
  auto tokens = Tokens(generated.expression);
  if (tokens) {
    Parser parser(*std::move(tokens), schema);
    if (auto value = parser.Run(); value && value->type == field.type) {
      generated.source = parser.source()->name;
      generated.source_type = parser.source()->type;
      for (GenerationStep& step : value->steps) (MakesText(step) ? generated.texts : generated.numbers).push_back(std::move(step));
      return generated;
    }
  }
  return Fail(UnsupportedError("unsupported-feature", fmt::format("column \"{}\" is generated by \"{}\", which cannot be computed",
                                                                  field.name, generated.expression)));
}

}  // namespace sluice::tables
