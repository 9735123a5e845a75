#include "engines/duckdb/parameters.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/text.h"
#include "core/time.h"

namespace sluice::engines {
namespace {

template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

duckdb_value DateValue(std::string_view text) {
  const auto days = ParseDate(text);
  return days ? duckdb_create_date(duckdb_date{*days}) : nullptr;
}

duckdb_value TimestampValue(std::string_view text) {
  const auto instant = ParseInstant(text);
  return instant ? duckdb_create_timestamp_tz(duckdb_timestamp{instant->micros}) : nullptr;
}

duckdb_value TimestampNtzValue(std::string_view text) {
  const auto instant = ParseInstant(std::string(text) + "Z");
  return instant ? duckdb_create_timestamp(duckdb_timestamp{instant->micros}) : nullptr;
}

duckdb_value BooleanValue(std::string_view text) {
  const bool is_true = EqualsIgnoreCase(text, "true");
  return is_true || EqualsIgnoreCase(text, "false") ? duckdb_create_bool(is_true) : nullptr;
}

template <typename T, duckdb_value (*Create)(T)>
duckdb_value NumberValue(std::string_view text) {
  const auto number = ParseNumber<T>(text);
  return number ? Create(*number) : nullptr;
}

// nullptr where the text is no value of the type, or the type is none that a parameter may have.
ValueHandle ToValue(const Parameter& p) {
  if (p.type == "string") return ValueHandle(duckdb_create_varchar_length(p.text.data(), p.text.size()));
  if (p.type == "bigint") return ValueHandle(NumberValue<int64_t, duckdb_create_int64>(p.text));
  if (p.type == "double") return ValueHandle(NumberValue<double, duckdb_create_double>(p.text));
  if (p.type == "boolean") return ValueHandle(BooleanValue(p.text));
  if (p.type == "date") return ValueHandle(DateValue(p.text));
  if (p.type == "timestamp") return ValueHandle(TimestampValue(p.text));
  if (p.type == "timestamp_ntz") return ValueHandle(TimestampNtzValue(p.text));
  return ValueHandle();
}

const Parameter* Find(const std::vector<Parameter>& params, std::string_view name) {
  for (const Parameter& p : params)
    if (EqualsIgnoreCase(p.name, name)) return &p;
  return nullptr;
}

}  // namespace

Status BindParameters(duckdb_prepared_statement statement, const std::vector<Parameter>& params) {
  for (idx_t i = 1; i <= duckdb_nparams(statement); ++i) {
    const char* raw_name = duckdb_parameter_name(statement, i);
    const std::string name = raw_name ? raw_name : "";
    duckdb_free(const_cast<char*>(raw_name));
    const Parameter* p = Find(params, name);
    if (!p) return Fail(UserError("unbound-parameter", fmt::format("parameter ${} has no value", name)));
    const ValueHandle value = ToValue(*p);
    if (!value)
      return Fail(
          UserError("bad-parameter", fmt::format("parameter ${}: \"{}\" is not a {} that a parameter may be", name, p->text, p->type)));
    if (duckdb_bind_value(statement, i, value.get()) != DuckDBSuccess) return Fail(SqlError(duckdb_prepare_error(statement)));
  }
  return Ok();
}

}  // namespace sluice::engines
