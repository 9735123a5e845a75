// Connections: what is at the other end, and how it is reached.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "config/interpolate.h"
#include "core/text.h"
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

// The types of connection that a key is of; `type` is of all.
constexpr std::pair<std::string_view, std::string_view> kKeysOf[] = {{"path", "files"},
                                                                     {"host", "postgres"},
                                                                     {"port", "postgres"},
                                                                     {"database", "postgres"},
                                                                     {"user", "postgres"},
                                                                     {"password", "postgres"},
                                                                     {"tls", "postgres"},
                                                                     {"tls_ca", "postgres http"},
                                                                     {"tls_certificate", "postgres"},
                                                                     {"tls_key", "postgres"},
                                                                     {"connect_timeout", "postgres"},
                                                                     {"statement_timeout", "postgres"},
                                                                     {"max_snapshot_age", "postgres"},
                                                                     {"max_connections", "postgres http"},
                                                                     {"url", "http"},
                                                                     {"auth", "http"},
                                                                     {"headers", "http"},
                                                                     {"parameters", "http"},
                                                                     {"rate", "http"},
                                                                     {"timeout", "http"},
                                                                     {"tries", "http"},
                                                                     {"max_body", "http"}};

void RefuseKeysOfAnother(const ConnectionSpec& spec, Diagnostics& diagnostics) {
  if (spec.type.value.empty()) return;  // what it is was refused
  for (const GivenKey& given : spec.given) {
    const auto* of = std::find_if(std::begin(kKeysOf), std::end(kKeysOf), [&](const auto& key) { return key.first == given.name; });
    if (of == std::end(kKeysOf)) continue;
    const std::vector<std::string> types = Split(of->second, ' ');
    if (std::find(types.begin(), types.end(), spec.type.value) != types.end()) continue;
    diagnostics.Add(
        UserError("key-of-another-connection", fmt::format("\"{}\" is of a connection of type {}", given.name, Join(types, " or ")))
            .At(given.where)
            .Hint(fmt::format("remove it, or write type: {}", types[0])));
  }
}

PostgresConnection BuildPostgres(const std::string& name, const ConnectionSpec& spec, Diagnostics& diagnostics) {
  const std::string what = "the connection " + name;
  RequireKey(what, spec.given, spec.where, "host", "add host: db.example.com", diagnostics);
  RequireKey(what, spec.given, spec.where, "database", "add database: NAME", diagnostics);
  RequireKey(what, spec.given, spec.where, "user", "add user: NAME", diagnostics);
  RefusePlainSecret(spec.password, "password", diagnostics);
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

bool IsThisMachine(std::string_view url) {
  url.remove_prefix(std::string_view("http://").size());
  std::string host = ToLower(url.substr(0, url.find_first_of("/?#")));
  if (const size_t colon = host.rfind(':'); colon != std::string::npos && host.find(']', colon) == std::string::npos) host.resize(colon);
  const bool digits = host.find_first_not_of("0123456789.") == std::string::npos;
  return host == "localhost" || host == "[::1]" || (digits && host.starts_with("127."));
}

}  // namespace

void RequireKey(const std::string& what, const config::GivenKeys& given, const Location& where, std::string_view key, std::string_view hint,
                Diagnostics& diagnostics) {
  if (FindGiven(given, key) != nullptr) return;  // what was given and is not there was refused
  diagnostics.Add(UserError("missing-key", fmt::format("{} lacks \"{}\"", what, key)).At(where).Hint(std::string(hint)));
}

Late LateOf(const std::optional<config::PlacedText>& text) { return text ? Late{text->value, text->where} : Late{}; }

// A secret in a file of the project is no secret.
void RefusePlainSecret(const std::optional<config::PlacedText>& text, std::string_view key, Diagnostics& diagnostics) {
  if (!text || !config::LateReferences(text->value).empty()) return;
  diagnostics.Add(UserError("plain-secret", fmt::format("\"{}\" is written out, where everyone who has the project can read it", key))
                      .At(text->where)
                      .Hint(fmt::format("write {}: \"${{env:NAME}}\" or \"${{file:PATH}}\", and have it there", key)));
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
  Connection made{name, spec.type.value, "", spec.where, std::nullopt, std::nullopt, root};
  RefuseKeysOfAnother(spec, diagnostics);
  if (spec.type.value == "postgres") {
    made.postgres = BuildPostgres(name, spec, diagnostics);
    return made;
  }
  if (spec.type.value == "http") {
    made.http = BuildHttp(name, spec, diagnostics);
    return made;
  }
  if (spec.path)
    made.path = ResolvePlace(*spec.path, root, diagnostics);
  else if (spec.type.value == "files")
    RequireKey("the connection " + name, spec.given, spec.where, "path", "add path: ./landing, the folder of the files", diagnostics);
  return made;
}

void WarnOfTls(const Connection& connection, std::vector<Error>& warnings) {
  using sources::postgres::Tls;
  const auto is_clear = [](const std::string& url) { return url.starts_with("http://") && !IsThisMachine(url); };
  if (connection.http && (is_clear(connection.http->url.text) || is_clear(connection.http->auth.token_url.text)))
    warnings.push_back(
        UserError("unverified-tls", fmt::format("the connection {} sends what it has, its auth too, in clear text", connection.name))
            .At(connection.where)
            .Hint("write url: https://…"));
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

Result<sources::Peer> ResolvePeer(const Connection& connection) {
  sources::Peer peer;
  if (connection.postgres) {
    SLUICE_TRY(peer, ResolvePostgres(connection));
  } else if (connection.http) {
    SLUICE_TRY(peer, ResolveHttp(connection));
  }
  return peer;
}

}  // namespace sluice::project
