#pragma once
// How a PostgreSQL server is reached: a connection of the project, resolved.
#include <cstdint>
#include <string>

#include "core/error.h"
#include "core/secret.h"

namespace sluice::sources::postgres {

enum class Tls {
  kVerifyFull,  // an authority that is known, and the host's name
  kVerifyCa,    // an authority that is known
  kRequire,     // encrypted, by whomever
  kDisable,
};

struct Settings {
  std::string name;  // of the connection, for messages
  std::string host, port = "5432", database, user;
  Secret password;
  Tls tls = Tls::kVerifyFull;
  std::string tls_ca, tls_certificate, tls_key;  // files; "" = the machine's authorities, none
  int64_t connect_timeout_micros = 15'000'000;
  int64_t statement_timeout_micros = 0;             // of the server, for one statement; 0: none
  int64_t max_snapshot_age_micros = 3'600'000'000;  // how long a read may hold its snapshot, and with it back the server's VACUUM
  int max_connections = 4;                          // at a time, of one source
  Location where;

  // "host:port/database", what messages call it.
  std::string Place() const { return host + ":" + port + "/" + database; }
};

}  // namespace sluice::sources::postgres
