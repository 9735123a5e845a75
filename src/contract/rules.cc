#include "contract/rules.h"

#include <arrow/api.h>
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <unordered_set>

#include "contract/decode_column.h"
#include "core/counted.h"
#include "core/time.h"

namespace sluice::contract {

// What the rules say of a dictionary's texts, each looked at once: a later batch of the column may bring more of them.
struct EntryVerdicts {
  std::mutex mutex;
  std::shared_ptr<arrow::Buffer> of;
  int64_t checked = 0;
  std::shared_ptr<const std::vector<Violation>> found = std::make_shared<std::vector<Violation>>();  // by place; never changed, replaced
};

struct RowRules::ColumnRules {
  const int index;
  std::string name;
  DataType type;
  bool warn = false;
  bool not_null = false;
  std::shared_ptr<const re2::RE2> pattern;
  std::optional<Literal> min, max;
  std::string min_text, max_text;
  std::optional<int64_t> min_length, max_length;
  std::vector<Literal> values;                 // sorted, unless texts
  std::unordered_set<std::string_view> texts;  // of `values`, where they are strings
  std::optional<Literal> default_value;
  std::unique_ptr<EntryVerdicts> entries = std::make_unique<EntryVerdicts>();

  bool checks() const { return not_null || pattern || min || max || min_length || max_length || !values.empty(); }
};

RowRules::RowRules() = default;
RowRules::~RowRules() = default;
RowRules::RowRules(RowRules&&) noexcept = default;
RowRules& RowRules::operator=(RowRules&&) noexcept = default;

namespace {

Error BadRule(const ColumnContract& column, std::string why) {
  return UserError("bad-rule", fmt::format("column \"{}\": {}", column.name, why)).At(column.where);
}

std::shared_ptr<const re2::RE2> CompilePattern(const ColumnContract& column, Diagnostics* found) {
  if (column.type.kind != TypeKind::kString) {
    found->Add(BadRule(column, "pattern is for strings, not for a " + column.type.ToString()));
    return nullptr;
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto pattern = std::make_shared<re2::RE2>(*column.pattern, options);
  if (!pattern->ok()) {
    found->Add(
        BadRule(column, fmt::format("pattern \"{}\": {}", *column.pattern, pattern->error())).Hint("patterns are RE2 regular expressions"));
    return nullptr;
  }
  return pattern;
}

// Calls `visit(row, value)` for each row that is not NULL, with the value in Literal's unit.
template <typename Visit>
void ForEachNumber(const arrow::Array& array, TypeKind kind, Visit visit) {
  const auto loop = [&](auto zero) {
    using T = decltype(zero);
    const T* values = array.data()->GetValues<T>(1);
    for (int64_t row = 0; row < array.length(); ++row) {
      if (array.null_count() == 0 || array.IsValid(row)) visit(row, values[row]);
    }
  };
  switch (kind) {
    case TypeKind::kTinyint:
      return loop(int8_t{});
    case TypeKind::kSmallint:
      return loop(int16_t{});
    case TypeKind::kInteger:
    case TypeKind::kDate:
      return loop(int32_t{});
    case TypeKind::kBigint:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampNtz:
      return loop(int64_t{});
    case TypeKind::kFloat:
      return loop(float{});
    case TypeKind::kDouble:
      return loop(double{});
    case TypeKind::kDecimal:
      return loop(Int128{});
    default:
      break;
  }
}

template <typename Visit>
void ForEachText(const arrow::Array& array, Visit visit) {
  const auto& texts = static_cast<const arrow::BinaryArray&>(array);
  for (int64_t row = 0; row < texts.length(); ++row) {
    if (texts.IsValid(row)) visit(row, std::string_view(texts.GetView(row)));
  }
}

// NaN is above every number, as in Literal's order.
template <typename T>
bool Less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
  }
  return a < b;
}

template <typename T>
auto NumberOf(const Literal& literal) {
  if constexpr (std::is_floating_point_v<T>)
    return std::get<double>(literal);
  else if constexpr (sizeof(T) == 16)
    return std::get<Int128>(literal);
  else
    return std::get<int64_t>(literal);
}

bool IsText(TypeKind kind) { return kind == TypeKind::kString || kind == TypeKind::kBinary; }

int64_t Characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

int64_t LengthAt(const arrow::Array& array, TypeKind kind, int64_t row) {
  if (kind == TypeKind::kString) return Characters(static_cast<const arrow::StringArray&>(array).GetView(row));
  if (kind == TypeKind::kBinary) return static_cast<const arrow::BinaryArray&>(array).value_length(row);
  if (kind == TypeKind::kMap) return static_cast<const arrow::MapArray&>(array).value_length(row);
  return static_cast<const arrow::ListArray&>(array).value_length(row);
}

// Checks one column of one batch.
class ColumnCheck {
 public:
  template <typename Rules>
  ColumnCheck(const Rules& rules, const arrow::Array& array, const std::vector<uint8_t>* mask, std::vector<Violation>* out)
      : name_(rules.name), warn_(rules.warn), array_(array), mask_(mask), out_(out) {}

