#include "sources/postgres/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

#include "core/text.h"
#include "net/shared_library.h"

namespace sluice::sources::postgres {
namespace {

// ---- The library

struct Pq {
  decltype(::PQconnectStartParams)* connect_start = nullptr;
  decltype(::PQconnectPoll)* connect_poll = nullptr;
  decltype(::PQstatus)* status = nullptr;
  decltype(::PQsocket)* socket = nullptr;
  decltype(::PQfinish)* finish = nullptr;
  decltype(::PQerrorMessage)* error_message = nullptr;
  decltype(::PQsetErrorVerbosity)* set_error_verbosity = nullptr;
  decltype(::PQsetNoticeProcessor)* set_notice_processor = nullptr;
  decltype(::PQsendQuery)* send_query = nullptr;
  decltype(::PQsendPrepare)* send_prepare = nullptr;
  decltype(::PQsendDescribePrepared)* send_describe_prepared = nullptr;
  decltype(::PQconsumeInput)* consume_input = nullptr;
  decltype(::PQisBusy)* is_busy = nullptr;
  decltype(::PQgetResult)* get_result = nullptr;
  decltype(::PQresultStatus)* result_status = nullptr;
  decltype(::PQresultErrorField)* result_error_field = nullptr;
  decltype(::PQresultErrorMessage)* result_error_message = nullptr;
  decltype(::PQclear)* clear = nullptr;
  decltype(::PQntuples)* ntuples = nullptr;
  decltype(::PQnfields)* nfields = nullptr;
  decltype(::PQfname)* fname = nullptr;
  decltype(::PQftype)* ftype = nullptr;
  decltype(::PQfmod)* fmod = nullptr;
  decltype(::PQgetisnull)* getisnull = nullptr;
  decltype(::PQgetvalue)* getvalue = nullptr;
  decltype(::PQgetlength)* getlength = nullptr;
  decltype(::PQgetCopyData)* get_copy_data = nullptr;
  decltype(::PQfreemem)* freemem = nullptr;
  decltype(::PQgetCancel)* get_cancel = nullptr;
  decltype(::PQcancel)* cancel = nullptr;
  decltype(::PQfreeCancel)* free_cancel = nullptr;
  decltype(::PQserverVersion)* server_version = nullptr;
};

template <typename Function>
bool Take(const net::SharedLibrary& library, const char* name, Function*& function) {
  function = library.Find<Function>(name);
  return function != nullptr;
}

Result<Pq> LoadPq() {
  auto library = net::SharedLibrary::Open("libpq.so.5");
  if (!library) return Fail(std::move(library).error().Hint("install libpq 5, PostgreSQL's client library"));
  Pq pq;
  const auto take = [&](const char* name, auto*& function) { return Take(*library, name, function); };
  const bool whole = take("PQconnectStartParams", pq.connect_start) && take("PQconnectPoll", pq.connect_poll) &&
                     take("PQstatus", pq.status) && take("PQsocket", pq.socket) && take("PQfinish", pq.finish) &&
                     take("PQerrorMessage", pq.error_message) && take("PQsetErrorVerbosity", pq.set_error_verbosity) &&
                     take("PQsetNoticeProcessor", pq.set_notice_processor) && take("PQsendQuery", pq.send_query) &&
                     take("PQsendPrepare", pq.send_prepare) && take("PQsendDescribePrepared", pq.send_describe_prepared) &&
                     take("PQconsumeInput", pq.consume_input) && take("PQisBusy", pq.is_busy) && take("PQgetResult", pq.get_result) &&
                     take("PQresultStatus", pq.result_status) && take("PQresultErrorField", pq.result_error_field) &&
                     take("PQresultErrorMessage", pq.result_error_message) && take("PQclear", pq.clear) && take("PQntuples", pq.ntuples) &&
                     take("PQnfields", pq.nfields) && take("PQfname", pq.fname) && take("PQftype", pq.ftype) && take("PQfmod", pq.fmod) &&
                     take("PQgetisnull", pq.getisnull) && take("PQgetvalue", pq.getvalue) && take("PQgetlength", pq.getlength) &&
                     take("PQgetCopyData", pq.get_copy_data) && take("PQfreemem", pq.freemem) && take("PQgetCancel", pq.get_cancel) &&
                     take("PQcancel", pq.cancel) && take("PQfreeCancel", pq.free_cancel) && take("PQserverVersion", pq.server_version);
  if (!whole)
    return Fail(NotFoundError("missing-library", "libpq.so.5 cannot be used").Hint("install libpq 5, PostgreSQL's client library"));
  return pq;
}

const Result<Pq>& LoadedPq() {
  static const Result<Pq> pq = LoadPq();
  return pq;
}

struct ResultCloser {
  void operator()(PGresult* result) const { LoadedPq()->clear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ResultCloser>;

constexpr int64_t kPauseMicros = 250'000;  // between two knocks at a server that is starting
constexpr int kGlanceMillis = 100;         // between two looks at `cancel`

// The authorities that the machine trusts, where its distribution has them.
std::string SystemAuthorities() {
  for (const char* file : {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}) {
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) return file;
  }
  return "";
}

const char* ModeOf(Tls tls) {
  constexpr std::array kModes = {"verify-full", "verify-ca", "require", "disable"};
  return kModes[static_cast<size_t>(tls)];
}

// Keywords and values of libpq; those that are empty are left to its own defaults.
std::vector<std::pair<const char*, std::string>> ParametersOf(const Settings& settings) {
  const bool verifies = settings.tls == Tls::kVerifyFull || settings.tls == Tls::kVerifyCa;
  return {{"host", settings.host},
          {"port", settings.port},
          {"dbname", settings.database},
          {"user", settings.user},
          {"password", settings.password.Reveal()},
          {"sslmode", ModeOf(settings.tls)},
          {"sslrootcert", verifies ? (settings.tls_ca.empty() ? SystemAuthorities() : settings.tls_ca) : "/nonexistent"},
          {"sslcert", settings.tls_certificate},
          {"sslkey", settings.tls_key},
          {"gssencmode", "disable"},
          {"client_encoding", "UTF8"},
          {"fallback_application_name", "sluice"},
          {"keepalives_idle", "30"},
          {"keepalives_interval", "10"},
          {"keepalives_count", "3"},
          {"tcp_user_timeout", "60000"}};
}

}  // namespace

int64_t SteadyMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Connection::Handle {
  explicit Handle(PGconn* c) : conn(c) {}
  ~Handle() { LoadedPq()->finish(conn); }
  Handle(const Handle&) = delete;
  PGconn* conn;
};

Connection::Connection(Settings settings, const std::atomic<bool>* cancel, std::unique_ptr<Handle> handle)
    : settings_(std::move(settings)), cancel_(cancel), handle_(std::move(handle)) {}
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::Open(const Settings& settings, const std::atomic<bool>* cancel) {
  if (!LoadedPq()) return Fail(LoadedPq().error());
  const int64_t deadline = SteadyMicros() + settings.connect_timeout_micros;
  for (;;) {
    auto connection = Try(settings, cancel, deadline);
    const bool starts = !connection && connection.error().code == kStarting;
    if (!starts || SteadyMicros() + kPauseMicros > deadline) return connection;
    std::this_thread::sleep_for(std::chrono::microseconds(kPauseMicros));
  }
}

Result<std::unique_ptr<Connection>> Connection::Try(const Settings& settings, const std::atomic<bool>* cancel, int64_t deadline_micros) {
  const Pq& pq = *LoadedPq();
  const auto parameters = ParametersOf(settings);
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : parameters) {
    if (value.empty()) continue;
    keys.push_back(key);
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  PGconn* made = pq.connect_start(keys.data(), values.data(), 0);
  if (made == nullptr) return Fail(RetryableError("out-of-memory", "not enough memory for a connection"));
  pq.set_error_verbosity(made, PQERRORS_VERBOSE);
  pq.set_notice_processor(made, [](void*, const char*) {}, nullptr);
  std::unique_ptr<Connection> connection(new Connection(settings, cancel, std::make_unique<Handle>(made)));
  SLUICE_CHECK(connection->Finish(deadline_micros));
  return connection;
}

Status Connection::Begin(const std::string& exported) {
  SLUICE_CHECK(Query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"));
  if (!exported.empty())
    if (const auto taken = Query("SET TRANSACTION SNAPSHOT " + QuoteLiteral(exported)); !taken) {
      if (taken.error().code != "postgres-query") return Fail(taken.error());
      return Fail(RetryableError("postgres-lost", "the session that held the snapshot is over: " + taken.error().message));
    }
  const std::string settings = fmt::format(
      "SET LOCAL standard_conforming_strings = on; SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = "
      "'iso_8601'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL xmlbinary = 'base64'; SET LOCAL "
      "lock_timeout "
      "= '30s'; SET LOCAL idle_in_transaction_session_timeout = {}",
      settings_.max_snapshot_age_micros / 1000);
  SLUICE_CHECK(Query(settings));
  // Texts of a database without an encoding are bytes: the contract's own check refuses the rows whose texts are no UTF-8.
  SLUICE_CHECK(
      Query("SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', true) WHERE pg_catalog.getdatabaseencoding() = "
            "'SQL_ASCII'"));
  if (settings_.statement_timeout_micros == 0) return Ok();
  SLUICE_CHECK(Query(fmt::format("SET LOCAL statement_timeout = {}", settings_.statement_timeout_micros / 1000)));
  return Ok();
}

// The steps of connecting, until it stands.
Status Connection::Finish(int64_t deadline_micros) {
  const Pq& pq = *LoadedPq();
  PGconn* conn = handle_->conn;
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (pq.status(conn) == CONNECTION_BAD || next == PGRES_POLLING_FAILED) return Fail(ConnectError(settings_, pq.error_message(conn)));
    if (cancel_ != nullptr && *cancel_) return Fail(CancelledError());
    if (SteadyMicros() > deadline_micros)
      return Fail(ConnectError(settings_, fmt::format("no answer within {} s", settings_.connect_timeout_micros / 1'000'000)));
    pollfd waiting{pq.socket(conn), static_cast<short>(next == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    if (::poll(&waiting, 1, kGlanceMillis) > 0) next = pq.connect_poll(conn);
  }
  return Ok();
}

namespace {

// Asks the server to give up what it works at. Asking needs a connection of its own, which may hang: it is waited for 2 seconds at most.
void CancelStatement(PGconn* conn) {
  const Pq& pq = *LoadedPq();
  PGcancel* request = pq.get_cancel(conn);
  if (request == nullptr) return;
  auto asked = std::make_shared<std::promise<void>>();
  const auto over = asked->get_future();
  std::thread([cancel = pq.cancel, free_cancel = pq.free_cancel, request, asked] {
    std::array<char, 256> why{};
    cancel(request, why.data(), static_cast<int>(why.size()));
    free_cancel(request);
    asked->set_value();
  }).detach();
  over.wait_for(std::chrono::seconds(2));
}

}  // namespace

// Until the server has said something.
Status Connection::Wait(bool write) {
  const Pq& pq = *LoadedPq();
  for (;;) {
    if (cancel_ != nullptr && *cancel_) {
      CancelStatement(handle_->conn);
      return Fail(CancelledError());
    }
    if (end_micros_ && SteadyMicros() > *end_micros_) {
      CancelStatement(handle_->conn);
      return Fail(late_);
    }
    pollfd waiting{pq.socket(handle_->conn), static_cast<short>(write ? POLLOUT : POLLIN), 0};
    if (waiting.fd < 0) return Fail(LastError());
    if (::poll(&waiting, 1, kGlanceMillis) > 0) break;
  }
  if (pq.consume_input(handle_->conn) == 0) return Fail(LastError());
  return Ok();
}

void Connection::EndBy(int64_t micros, Error late) {
  end_micros_ = micros;
  late_ = std::move(late);
}

int Connection::ServerVersion() const { return LoadedPq()->server_version(handle_->conn); }

Error Connection::LastError() const { return ServerError(settings_, "", LoadedPq()->error_message(handle_->conn)); }

namespace {

// What stands in a statement from its n-th character on, a little of it.
std::string NearCharacter(std::string_view sql, int n) {
  size_t at = 0;
  for (; n > 1 && at < sql.size(); --n) do
      ++at;
    while (at < sql.size() && (static_cast<unsigned char>(sql[at]) & 0xc0) == 0x80);
  return std::string(sql.substr(at, sql.find_first_of("\n", at) - at)).substr(0, 40);
}

std::vector<Row> RowsOf(const PGresult* result) {
  const Pq& pq = *LoadedPq();
  std::vector<Row> rows(static_cast<size_t>(pq.ntuples(result)));
  for (size_t r = 0; r < rows.size(); ++r)
    for (int c = 0; c < pq.nfields(result); ++c) {
      const int row = static_cast<int>(r);
      if (pq.getisnull(result, row, c) != 0)
        rows[r].emplace_back();
      else
        rows[r].emplace_back(std::string(pq.getvalue(result, row, c), static_cast<size_t>(pq.getlength(result, row, c))));
    }
  return rows;
}

bool IsGood(ExecStatusType status) {
  return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_COPY_OUT || status == PGRES_EMPTY_QUERY;
}

}  // namespace

Error Connection::ResultError(const void* of, std::string_view sql) const {
  const Pq& pq = *LoadedPq();
  const auto* result = static_cast<const PGresult*>(of);
  const auto field = [&](int code) {
    const char* text = pq.result_error_field(result, code);
    return std::string(text != nullptr ? text : "");
  };
  std::string message = field(PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = pq.result_error_message(result);
  if (const std::string at = field(PG_DIAG_STATEMENT_POSITION); !at.empty()) {
    const std::string near = NearCharacter(sql, std::atoi(at.c_str()));
    if (IsValidUtf8(near)) message += ", at: " + near;
  }
  Error error = ServerError(settings_, field(PG_DIAG_SQLSTATE), message);
  if (statements_from_.known() && error.code != "postgres-lost") error.where = statements_from_;
  if (error.hint.empty()) error.hint = field(PG_DIAG_MESSAGE_HINT);
  return error;
}

Result<std::vector<Row>> Connection::Query(const std::string& sql) {
  const Pq& pq = *LoadedPq();
  if (pq.send_query(handle_->conn, sql.c_str()) == 0) return Fail(LastError());
  std::vector<Row> rows;
  std::optional<Error> wrong;
  for (;;) {
    while (pq.is_busy(handle_->conn) != 0) SLUICE_CHECK(Wait(false));
    const ResultPtr result(pq.get_result(handle_->conn));
    if (result == nullptr) break;
    const ExecStatusType status = pq.result_status(result.get());
    if (!IsGood(status) && !wrong) wrong = ResultError(result.get(), sql);
    if (status == PGRES_TUPLES_OK) rows = RowsOf(result.get());
  }
  if (wrong) return Fail(*std::move(wrong));
  return rows;
}

Result<std::vector<ResultColumn>> Connection::Describe(const std::string& sql) {
  const Pq& pq = *LoadedPq();
  constexpr const char* kName = "sluice_describe";
  std::vector<ResultColumn> columns;
  const auto results = [&](bool sent) -> Status {
    if (!sent) return Fail(LastError());
    std::optional<Error> wrong;
    for (;;) {
      while (pq.is_busy(handle_->conn) != 0) SLUICE_CHECK(Wait(false));
      const ResultPtr result(pq.get_result(handle_->conn));
      if (result == nullptr) break;
      if (!IsGood(pq.result_status(result.get())) && !wrong) wrong = ResultError(result.get(), sql);
      for (int i = 0; i < pq.nfields(result.get()); ++i)
        columns.push_back({pq.fname(result.get(), i), pq.ftype(result.get(), i), pq.fmod(result.get(), i)});
    }
    if (wrong) return Fail(*std::move(wrong));
    return Ok();
  };
  SLUICE_CHECK(results(pq.send_prepare(handle_->conn, kName, sql.c_str(), 0, nullptr) != 0));
  columns.clear();
  SLUICE_CHECK(results(pq.send_describe_prepared(handle_->conn, kName) != 0));
  SLUICE_CHECK(Query(std::string("DEALLOCATE ") + kName));
  return columns;
}

Status Connection::StartCopy(const std::string& sql) {
  const Pq& pq = *LoadedPq();
  if (pq.send_query(handle_->conn, sql.c_str()) == 0) return Fail(LastError());
  while (pq.is_busy(handle_->conn) != 0) SLUICE_CHECK(Wait(false));
  const ResultPtr result(pq.get_result(handle_->conn));
  if (result == nullptr) return Fail(LastError());
  if (pq.result_status(result.get()) == PGRES_COPY_OUT) return Ok();
  Error wrong = ResultError(result.get(), sql);
  for (ResultPtr rest(pq.get_result(handle_->conn)); rest != nullptr; rest.reset(pq.get_result(handle_->conn))) {
  }
  return Fail(std::move(wrong));
}

Result<bool> Connection::NextCopy(std::string* bytes) {
  const Pq& pq = *LoadedPq();
  for (;;) {
    char* message = nullptr;
    const int size = pq.get_copy_data(handle_->conn, &message, 1);
    if (size > 0) {
      bytes->append(message, static_cast<size_t>(size));
      pq.freemem(message);
      return true;
    }
    if (size == 0) {
      SLUICE_CHECK(Wait(false));
      continue;
    }
    if (size == -2) return Fail(LastError());
    std::optional<Error> wrong;  // the end: how it went
    for (;;) {
      while (pq.is_busy(handle_->conn) != 0) SLUICE_CHECK(Wait(false));
      const ResultPtr result(pq.get_result(handle_->conn));
      if (result == nullptr) break;
      if (!IsGood(pq.result_status(result.get())) && !wrong) wrong = ResultError(result.get(), "");
    }
    if (wrong) return Fail(*std::move(wrong));
    return false;
  }
}

}  // namespace sluice::sources::postgres
