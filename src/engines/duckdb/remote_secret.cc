#include "engines/duckdb/remote_secret.h"

#include <fmt/format.h>

#include <vector>

#include "core/text.h"

namespace sluice::engines {
namespace {

std::string StatementOf(const RemoteSecret& secret) {
  std::string sql = fmt::format(
      "CREATE OR REPLACE TEMPORARY SECRET sluice_s3 (TYPE s3, PROVIDER config, KEY_ID {}, SECRET {}, REGION {}, ENDPOINT {}, "
      "URL_STYLE '{}', USE_SSL {}",
      QuoteLiteral(secret.access_key_id), QuoteLiteral(secret.secret_access_key.Reveal()), QuoteLiteral(secret.region),
      QuoteLiteral(secret.host), secret.path_style ? "path" : "vhost", secret.tls ? "true" : "false");
  if (!secret.session_token.empty()) sql += ", SESSION_TOKEN " + QuoteLiteral(secret.session_token.Reveal());
  return sql + ")";
}

// What httpfs is told once, before any secret.
Status PrepareRemoteReads(duckdb_connection connection, const RemoteSecret& secret) {
  std::vector<std::string> settings = {
      // A URL is a name, with neither patterns nor parameters in it.
      "s3_url_compatibility_mode = true",
      // Data files never change: what was seen of one holds.
      "enable_http_metadata_cache = true",
      "validate_external_file_cache = 'NO_VALIDATION'",
      "httpfs_connection_caching = true",
      "enable_server_cert_verification = true",
      "enable_curl_server_cert_verification = true",
  };
  if (!secret.ca_file.empty()) settings.push_back("ca_cert_file = " + QuoteLiteral(secret.ca_file));
  for (const std::string& setting : settings) {
    ResultHandle result;
    if (duckdb_query(connection, ("SET GLOBAL " + setting).c_str(), result.get()) != DuckDBSuccess)
      return Fail(SqlError(duckdb_result_error(result.get())));
  }
  return Ok();
}

}  // namespace

Status RemoteSecretKeeper::Refresh(duckdb_database database) {
  SLUICE_TRY(const RemoteSecret secret, source_());
  const std::lock_guard lock(mutex_);
  std::string statement = StatementOf(secret);
  if (statement == statement_) return Ok();
  ConnectionHandle connection;
  ResultHandle result;
  if (duckdb_connect(database, connection.out()) != DuckDBSuccess) return Fail(BugError("cannot connect to the embedded database"));
  if (statement_.empty()) SLUICE_CHECK(PrepareRemoteReads(connection.get(), secret));
  if (duckdb_query(connection.get(), statement.c_str(), result.get()) != DuckDBSuccess)
    return Fail(BugError("the embedded database refuses the credentials for S3"));
  statement_ = std::move(statement);
  return Ok();
}

}  // namespace sluice::engines