  void Refuse(int64_t row, std::string rule, std::string message) {
    if (mask_ != nullptr && (*mask_)[static_cast<size_t>(row)] == 0) return;
    out_->push_back({row, name_, std::move(rule), ValueText(array_, row), std::move(message), warn_});
  }

 private:
  const std::string& name_;
  bool warn_;
  const arrow::Array& array_;
  const std::vector<uint8_t>* mask_;
  std::vector<Violation>* out_;
};

template <typename Rules>
void CheckBounds(const Rules& rules, const arrow::Array& array, ColumnCheck& check) {
  const auto below = [&](int64_t row) { check.Refuse(row, "min", "below the minimum " + rules.min_text); };
  const auto above = [&](int64_t row) { check.Refuse(row, "max", "above the maximum " + rules.max_text); };
  if (IsText(rules.type.kind)) {
    ForEachText(array, [&](int64_t row, std::string_view text) {
      if (rules.min && text < std::get<std::string>(*rules.min))
        below(row);
      else if (rules.max && text > std::get<std::string>(*rules.max))
        above(row);
    });
    return;
  }
  ForEachNumber(array, rules.type.kind, [&](int64_t row, auto value) {
    using T = decltype(value);
    const auto wide = static_cast<decltype(NumberOf<T>(Literal{}))>(value);
    if (rules.min && Less(wide, NumberOf<T>(*rules.min)))
      below(row);
    else if (rules.max && Less(NumberOf<T>(*rules.max), wide))
      above(row);
  });
}

template <typename Rules>
void CheckValues(const Rules& rules, const arrow::Array& array, ColumnCheck& check) {
  const auto refuse = [&](int64_t row) { check.Refuse(row, "values", "not one of the allowed values"); };
  if (IsText(rules.type.kind)) {
    ForEachText(array, [&](int64_t row, std::string_view text) {
      if (!rules.texts.contains(text)) refuse(row);
    });
  } else if (rules.type.kind == TypeKind::kBoolean) {
    const auto& booleans = static_cast<const arrow::BooleanArray&>(array);
    for (int64_t row = 0; row < array.length(); ++row) {
      if (booleans.IsValid(row) && std::find(rules.values.begin(), rules.values.end(), Literal(booleans.Value(row))) == rules.values.end())
        refuse(row);
    }
  } else {
    ForEachNumber(array, rules.type.kind, [&](int64_t row, auto value) {
      using T = decltype(value);
      const auto wide = static_cast<decltype(NumberOf<T>(Literal{}))>(value);
      const bool known = std::any_of(rules.values.begin(), rules.values.end(), [&](const Literal& v) { return NumberOf<T>(v) == wide; });
      if (!known) refuse(row);
    });
  }
}

template <typename Rules>
void CheckLength(const Rules& rules, const arrow::Array& array, ColumnCheck& check) {
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) continue;
    const int64_t length = LengthAt(array, rules.type.kind, row);
    const char* unit = rules.type.kind == TypeKind::kString ? "character" : rules.type.kind == TypeKind::kBinary ? "byte" : "item";
    if (rules.min_length && length < *rules.min_length) {
      check.Refuse(row, "length", fmt::format("{}, fewer than {}", Counted(length, unit), *rules.min_length));
    } else if (rules.max_length && length > *rules.max_length) {
      check.Refuse(row, "length", fmt::format("{}, more than {}", Counted(length, unit), *rules.max_length));
    }
  }
}

