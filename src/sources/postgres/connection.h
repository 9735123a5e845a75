#pragma once
// One connection to a PostgreSQL server, over libpq, which is loaded when the first one is opened. Waiting ends when `cancel` says so.
// Not thread-safe.
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sources/postgres/settings.h"

namespace sluice::sources::postgres {

using Row = std::vector<std::optional<std::string>>;  // texts; nullopt is NULL

// A column of a query's result.
struct ResultColumn {
  std::string name;
  uint32_t type = 0;
  int32_t modifier = -1;
};

int64_t SteadyMicros();

// What an error of the server means for whoever ran a statement, by its SQLSTATE ("" = the connection broke).
Error ServerError(const Settings& settings, std::string_view sqlstate, std::string_view message);
inline constexpr const char* kStarting = "postgres-starting";
// Why no connection came about, from what libpq says.
Error ConnectError(const Settings& settings, std::string_view message);

class Connection {
 public:
  // A server that is just starting is waited for, as long as connecting may take. Errors: kUser "postgres-login", "postgres-tls",
  // "postgres-no-database"; kRetryable "postgres-unreachable", "postgres-busy"; kNotFound "missing-library"; kCancelled.
  static Result<std::unique_ptr<Connection>> Open(const Settings& settings, const std::atomic<bool>* cancel);
  ~Connection();
  Connection(const Connection&) = delete;

  // Begins the one transaction that it reads in: read-only, in one snapshot (`exported` by another connection, or its own), in UTC, with
  // ISO texts. Settings are the transaction's alone: behind a pool the session is others' afterwards.
  Status Begin(const std::string& exported = "");

  // Waiting for the server ends at that time of the steady clock, with `late`; what it works at is cancelled.
  void EndBy(int64_t micros, Error late);
  // Where errors of statements point to; else to the connection's own place.
  void PointAt(Location where) { statements_from_ = std::move(where); }

  int ServerVersion() const;  // 150004 is 15.4

  // Rows of the last statement. Errors: those of ServerError.
  Result<std::vector<Row>> Query(const std::string& sql);
  // The columns that a SELECT would give; it does not run.
  Result<std::vector<ResultColumn>> Describe(const std::string& sql);

  // Begins a COPY … TO STDOUT.
  Status StartCopy(const std::string& sql);
  // Appends the next message of it to `bytes`: for a row in binary form, one row. False: the end.
  Result<bool> NextCopy(std::string* bytes);

 private:
  struct Handle;
  static Result<std::unique_ptr<Connection>> Try(const Settings& settings, const std::atomic<bool>* cancel, int64_t deadline_micros);
  Connection(Settings settings, const std::atomic<bool>* cancel, std::unique_ptr<Handle> handle);
  Status Finish(int64_t deadline_micros);
  Status Wait(bool write);
  Error LastError() const;
  Error ResultError(const void* result, std::string_view sql) const;

  Settings settings_;
  const std::atomic<bool>* cancel_;
  std::unique_ptr<Handle> handle_;
  std::optional<int64_t> end_micros_;
  Error late_;
  Location statements_from_;
};

}  // namespace sluice::sources::postgres
