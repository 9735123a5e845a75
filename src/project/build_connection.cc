// Connections: what is at the other end, and how it is reached.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "config/interpolate.h"
#include "project/build.h"
#include "store/remote.h"

namespace sluice::project {
namespace {

namespace fs = std::filesystem;
using config::GivenKey;

std::string ResolveUrl(std::string url, const Location& where, Diagnostics& diagnostics) {
  while (url.ends_with('/') && !url.ends_with("://")) url.pop_back();
  const auto store = store::OpenStore(url);  // asks nobody yet
  if (!store) diagnostics.Add(Error(store.error()).At(where));
  return url;
}

constexpr const char* kOfPostgres[] = {"host",
                                       "port",
                                       "database",
                                       "user",
                                       "password",
                                       "tls",
                                       "tls_ca",
                                       "tls_certificate",
                                       "tls_key",
                                       "connect_timeout",
                                       "statement_timeout",
                                       "max_snapshot_age",
                                       "max_connections"};

void RefuseKeysOfAnother(const ConnectionSpec& spec, Diagnostics& diagnostics) {
  if (spec.type.value.empty()) return;  // what it is was refused
  const bool files = spec.type.value == "files";
  for (const GivenKey& given : spec.given) {
    const bool postgres_key = std::find(std::begin(kOfPostgres), std::end(kOfPostgres), given.name) != std::end(kOfPostgres);
    if (files ? postgres_key : given.name == "path")
      diagnostics.Add(UserError("key-of-another-connection",
                                fmt::format("\"{}\" is of a connection of type {}", given.name, files ? "postgres" : "files"))
                          .At(given.where)
                          .Hint(fmt::format("remove it, or write type: {}", files ? "postgres" : "files")));
  }
}

void Require(const std::string& name, const ConnectionSpec& spec, std::string_view key, std::string_view hint, Diagnostics& diagnostics) {
  if (FindGiven(spec.given, key) != nullptr) return;  // what was given and is not there was refused
  diagnostics.Add(
      UserError("missing-key", fmt::format("the connection {} lacks \"{}\"", name, key)).At(spec.where).Hint(std::string(hint)));
}

Late LateOf(const std::optional<config::PlacedText>& text) { return text ? Late{text->value, text->where} : Late{}; }

// A secret in a file of the project is no secret.
void RefusePlainPassword(const ConnectionSpec& spec, Diagnostics& diagnostics) {
  if (!spec.password || !config::LateReferences(spec.password->value).empty()) return;
  diagnostics.Add(UserError("plain-secret", "\"password\" is written out, where everyone who has the project can read it")
                      .At(spec.password->where)
                      .Hint("write password: \"${env:NAME}\" or \"${file:PATH}\", and have it there"));
}

PostgresConnection BuildPostgres(const std::string& name, const ConnectionSpec& spec, Diagnostics& diagnostics) {
  Require(name, spec, "host", "add host: db.example.com", diagnostics);
  Require(name, spec, "database", "add database: NAME", diagnostics);
  Require(name, spec, "user", "add user: NAME", diagnostics);
  RefusePlainPassword(spec, diagnostics);
  using sources::postgres::Tls;
  if (spec.tls && spec.tls_ca && (spec.tls->value == Tls::kRequire || spec.tls->value == Tls::kDisable))
    diagnostics.Add(UserError("conflicting-keys", "\"tls_ca\" has no say where nobody looks who the server is")
                        .At(spec.tls_ca->where)
                        .Hint("write tls: verify-full or verify-ca, or remove tls_ca"));
  PostgresConnection made{LateOf(spec.host),     LateOf(spec.port),   LateOf(spec.database),        LateOf(spec.user),
                          LateOf(spec.password), LateOf(spec.tls_ca), LateOf(spec.tls_certificate), LateOf(spec.tls_key)};
  if (spec.tls) made.tls = spec.tls->value;
  made.connect_timeout_micros = spec.connect_timeout;
  made.statement_timeout_micros = spec.statement_timeout;
  made.max_snapshot_age_micros = spec.max_snapshot_age;
  made.max_connections = static_cast<int>(spec.max_connections);
  return made;
}

Result<std::string> ResolveText(const Late& late, const Connection& connection) {
  if (late.text.empty()) return "";
  SLUICE_TRY(const Secret value, config::Resolve({late.text, late.where}, config::ProcessSurroundings(connection.root)));
  return value.Reveal();
}

Result<std::string> ResolveFile(const Late& late, const Connection& connection) {
  SLUICE_TRY(const std::string path, ResolveText(late, connection));
  return path.empty() ? path : (fs::path(connection.root) / path).lexically_normal().string();
}

}  // namespace

// A place on this machine: absolute, resolved against the project's folder; or the URL of one in an object store.
std::string ResolvePlace(const PlacedText& text, const std::string& root, Diagnostics& diagnostics) {
  for (const std::string& reference : config::LateReferences(text.value)) {
    if (!reference.starts_with("secret:")) continue;
    diagnostics.Add(UserError("secret-in-place", "a place is shown in logs and reports, so it cannot have a secret in it")
                        .At(text.where)
                        .Hint("use ${env:NAME}"));
    return "";
  }
  auto resolved = config::Resolve(text, config::ProcessSurroundings(root));
  if (!resolved) {
    diagnostics.Add(std::move(resolved).error());
    return "";
  }
  const std::string& place = resolved->Reveal();
  if (store::IsRemote(place)) return ResolveUrl(place, text.where, diagnostics);
  if (place.empty())
    diagnostics.Add(UserError("wrong-type", "this path is empty").At(text.where).Hint("write a folder; . is the project's own"));
  std::string path = (fs::path(root) / place).lexically_normal().string();
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

Connection BuildConnection(const std::string& name, const ConnectionSpec& spec, const std::string& root, Diagnostics& diagnostics) {
  Connection made{name, spec.type.value, "", spec.where, std::nullopt, root};
  RefuseKeysOfAnother(spec, diagnostics);
  if (spec.type.value == "postgres") {
    made.postgres = BuildPostgres(name, spec, diagnostics);
    return made;
  }
  if (spec.path)
    made.path = ResolvePlace(*spec.path, root, diagnostics);
  else if (spec.type.value == "files")
    Require(name, spec, "path", "add path: ./landing, the folder of the files", diagnostics);
  return made;
}

void WarnOfTls(const Connection& connection, std::vector<Error>& warnings) {
  using sources::postgres::Tls;
  if (!connection.postgres || connection.postgres->host.text.starts_with("/")) return;  // a socket of this machine
  const Tls tls = connection.postgres->tls;
  if (tls != Tls::kDisable && tls != Tls::kRequire) return;
  warnings.push_back(
      UserError("unverified-tls", fmt::format("the connection {} {}", connection.name,
                                              tls == Tls::kDisable ? "sends its data, and may send its password, in clear text"
                                                                   : "does not look at who the server is"))
          .At(connection.where)
          .Hint("write tls: verify-full, and tls_ca: FILE for an authority of your own"));
}

Result<sources::postgres::Settings> ResolvePostgres(const Connection& connection) {
  if (!connection.postgres) return Fail(BugError("the connection " + connection.name + " is of no PostgreSQL server"));
  const PostgresConnection& given = *connection.postgres;
  sources::postgres::Settings settings;
  settings.name = connection.name;
  SLUICE_TRY(settings.host, ResolveText(given.host, connection));
  SLUICE_TRY(settings.database, ResolveText(given.database, connection));
  SLUICE_TRY(settings.user, ResolveText(given.user, connection));
  if (!given.port.text.empty()) {
    SLUICE_TRY(settings.port, ResolveText(given.port, connection));
  }
  SLUICE_TRY(std::string password, ResolveText(given.password, connection));
  settings.password = Secret(std::move(password));
  settings.tls = given.tls;
  SLUICE_TRY(settings.tls_ca, ResolveFile(given.tls_ca, connection));
  SLUICE_TRY(settings.tls_certificate, ResolveFile(given.tls_certificate, connection));
  SLUICE_TRY(settings.tls_key, ResolveFile(given.tls_key, connection));
  settings.connect_timeout_micros = given.connect_timeout_micros;
  settings.statement_timeout_micros = given.statement_timeout_micros;
  settings.max_snapshot_age_micros = given.max_snapshot_age_micros;
  settings.max_connections = given.max_connections;
  settings.where = connection.where;
  return settings;
}

}  // namespace sluice::project
