// What goes wrong with a server, in the user's terms.
#include <fmt/format.h>

#include "core/one_line.h"
#include "core/text.h"
#include "sources/postgres/connection.h"

namespace sluice::sources::postgres {
namespace {

bool Has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// "…FATAL:  28P01: password authentication failed…", as libpq writes it when it is told to be verbose.
std::string_view StateIn(std::string_view message) {
  for (const std::string_view severity : {"FATAL:  ", "ERROR:  "}) {
    const size_t at = message.find(severity);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = message.substr(at + severity.size());
    if (rest.size() > 5 && rest[5] == ':') return rest.substr(0, 5);
  }
  return {};
}

// Its first line, without the severity and state.
std::string Said(std::string_view message) {
  const std::string_view state = StateIn(message);
  if (!state.empty()) message = message.substr(static_cast<size_t>(state.data() - message.data()) + 6);
  return OnOneLine(std::string(Trim(message.substr(0, message.find("\nLOCATION:")))));
}

Error Login(const Settings& settings, std::string_view message) {
  return UserError("postgres-login", fmt::format("{} refuses user \"{}\": {}", settings.Place(), settings.user, Said(message)))
      .At(settings.where)
      .Hint(Has(message, "pg_hba.conf")
                ? "let this host and user in (pg_hba.conf), by TLS if the server asks for it: tls: verify-full"
                : fmt::format("mend user and password of the connection {}: password: \"${{env:NAME}}\"", settings.name));
}

Error Refused(const Settings& settings, std::string_view state, std::string_view message) {
  const std::string said = Said(message);
  if (state == "3D000")
    return UserError("postgres-no-database", fmt::format("{}: {}", settings.Place(), said))
        .At(settings.where)
        .Hint(fmt::format("mend `database` of the connection {}", settings.name));
  if (state.starts_with("28")) return Login(settings, message);
  if (state == "57P03")
    return RetryableError(kStarting, fmt::format("{} is starting, and takes no connection yet: {}", settings.Place(), said))
        .At(settings.where);
  if (state == "53300")
    return RetryableError("postgres-busy", fmt::format("{} takes no connection now: {}", settings.Place(), said))
        .At(settings.where)
        .Hint("lower max_connections of the connection, or raise the server's");
  return RetryableError("postgres-unreachable", fmt::format("{}: {}", settings.Place(), said)).At(settings.where);
}

}  // namespace

Error ConnectError(const Settings& settings, std::string_view message) {
  if (const std::string_view state = StateIn(message); !state.empty()) return Refused(settings, state, message);
  const std::string said = Said(message);
  const bool tls = Has(message, "SSL") || Has(message, "certificate") || Has(message, "TLS");
  if (tls && !Has(message, "SYSCALL") && !Has(message, "closed the connection unexpectedly"))
    return UserError("postgres-tls", fmt::format("no TLS that can be trusted with {}: {}", settings.Place(), said))
        .At(settings.where)
        .Hint(
            "name the authority that signed the server's certificate (tls_ca: ca.pem), use the host's name as it stands in the "
            "certificate, "
            "or say how far to trust it: tls: verify-ca, require or disable");
  if (Has(message, "no password supplied")) return Login(settings, message);
  return RetryableError("postgres-unreachable", fmt::format("{} cannot be reached: {}", settings.Place(), said))
      .At(settings.where)
      .Hint("is the server up, and do host and port of the connection lead to it?");
}

Error ServerError(const Settings& settings, std::string_view sqlstate, std::string_view message) {
  const std::string said = Said(message);
  const std::string place = settings.Place();
  if (sqlstate.empty() || sqlstate.starts_with("08") || sqlstate.starts_with("57P"))
    return RetryableError("postgres-lost", fmt::format("the connection to {} broke: {}", place, said)).At(settings.where);
  if (sqlstate == "57014")
    return RetryableError("postgres-cancelled", fmt::format("{} cancelled a statement: {}", place, said))
        .At(settings.where)
        .Hint("raise statement_timeout of the connection, or index the cursor column");
  if (sqlstate == "55P03")
    return RetryableError("postgres-locked", fmt::format("{}: a table stays locked by others: {}", place, said)).At(settings.where);
  if (sqlstate.starts_with("40") || sqlstate.starts_with("53") || sqlstate.starts_with("58") || sqlstate == "72000" ||
      sqlstate == "25P03" || sqlstate == "XX000")
    return RetryableError("postgres-failed", fmt::format("{}: {}", place, said)).At(settings.where);
  if (sqlstate == "42501")
    return UserError("postgres-forbidden", fmt::format("{}: user \"{}\" may not: {}", place, settings.user, said))
        .At(settings.where)
        .Hint(fmt::format("grant it: GRANT SELECT ON … TO {}", QuoteIdentifier(settings.user)));
  if (sqlstate == "22021" || sqlstate == "22P05")
    return UserError("postgres-encoding", fmt::format("{} cannot give a text as UTF-8: {}", place, said))
        .At(settings.where)
        .Hint("mend the text in the database, or leave its column out: exclude");
  if (sqlstate == "42P01") return UserError("postgres-no-table", fmt::format("{}: {}", place, said)).At(settings.where);
  return UserError("postgres-query", fmt::format("{} refuses a statement ({}): {}", place, sqlstate, said)).At(settings.where);
}

}  // namespace sluice::sources::postgres
