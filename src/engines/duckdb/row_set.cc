#include "engines/duckdb/row_set.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/text.h"
#include "engines/duckdb/handles.h"
#include "engines/row_set.h"

namespace sluice::engines {
namespace {

using ExpressionHandle = Handle<duckdb_expression, duckdb_destroy_expression>;
using ContextHandle = Handle<duckdb_client_context, duckdb_destroy_client_context>;
using FunctionHandle = Handle<duckdb_scalar_function, duckdb_destroy_scalar_function>;

// The text of a set: for each file "LENGTH:NAME", then "LENGTH:" and its rows as the steps from each to the next, five bits to a character,
// the lowest first, the sixth bit set where more follow. The characters from '0' on have no quote among them.
constexpr char kZero = '0';
constexpr unsigned kMore = 32;

void AppendStep(uint64_t step, std::string* out) {
  for (; step >= kMore; step >>= 5) *out += static_cast<char>(kZero + (kMore | (step & 31)));
  *out += static_cast<char>(kZero + step);
}

class Bitmap {
 public:
  void Set(uint64_t row) {
    if (row / 64 >= words_.size()) words_.resize(std::max(row / 64 + 1, words_.size() * 2));
    words_[row / 64] |= 1ULL << (row % 64);
  }
  bool Has(uint64_t row) const { return row / 64 < words_.size() && (words_[row / 64] >> (row % 64) & 1) != 0; }

 private:
  std::vector<uint64_t> words_;
};

using RowSet = std::unordered_map<std::string, Bitmap>;

std::optional<std::string_view> TakePiece(std::string_view* text) {
  size_t length = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), length);
  const auto digits = static_cast<size_t>(end - text->data());
  if (error != std::errc() || digits >= text->size() || *end != ':' || text->size() - digits - 1 < length) return std::nullopt;
  const std::string_view piece = text->substr(digits + 1, length);
  text->remove_prefix(digits + 1 + length);
  return piece;
}

// nullopt where the text is none of ours.
std::optional<RowSet> Decode(std::string_view text) {
  RowSet set;
  while (!text.empty()) {
    const auto file = TakePiece(&text), steps = TakePiece(&text);
    if (!file || !steps) return std::nullopt;
    Bitmap& rows = set[std::string(*file)];
    uint64_t next = 0, step = 0;
    int shift = 0;
    for (const char c : *steps) {
      const auto bits = static_cast<unsigned>(c - kZero);
      if (bits >= 2 * kMore || shift > 60) return std::nullopt;
      step |= static_cast<uint64_t>(bits & 31) << shift;
      shift += 5;
      if ((bits & kMore) != 0) continue;
      rows.Set(next + step);
      next += step + 1;
      step = 0;
      shift = 0;
    }
    if (shift != 0) return std::nullopt;
  }
  return set;
}

// Where sluice_row_set leaves what it reads, while sluice_listed is bound and folds it on the same thread. A bound argument can say no
// more than its value, and a text of megabytes as that value would be copied for every vector of rows.
thread_local std::optional<RowSet>* bound_set = nullptr;

void ReadSet(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  auto* texts = static_cast<duckdb_string_t*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 0)));
  auto* out = static_cast<int64_t*>(duckdb_vector_get_data(output));
  for (idx_t i = 0; i < duckdb_data_chunk_get_size(input); ++i) {
    out[i] = 0;
    if (bound_set == nullptr) continue;
    *bound_set = Decode({duckdb_string_t_data(&texts[i]), duckdb_string_t_length(texts[i])});
    if (!*bound_set) return duckdb_scalar_function_set_error(info, "sluice_row_set: this text says no rows");
  }
}

void Bind(duckdb_bind_info info) {
  ContextHandle context;
  duckdb_scalar_function_get_client_context(info, context.out());
  const ExpressionHandle argument(duckdb_scalar_function_bind_get_argument(info, 0));
  std::optional<RowSet> set;
  bound_set = &set;
  ValueHandle value;
  const ErrorHandle error(duckdb_expression_is_foldable(argument.get()) ? duckdb_expression_fold(context.get(), argument.get(), value.out())
                                                                        : duckdb_error_data());
  bound_set = nullptr;
  if (!set) return duckdb_scalar_function_bind_set_error(info, "sluice_listed: its first argument is no sluice_row_set of a constant");
  using Shared = std::shared_ptr<const RowSet>;
  duckdb_scalar_function_set_bind_data(info, new Shared(std::make_shared<const RowSet>(*std::move(set))),
                                       [](void* data) { delete static_cast<Shared*>(data); });
  duckdb_scalar_function_set_bind_data_copy(info, [](void* data) -> void* { return new Shared(*static_cast<Shared*>(data)); });
}

void Look(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  const RowSet& set = **static_cast<std::shared_ptr<const RowSet>*>(duckdb_scalar_function_get_bind_data(info));
  auto* files = static_cast<duckdb_string_t*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 1)));
  const auto* rows = static_cast<const int64_t*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 2)));
  auto* out = static_cast<bool*>(duckdb_vector_get_data(output));
  const Bitmap* file = nullptr;  // rows come file by file
  for (idx_t i = 0; i < duckdb_data_chunk_get_size(input); ++i) {
    if (i == 0 || std::memcmp(&files[i], &files[i - 1], sizeof(duckdb_string_t)) != 0) {
      const auto found = set.find(std::string(duckdb_string_t_data(&files[i]), duckdb_string_t_length(files[i])));
      file = found == set.end() ? nullptr : &found->second;
    }
    out[i] = file != nullptr && rows[i] >= 0 && file->Has(static_cast<uint64_t>(rows[i]));
  }
}

Status Register(duckdb_connection connection, const char* name, const std::vector<duckdb_type>& parameters, duckdb_type result,
                duckdb_scalar_function_bind_t bind, duckdb_scalar_function_t run) {
  const FunctionHandle function(duckdb_create_scalar_function());
  duckdb_scalar_function_set_name(function.get(), name);
  for (const duckdb_type parameter : parameters)
    duckdb_scalar_function_add_parameter(function.get(), TypeHandle(duckdb_create_logical_type(parameter)).get());
  duckdb_scalar_function_set_return_type(function.get(), TypeHandle(duckdb_create_logical_type(result)).get());
  if (bind != nullptr) duckdb_scalar_function_set_bind(function.get(), bind);
  duckdb_scalar_function_set_function(function.get(), run);
  if (duckdb_register_scalar_function(connection, function.get()) != DuckDBSuccess)
    return Fail(BugError(fmt::format("{} can't be registered", name)));
  return Ok();
}

}  // namespace

Status RegisterRowSet(duckdb_connection connection) {
  SLUICE_CHECK(Register(connection, "sluice_row_set", {DUCKDB_TYPE_VARCHAR}, DUCKDB_TYPE_BIGINT, nullptr, ReadSet));
  return Register(connection, "sluice_listed", {DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_BIGINT}, DUCKDB_TYPE_BOOLEAN, Bind,
                  Look);
}

std::string Listed(const std::vector<RowsOfFile>& set, const std::string& file, const std::string& row) {
  std::string text, steps;
  for (const RowsOfFile& entry : set) {
    steps.clear();
    uint64_t next = 0;
    for (const int64_t number : entry.rows) {
      AppendStep(static_cast<uint64_t>(number) - next, &steps);
      next = static_cast<uint64_t>(number) + 1;
    }
    text += fmt::format("{}:{}{}:{}", entry.file.size(), entry.file, steps.size(), steps);
  }
  return fmt::format("sluice_listed(sluice_row_set({}), {}, {})", QuoteLiteral(text), file, row);
}

}  // namespace sluice::engines
