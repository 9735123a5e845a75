#include <fmt/format.h>

#include <algorithm>

#include "contract/literal.h"
#include "contract/number_style.h"
#include "contract/time_format.h"
#include "contract/zone.h"
#include "core/text.h"
#include "formats/format.h"
#include "project/build.h"
#include "project/names.h"
#include "project/pattern.h"

namespace sluice::project {
namespace {

using contract::ColumnContract;
using contract::TypeKind;
using sources::FileFormat;

void Report(Error error, const Location& where, Diagnostics& diagnostics) { diagnostics.Add(std::move(error).At(where)); }

void CheckZone(const std::optional<PlacedText>& zone, Diagnostics& diagnostics) {
  if (!zone) return;
  auto loaded = contract::Zone::Load(zone->value);
  if (loaded) return;
  Error error = std::move(loaded).error();
  if (error.hint.empty()) error.hint = "write a zone of the IANA database such as Europe/Berlin, or UTC";
  Report(std::move(error), zone->where, diagnostics);
}

bool IsTime(TypeKind kind) { return kind == TypeKind::kDate || kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampNtz; }

std::optional<contract::Literal> CheckLiteral(const PlacedText& text, const ContractColumnSpec& column, std::string_view key,
                                              Diagnostics& diagnostics) {
  return project::CheckLiteral(text, column.type.value, column.zone ? column.zone->value : "UTC", key, diagnostics);
}

void CheckRange(const ContractColumnSpec& column, Diagnostics& diagnostics) {
  if ((column.min || column.max) && column.type.value.is_nested()) {
    diagnostics.Add(UserError("rule-does-not-fit", fmt::format("{} has no order: min and max do not fit it", column.type.value.ToString()))
                        .At(column.min ? column.min->where : column.max->where)
                        .Hint("remove it, or write a rule with sql:"));
    return;
  }
  std::optional<contract::Literal> min, max;
  if (column.min) min = CheckLiteral(*column.min, column, "min", diagnostics);
  if (column.max) max = CheckLiteral(*column.max, column, "max", diagnostics);
  if (!min || !max || contract::CompareLiterals(*min, *max) <= 0) return;
  diagnostics.Add(UserError("empty-range", fmt::format("the min {} is above the max {}", column.min->value, column.max->value))
                      .At(column.max->where)
                      .Hint("swap them"));
}

void CheckValues(const ContractColumnSpec& column, Diagnostics& diagnostics) {
  CheckSomeValues(column.given, column.values, "values", diagnostics);
  if (column.values.empty()) return;
  if (column.type.value.is_nested()) {
    diagnostics.Add(UserError("rule-does-not-fit", fmt::format("values do not fit {}", column.type.value.ToString()))
                        .At(column.values[0].where)
                        .Hint("remove it, or write a rule with sql:"));
    return;
  }
  for (const PlacedText& value : column.values) CheckLiteral(value, column, "the value", diagnostics);
}

void CheckTextRules(const ContractColumnSpec& column, Diagnostics& diagnostics) {
  const TypeKind kind = column.type.value.kind;
  if (column.pattern && kind != TypeKind::kString)
    diagnostics.Add(UserError("rule-does-not-fit", fmt::format("a pattern fits a string, not {}", column.type.value.ToString()))
                        .At(column.pattern->where)
                        .Hint("make the column a string, or use min and max"));
  else if (column.pattern)
    if (auto status = CheckPattern(column.pattern->value); !status) Report(std::move(status).error(), column.pattern->where, diagnostics);
  if (!column.length) return;
  if (kind != TypeKind::kString && kind != TypeKind::kBinary && kind != TypeKind::kList)
    diagnostics.Add(UserError("rule-does-not-fit", fmt::format("{} has no length", column.type.value.ToString()))
                        .At(column.length->where)
                        .Hint("length fits strings, binaries and lists"));
  const auto& [min, max, broken, where] = *column.length;
  if (broken) return;
  if (!min && !max)
    diagnostics.Add(
        UserError("missing-key", "\"length\" has neither min nor max").At(where).Hint("write a number, or { min: 1, max: 10 }"));
  if (min && max && *min > *max)
    diagnostics.Add(
        UserError("empty-range", fmt::format("\"length\": the min {} is above the max {}", *min, *max)).At(where).Hint("swap them"));
}

void CheckFormats(const ContractColumnSpec& column, bool zone_known, FileFormat format, Diagnostics& diagnostics) {
  const TypeKind kind = column.type.value.kind;
  if (!column.formats.empty() && !IsTime(kind)) {
    diagnostics.Add(UserError("rule-does-not-fit", fmt::format("formats fit dates and timestamps, not {}", column.type.value.ToString()))
                        .At(column.formats[0].where)
                        .Hint("remove it, or change the type"));
    return;
  }
  if (column.zone && kind != TypeKind::kTimestamp && !column.type.value.is_nested())
    diagnostics.Add(UserError("rule-does-not-fit", fmt::format("{} has no zone", column.type.value.ToString()))
                        .At(column.zone->where)
                        .Hint("only a timestamp, an instant, needs one"));
  CheckZone(column.zone, diagnostics);
  for (const PlacedText& text : column.formats) {
    auto compiled = contract::TimeFormat::Compile(text.value);
    if (!compiled) {
      Error error = std::move(compiled).error();
      if (error.hint.empty()) error.hint = "it knows %Y %m %d %H %I %M %S %f %p %b %B %a %A %j %z %Z %s %F %T %R";
      Report(std::move(error), text.where, diagnostics);
      continue;
    }
    const bool says_zone = text.value.find("%z") != std::string::npos || text.value.find("%Z") != std::string::npos ||
                           text.value.find("%s") != std::string::npos || text.value.starts_with("epoch_");
    if (kind == TypeKind::kTimestampNtz && text.value.starts_with("epoch_"))
      diagnostics.Add(UserError("rule-does-not-fit", fmt::format("{} counts from an instant, and a timestamp_ntz is none", text.value))
                          .At(text.where)
                          .Hint("write type: timestamp"));
    if (kind == TypeKind::kTimestamp && !says_zone && !zone_known && !formats::TraitsOf(format).typed)
      diagnostics.Add(
          UserError("zone-needed", fmt::format("\"{}\" has no zone, so its timestamps are no instants", text.value))
              .At(text.where)
              .Hint("add zone: Europe/Berlin (or another) to the column, timezone: UTC to sluice.yml, or make it a timestamp_ntz"));
  }
}

struct StyleSpec {  // of a column or a contract
  const std::optional<PlacedText>&decimal, &thousands;
};

contract::GivenStyle BuildStyle(const StyleSpec& spec, FileFormat format, Diagnostics& diagnostics) {
  contract::GivenStyle style;
  const auto take = [&](const std::optional<PlacedText>& text, std::string_view key, std::string_view allowed) {
    std::optional<std::string> value;
    if (!text) return value;
    if (format != FileFormat::kCsv)
      diagnostics.Add(UserError("key-of-another-format", fmt::format("\"{}\" is of format: csv", key))
                          .At(text->where)
                          .Hint("remove it; numbers in texts of other formats are written as 1234.56"));
    if (text->value.empty() ? key == "thousands" : text->value.size() == 1 && allowed.find(text->value) != std::string_view::npos)
      value = text->value;
    else
      diagnostics.Add(UserError("bad-number-style", fmt::format("\"{}\" cannot be \"{}\"", key, text->value))
                          .At(text->where)
                          .Hint(key == "decimal" ? "write \".\" or \",\"" : "write \",\", \".\", \"'\", \"_\" or \" \""));
    return value;
  };
  style.decimal = take(spec.decimal, "decimal", ".,");
  style.thousands = take(spec.thousands, "thousands", ",.'_ ");
  return style;
}

// Both are known now, whoever said them.
void CheckStyle(const contract::NumberStyle& style, const StyleSpec& spec, Diagnostics& diagnostics) {
  if (style.decimal != style.thousands || (!spec.decimal && !spec.thousands)) return;
  diagnostics.Add(UserError("bad-number-style", fmt::format("\"{}\" cannot be both decimal and thousands", style.decimal))
                      .At(spec.thousands ? spec.thousands->where : spec.decimal->where)
                      .Hint("1.234,56 has decimal: \",\" and thousands: \".\""));
}

void CheckStyleFits(const ContractColumnSpec& column, Diagnostics& diagnostics) {
  for (const auto* text : {&column.decimal, &column.thousands})
    if (*text && column.type.where.line != 0 && !column.type.value.is_number())
      diagnostics.Add(UserError("rule-does-not-fit", fmt::format("{} is no number", column.type.value.ToString()))
                          .At((*text)->where)
                          .Hint("remove it, or change the type"));
}

ColumnContract BuildColumn(const ContractColumnSpec& spec) {
  ColumnContract column;
  column.name = spec.name.value;
  if (spec.from) column.from = spec.from->value;
  column.type = spec.type.value;
  column.not_null = spec.not_null;
  const auto text = [](const std::optional<PlacedText>& placed) { return placed ? std::optional(placed->value) : std::nullopt; };
  column.pattern = text(spec.pattern);
  column.min = text(spec.min);
  column.max = text(spec.max);
  if (spec.length) {
    column.min_length = spec.length->min;
    column.max_length = spec.length->max;
  }
  column.values = TextsOf(spec.values);
  column.on_fail = spec.on_fail;
  if (spec.rule_where) column.rule_where = spec.rule_where->value;
  column.formats = TextsOf(spec.formats);
  column.zone = text(spec.zone);
  column.null_tokens = spec.null_tokens;
  column.trim = spec.trim;
  column.default_value = text(spec.default_value);
  column.pii = spec.pii;
  column.description = spec.description;
  column.where = spec.where;
  return column;
}

void CheckColumn(const ContractColumnSpec& column, bool zone_known, FileFormat format, Diagnostics& diagnostics) {
  if (column.name.where.known()) CheckColumnName(column.name, diagnostics);
  if (column.type.where.line == 0) return;  // its type was refused: nothing more can be said
  CheckRange(column, diagnostics);
  CheckValues(column, diagnostics);
  CheckTextRules(column, diagnostics);
  CheckFormats(column, zone_known || column.zone, format, diagnostics);
  if (column.default_value) CheckLiteral(*column.default_value, column, "the default", diagnostics);
}

contract::MaxQuarantined BuildLimit(const QuarantineLimitSpec& spec) { return {spec.share, spec.min_rows, spec.rows}; }

}  // namespace

std::optional<contract::Literal> CheckLiteral(const PlacedText& text, const contract::DataType& type, std::string_view zone,
                                              std::string_view key, Diagnostics& diagnostics) {
  auto literal = contract::ParseLiteral(type, text.value, zone);
  if (literal) return *literal;
  diagnostics.Add(UserError("bad-literal", fmt::format("{} {}", key, literal.error().message))
                      .At(text.where)
                      .Hint(IsTime(type.kind) ? "write it in ISO 8601: 2024-01-31, 2024-01-31T10:00:00Z"
                                              : "write a value of the column's type, or change the type"));
  return std::nullopt;
}

bool CheckSomeValues(const config::GivenKeys& given, const Texts& values, std::string_view key, Diagnostics& diagnostics) {
  const config::GivenKey* found = FindGiven(given, key);
  if (found == nullptr || !values.empty()) return true;
  diagnostics.Add(UserError("empty-range", fmt::format("\"{}\" is an empty list: nothing would pass", key))
                      .At(found->where)
                      .Hint(fmt::format("list the allowed values, as in {}: [completed, pending], or leave it out", key)));
  return false;
}

contract::Contract BuildContract(const ContractSpec& spec, FileFormat format, const std::string& project_zone, Diagnostics& diagnostics) {
  contract::Contract made;
  made.declared = true;
  made.on_violation = spec.on_violation;
  made.on_new_column = spec.on_new_column;
  made.on_missing_column = spec.on_missing_column;
  made.on_type_change = spec.on_type_change;
  made.max_quarantined = BuildLimit(spec.max_quarantined);
  made.null_tokens = spec.null_tokens;
  made.trim = spec.trim;
  made.zone = spec.zone ? spec.zone->value : project_zone;
  made.unique = TextsOf(spec.unique);
  made.where = spec.where;
  CheckZone(spec.zone, diagnostics);
  Texts names, fields;
  made.numbers = BuildStyle({spec.decimal, spec.thousands}, format, diagnostics);
  CheckStyle(contract::StyleOf({}, made), {spec.decimal, spec.thousands}, diagnostics);
  for (const ContractColumnSpec& column : spec.columns) {
    CheckColumn(column, !made.zone.empty(), format, diagnostics);
    made.columns.push_back(BuildColumn(column));
    const StyleSpec style{column.decimal, column.thousands};
    made.columns.back().numbers = BuildStyle(style, format, diagnostics);
    CheckStyle(contract::StyleOf(made.columns.back(), made), style, diagnostics);
    CheckStyleFits(column, diagnostics);
    if (column.name.value.empty()) continue;
    names.push_back(column.name);
    fields.push_back(column.from.value_or(column.name));
  }
  if (spec.columns.empty())
    diagnostics.Add(UserError("no-columns", "this contract has no columns")
                        .At(spec.where)
                        .Hint("write them, or remove the contract: then types are detected"));
  const size_t before = diagnostics.errors.size();
  CheckDistinct(names, "duplicate-column", "the column", diagnostics);
  if (diagnostics.errors.size() == before) CheckDistinct(fields, "duplicate-from", "the field", diagnostics);
  CheckColumns(spec.unique, TextsOf(names), "unique column", "this contract", diagnostics);
  made.rules = BuildRules(spec.rules, made.columns, diagnostics);
  return made;
}

}  // namespace sluice::project