template <typename Rules>
void CheckPresent(const Rules& rules, const arrow::Array& array, ColumnCheck& check) {
  if (array.null_count() == array.length()) return;
  if (rules.min || rules.max) CheckBounds(rules, array, check);
  if (rules.min_length || rules.max_length) CheckLength(rules, array, check);
  if (!rules.values.empty()) CheckValues(rules, array, check);
  if (rules.pattern) {
    ForEachText(array, [&](int64_t row, std::string_view text) {
      if (!re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *rules.pattern)) {
        check.Refuse(row, "pattern", fmt::format("does not match {}", rules.pattern->pattern()));
      }
    });
  }
}

// Of all texts of the dictionary, by place.
template <typename Rules>
std::shared_ptr<const std::vector<Violation>> CheckEntries(const Rules& rules, const arrow::Array& texts) {
  EntryVerdicts& known = *rules.entries;
  const std::lock_guard lock(known.mutex);
  const auto& memory = texts.data()->buffers[1];
  if (known.of != memory) {
    known.of = memory;
    known.checked = 0;
    known.found = std::make_shared<std::vector<Violation>>();
  }
  if (texts.length() > known.checked) {
    const auto news = texts.Slice(known.checked);
    std::vector<Violation> more;
    ColumnCheck check(rules, *news, nullptr, &more);
    CheckPresent(rules, *news, check);
    std::stable_sort(more.begin(), more.end(), [](const auto& a, const auto& b) { return a.row < b.row; });
    if (!more.empty()) {
      auto all = std::make_shared<std::vector<Violation>>(*known.found);
      for (Violation& violation : more) {
        violation.row += known.checked;
        all->push_back(std::move(violation));
      }
      known.found = std::move(all);
    }
    known.checked = texts.length();
  }
  return known.found;
}

template <typename Rules>
void CheckDictionary(const Rules& rules, const arrow::DictionaryArray& array, ColumnCheck& check) {
  const auto entries = CheckEntries(rules, *array.dictionary());
  const std::vector<Violation>& found = *entries;
  if (found.empty()) return;
  const auto& places = static_cast<const arrow::Int32Array&>(*array.indices());
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) continue;
    const int64_t place = places.Value(row);
    auto at = std::lower_bound(found.begin(), found.end(), place, [](const Violation& v, int64_t p) { return v.row < p; });
    for (; at != found.end() && at->row == place; ++at) check.Refuse(row, at->rule, at->message);
  }
}

template <typename Rules>
void CheckColumn(const Rules& rules, const arrow::Array& array, ColumnCheck& check) {
  if (rules.not_null && array.null_count() > 0) {
    for (int64_t row = 0; row < array.length(); ++row) {
      if (array.IsNull(row)) check.Refuse(row, "not_null", "must not be NULL");
    }
  }
  if (array.type_id() == arrow::Type::DICTIONARY)
    CheckDictionary(rules, static_cast<const arrow::DictionaryArray&>(array), check);
  else
    CheckPresent(rules, array, check);
}

}  // namespace

