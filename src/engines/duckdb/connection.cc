#include "engines/duckdb/connection.h"

#include <arrow/c/abi.h>
#include <fmt/format.h>

#include <map>

#include "core/text.h"
#include "engines/duckdb/parameters.h"
#include "engines/duckdb/result_reader.h"

namespace sluice::engines {
namespace {

using Row = std::vector<std::optional<std::string>>;

// The values of a materialised result, all of whose columns are text (others read as NULL).
Result<std::vector<Row>> ReadText(duckdb_result* result) {
  std::vector<Row> rows;
  const idx_t columns = duckdb_column_count(result);
  for (;;) {
    const ChunkHandle chunk(duckdb_fetch_chunk(*result));
    if (!chunk) break;
    const idx_t size = duckdb_data_chunk_get_size(chunk.get());
    for (idx_t r = 0; r < size; ++r) {
      Row row;
      for (idx_t c = 0; c < columns; ++c) {
        const duckdb_vector vector = duckdb_data_chunk_get_vector(chunk.get(), c);
        uint64_t* validity = duckdb_vector_get_validity(vector);
        const bool is_text = duckdb_column_type(result, c) == DUCKDB_TYPE_VARCHAR;
        if (!is_text || (validity && !duckdb_validity_row_is_valid(validity, r))) {
          row.emplace_back();
          continue;
        }
        auto& text = static_cast<duckdb_string_t*>(duckdb_vector_get_data(vector))[r];
        row.emplace_back(std::string(duckdb_string_t_data(&text), duckdb_string_t_length(text)));
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

bool AllText(duckdb_prepared_statement statement) {
  for (idx_t i = 0; i < duckdb_prepared_statement_column_count(statement); ++i)
    if (duckdb_prepared_statement_column_type(statement, i) != DUCKDB_TYPE_VARCHAR) return false;
  return true;
}

class DuckDbConnection : public Connection {
 public:
  explicit DuckDbConnection(std::shared_ptr<Session> session) : session_(std::move(session)) {}

  ~DuckDbConnection() override {
    for (const auto& [name, handle] : registered_) session_->arrow_tables().Remove(handle);
  }

  Status Execute(const std::string& sql) override {
    ResultHandle result;
    SLUICE_CHECK(session_->RefreshRemote());
    if (duckdb_query(raw(), sql.c_str(), result.get()) != DuckDBSuccess) return Fail(SqlError(duckdb_result_error(result.get())));
    return Ok();
  }

  Result<std::shared_ptr<arrow::RecordBatchReader>> Query(const std::string& sql, const std::vector<Parameter>& params) override {
    SLUICE_TRY(PreparedHandle statement, Prepare(sql, params));
    return StreamResult(std::move(statement), session_);
  }

  Result<std::vector<Column>> Describe(const std::string& sql, const std::vector<Parameter>& params) override {
    SLUICE_TRY(const auto rows, Rows("DESCRIBE " + sql, params));
    std::vector<Column> columns;
    for (const Row& row : rows) columns.push_back({row.at(0).value_or(""), row.at(1).value_or("")});
    return columns;
  }

  Result<std::optional<std::string>> Scalar(const std::string& sql, const std::vector<Parameter>& params) override {
    SLUICE_TRY(const auto rows, Rows(sql, params));
    if (rows.empty() || rows[0].empty()) return std::nullopt;
    return rows[0][0];
  }

  Result<std::optional<std::string>> PreparedScalar(const std::string& sql, const std::vector<Parameter>& params) override {
    PreparedHandle& statement = prepared_[sql];
    if (!statement) {
      SLUICE_TRY(statement, Prepare(sql, params));
    } else {
      SLUICE_CHECK(BindParameters(statement.get(), params));
    }
    SLUICE_TRY(const auto rows, Run(statement.get()));
    if (rows.empty() || rows[0].empty()) return std::nullopt;
    return rows[0][0];
  }

  Result<std::vector<Row>> Rows(const std::string& sql, const std::vector<Parameter>& params) override {
    SLUICE_TRY(PreparedHandle statement, Prepare(sql, params));
    if (duckdb_prepared_statement_type(statement.get()) == DUCKDB_STATEMENT_TYPE_SELECT && !AllText(statement.get())) {
      // Values that are not text are printed by DuckDB itself.
      SLUICE_TRY(statement, Prepare(fmt::format("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({}\n)", sql), params));
    }
    return Run(statement.get());
  }

  Status Register(const std::string& name, std::shared_ptr<arrow::Schema> schema,
                  std::vector<std::shared_ptr<arrow::RecordBatch>> batches) override {
    SLUICE_CHECK(session_->EnsureArrowScan());
    auto table = std::make_shared<ArrowTable>(ArrowTable{std::move(schema), std::move(batches), 0});
    for (const auto& batch : table->batches) table->rows += batch->num_rows();
    const int64_t handle = session_->arrow_tables().Add(std::move(table));
    if (Status status =
            Execute(fmt::format("CREATE OR REPLACE TEMP VIEW {} AS SELECT * FROM sluice_arrow({})", QuoteIdentifier(name), handle));
        !status) {
      session_->arrow_tables().Remove(handle);
      return status;
    }
    const auto [at, is_new] = registered_.try_emplace(ToLower(name), handle);
    if (!is_new) session_->arrow_tables().Remove(std::exchange(at->second, handle));
    return Ok();
  }

  Status Unregister(const std::string& name) override {
    const auto found = registered_.find(ToLower(name));
    if (found == registered_.end()) return Ok();
    session_->arrow_tables().Remove(found->second);
    registered_.erase(found);
    return Execute("DROP VIEW IF EXISTS " + QuoteIdentifier(name));
  }

  void Interrupt() override { duckdb_interrupt(raw()); }

 private:
  duckdb_connection raw() const { return session_->connection(); }

  Result<PreparedHandle> Prepare(const std::string& sql, const std::vector<Parameter>& params) {
    PreparedHandle statement;
    SLUICE_CHECK(session_->RefreshRemote());
    if (duckdb_prepare(raw(), sql.c_str(), statement.out()) != DuckDBSuccess) return Fail(SqlError(duckdb_prepare_error(statement.get())));
    SLUICE_CHECK(BindParameters(statement.get(), params));
    return statement;
  }

  static Result<std::vector<Row>> Run(duckdb_prepared_statement statement) {
    ResultHandle result;
    if (duckdb_execute_prepared(statement, result.get()) != DuckDBSuccess) return Fail(SqlError(duckdb_result_error(result.get())));
    if (duckdb_result_return_type(*result.get()) != DUCKDB_RESULT_TYPE_QUERY_RESULT) return std::vector<Row>{};
    return ReadText(result.get());
  }

  std::shared_ptr<Session> session_;
  std::map<std::string, PreparedHandle> prepared_;  // after the session: statements go before their connection
  std::map<std::string, int64_t> registered_;       // lower-case name → handle
};

}  // namespace

std::unique_ptr<Connection> NewConnection(std::shared_ptr<Session> session) {
  return std::make_unique<DuckDbConnection>(std::move(session));
}

}  // namespace sluice::engines
