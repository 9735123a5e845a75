#include "engines/duckdb/comparison_probe.h"

#include <fmt/format.h>

#include "engines/duckdb/handles.h"

namespace sluice::engines {
namespace {

using ExpressionHandle = Handle<duckdb_expression, duckdb_destroy_expression>;
using ContextHandle = Handle<duckdb_client_context, duckdb_destroy_client_context>;
using FunctionHandle = Handle<duckdb_scalar_function, duckdb_destroy_scalar_function>;

// "" where the type is none of those that a text must not be compared with.
const char* NameOf(duckdb_type type) {
  switch (type) {
    case DUCKDB_TYPE_VARCHAR:
      return "string";
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_UHUGEINT:
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_DECIMAL:
    case DUCKDB_TYPE_INTEGER_LITERAL:
      return "number";
    case DUCKDB_TYPE_DATE:
      return "date";
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
      return "timestamp";
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_TIME_TZ:
      return "time";
    case DUCKDB_TYPE_BOOLEAN:
      return "boolean";
    default:
      return "";
  }
}

std::string TypeAt(duckdb_bind_info info, idx_t index) {
  const ExpressionHandle argument(duckdb_scalar_function_bind_get_argument(info, index));
  const TypeHandle type(duckdb_expression_return_type(argument.get()));
  return NameOf(duckdb_get_type_id(type.get()));
}

int64_t SiteOf(duckdb_bind_info info) {
  ContextHandle context;
  duckdb_scalar_function_get_client_context(info, context.out());
  const ExpressionHandle argument(duckdb_scalar_function_bind_get_argument(info, 0));
  ValueHandle value;
  const ErrorHandle error(duckdb_expression_fold(context.get(), argument.get(), value.out()));
  return value ? duckdb_get_int64(value.get()) : -1;
}

void Bind(duckdb_bind_info info) {
  const std::string first = TypeAt(info, 1);
  for (idx_t i = 2; i < duckdb_scalar_function_bind_get_argument_count(info); ++i) {
    const std::string other = TypeAt(info, i);
    if (first.empty() || other.empty() || (first == "string") == (other == "string")) continue;
    const std::string message = fmt::format("sluice_compared {} {} {} {}", SiteOf(info), i - 2, first, other);
    return duckdb_scalar_function_bind_set_error(info, message.c_str());
  }
}

void NeverRun(duckdb_function_info info, duckdb_data_chunk, duckdb_vector) {
  duckdb_scalar_function_set_error(info, "sluice_compared is for binding only");
}

}  // namespace

Status RegisterComparisonProbe(duckdb_connection connection) {
  const FunctionHandle function(duckdb_create_scalar_function());
  const TypeHandle any(duckdb_create_logical_type(DUCKDB_TYPE_ANY)), boolean(duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN));
  duckdb_scalar_function_set_name(function.get(), "sluice_compared");
  duckdb_scalar_function_set_varargs(function.get(), any.get());
  duckdb_scalar_function_set_return_type(function.get(), boolean.get());
  duckdb_scalar_function_set_special_handling(function.get());
  duckdb_scalar_function_set_bind(function.get(), Bind);
  duckdb_scalar_function_set_function(function.get(), NeverRun);
  if (duckdb_register_scalar_function(connection, function.get()) != DuckDBSuccess)
    return Fail(BugError("sluice_compared can't be registered"));
  return Ok();
}

}  // namespace sluice::engines