Result<RowRules> RowRules::Compile(const Contract& contract) {
  RowRules rules;
  Diagnostics found;
  for (size_t i = 0; i < contract.columns.size(); ++i) {
    const ColumnContract& column = contract.columns[i];
    ColumnRules compiled{static_cast<int>(i), column.name, column.type, column.on_fail == OnFail::kWarn, column.not_null};
    const auto literal = [&](const std::string& text, std::string_view what) -> std::optional<Literal> {
      const std::string zone = column.zone ? *column.zone : contract.zone.empty() ? "UTC" : contract.zone;
      auto parsed = ParseLiteral(column.type, text, zone);
      if (parsed) return std::move(*parsed);
      found.Add(BadRule(column, fmt::format("{}: {}", what, parsed.error().message)));
      return std::nullopt;
    };
    if (column.pattern) compiled.pattern = CompilePattern(column, &found);
    if (column.min) compiled.min = literal(*column.min, "min"), compiled.min_text = *column.min;
    if (column.max) compiled.max = literal(*column.max, "max"), compiled.max_text = *column.max;
    if ((column.min || column.max) && column.type.kind == TypeKind::kBoolean)
      found.Add(BadRule(column, "min and max are not for booleans"));
    compiled.min_length = column.min_length;
    compiled.max_length = column.max_length;
    const bool has_length = IsText(column.type.kind) || column.type.kind == TypeKind::kList || column.type.kind == TypeKind::kMap;
    if ((column.min_length || column.max_length) && !has_length)
      found.Add(BadRule(column, "length is for strings, binary, lists and maps"));
    for (const std::string& value : column.values) {
      if (auto parsed = literal(value, "values")) compiled.values.push_back(std::move(*parsed));
    }
    if (column.default_value) compiled.default_value = literal(*column.default_value, "default");
    rules.columns_.push_back(std::move(compiled));
  }
  if (!found.ok()) return Fail(std::move(found).Take());
  for (ColumnRules& column : rules.columns_) {
    if (!IsText(column.type.kind)) continue;
    for (const Literal& value : column.values) column.texts.insert(std::get<std::string>(value));
  }
  return rules;
}

bool RowRules::empty() const {
  return std::none_of(columns_.begin(), columns_.end(), [](const ColumnRules& c) { return c.checks(); });
}

void RowRules::Check(const arrow::RecordBatch& rows, const RuleMask& mask, std::vector<Violation>* violations) const {
  for (const ColumnRules& column : columns_) {
    if (!column.checks()) continue;
    const arrow::Array& array = *rows.column(column.index);
    ColumnCheck check(column, array, mask ? mask(column.index) : nullptr, violations);
    CheckColumn(column, array, check);
  }
}

Result<std::shared_ptr<arrow::RecordBatch>> RowRules::FillDefaults(std::shared_ptr<arrow::RecordBatch> rows) const {
  auto columns = rows->columns();
  bool filled = false;
  for (const ColumnRules& column : columns_) {
    auto& array = columns[static_cast<size_t>(column.index)];
    if (!column.default_value || array->null_count() == 0) continue;
    SLUICE_TRY(array, FillNulls(array, column.type, *column.default_value));
    filled = true;
  }
  return filled ? arrow::RecordBatch::Make(rows->schema(), rows->num_rows(), std::move(columns)) : rows;
}

std::string ValueText(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "";
  switch (array.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return CutValue(static_cast<const arrow::BinaryArray&>(array).GetView(row));
    case arrow::Type::DICTIONARY: {
      const auto& texts = static_cast<const arrow::DictionaryArray&>(array);
      return ValueText(*texts.dictionary(), texts.GetValueIndex(row));
    }
    case arrow::Type::TIMESTAMP:
      return FormatTimestamp(static_cast<const arrow::TimestampArray&>(array).Value(row));
    default:
      break;
  }
  const auto scalar = array.GetScalar(row);
  return scalar.ok() ? CutValue((*scalar)->ToString()) : "";
}

}  // namespace sluice::contract
