#pragma once
// Owners for the C API's handles, and its errors as ours.
#include <duckdb.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.h"

namespace sluice::engines {

// Owns one C handle; `Destroy` takes its address, as all of duckdb.h's destructors do.
template <typename T, void (*Destroy)(T*)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T raw) : raw_(raw) {}
  Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, T{})) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      Reset();
      raw_ = std::exchange(other.raw_, T{});
    }
    return *this;
  }
  ~Handle() { Reset(); }

  T get() const { return raw_; }
  T* out() { return &raw_; }  // for functions that fill the handle
  explicit operator bool() const { return raw_ != nullptr; }
  void Reset() {
    if (raw_) Destroy(&raw_);
    raw_ = T{};
  }

 private:
  T raw_{};
};

using DatabaseHandle = Handle<duckdb_database, duckdb_close>;
using ConnectionHandle = Handle<duckdb_connection, duckdb_disconnect>;
using ConfigHandle = Handle<duckdb_config, duckdb_destroy_config>;
using PreparedHandle = Handle<duckdb_prepared_statement, duckdb_destroy_prepare>;
using PendingHandle = Handle<duckdb_pending_result, duckdb_destroy_pending>;
using ChunkHandle = Handle<duckdb_data_chunk, duckdb_destroy_data_chunk>;
using TypeHandle = Handle<duckdb_logical_type, duckdb_destroy_logical_type>;
using ValueHandle = Handle<duckdb_value, duckdb_destroy_value>;
using ErrorHandle = Handle<duckdb_error_data, duckdb_destroy_error_data>;
using ArrowOptionsHandle = Handle<duckdb_arrow_options, duckdb_destroy_arrow_options>;
using ArrowTypesHandle = Handle<duckdb_arrow_converted_schema, duckdb_destroy_arrow_converted_schema>;
using TableFunctionHandle = Handle<duckdb_table_function, duckdb_destroy_table_function>;

// duckdb_result is a struct, not a pointer.
class ResultHandle {
 public:
  ResultHandle() = default;
  ResultHandle(const ResultHandle&) = delete;
  ResultHandle& operator=(const ResultHandle&) = delete;
  ~ResultHandle() { duckdb_destroy_result(&raw_); }
  duckdb_result* get() { return &raw_; }

 private:
  duckdb_result raw_{};
};

// A message of DuckDB ("Binder Error: …") as an error: "sql-interrupted" (cancelled), "sql-out-of-memory", "engine-invalidated" and
// "sql-io" (retryable), "sql" (user). The kind of exception is told by the message's first words: prepare gives no other.
Error SqlError(std::string_view message);
Status Check(const ErrorHandle& error);

}  // namespace sluice::engines
