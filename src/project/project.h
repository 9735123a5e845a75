#pragma once
// What did the user ask for? The project as one immutable value (design section 2).
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "contract/contract.h"
#include "core/result.h"
#include "sources/peer.h"
#include "sources/read.h"

namespace sluice::project {

enum class Load { kAppend, kFull, kExternal, kIncremental };  // cdc, stream come later: refused by name
enum class Keep { kAll, kLatest };

// A text in which ${env:…} and its like still stand: it is resolved where it is handed to a peer, and what comes of it is never kept.
struct Late {
  std::string text;  // "": not said
  Location where;
};

struct PostgresConnection {
  Late host, port, database, user, password, tls_ca, tls_certificate, tls_key;
  sources::postgres::Tls tls = sources::postgres::Tls::kVerifyFull;
  int64_t connect_timeout_micros = 0, statement_timeout_micros = 0, max_snapshot_age_micros = 0;
  int max_connections = 4;
};

struct HttpConnection {
  struct Auth {
    sources::http::AuthKind kind = sources::http::AuthKind::kNone;
    Late name, secret, token_url, client_id, refresh_token;
    std::string scope, audience;
  };
  Late url, tls_ca;
  Auth auth;
  std::vector<std::pair<std::string, Late>> headers, parameters;
  int64_t timeout_micros = 0, max_body_bytes = 0;
  int tries = 1;
  int64_t rate = 0, rate_micros = 0;
  int max_connections = 4;
};

struct Connection {
  std::string name;
  std::string type;  // "files", "postgres", "http"
  std::string path;  // files: absolute, resolved against the project's folder
  Location where;
  std::optional<PostgresConnection> postgres;
  std::optional<HttpConnection> http;
  std::string root;  // the project's folder, for ${file:…}
};

struct Deduplicate {
  std::vector<std::string> key;
  std::vector<std::string> order_by;  // the last by these columns stays; ties: the later file and row
};

struct Freshness {
  std::optional<int64_t> within_micros, warn_micros;
  std::string of;  // column; "" = the time of the last batch
  Location where;
};

struct Properties {  // what every node may say
  std::string description, owner, schedule;
  std::set<std::string> tags;
  std::map<std::string, std::string> meta;
};

struct Maintenance {          // what runs do for a table beside its batches
  int64_t compact_after = 0;  // so many small files of one partition are packed together; 0: never
  int64_t target_bytes = 128LL << 20;
  std::vector<std::string> z_order_by;
  std::optional<int64_t> vacuum_every_micros;      // nullopt: never
  std::optional<int64_t> vacuum_retention_micros;  // default: the table's property, else a week
  int64_t max_hold_micros = 30LL * 86'400'000'000;
  Location where;
};

enum class Severity { kBlock, kWarn };

struct Check {
  enum class Kind { kNotNull, kUnique, kValues, kMin, kMax, kLength, kPattern, kRelationship, kRowCount, kFreshness, kAccountsFor, kSql };
  Kind kind = Kind::kSql;
  std::string name;                     // given, or made: "unique(order_id)"
  std::vector<std::string> columns;     // not_null, unique, values, min, max, length, pattern, relationship
  std::vector<std::string> values;      // kValues
  std::optional<std::string> min, max;  // kMin, kMax, kLength, kRowCount
  std::string pattern;
  std::string to_table, to_column;       // kRelationship ("silver.customers", "customer_id")
  std::string accounts_for;              // kAccountsFor: table; columns is the key
  std::string sql;                       // kSql: a SELECT whose rows are violations
  std::optional<int64_t> within_micros;  // kFreshness
  Location sql_where;                    // where the text of sql begins
  std::string where_sql;
  std::string description;
  Severity on_fail = Severity::kBlock;
  double tolerate_share = 0;  // 0.001 = 0.1% of the rows checked
  int64_t tolerate_rows = 0;
  Location where;
};

// A table of another owner, as `load: external` names it: read, never written.
struct External {
  enum class Format { kDelta, kParquet };
  Format format = Format::kDelta;
  std::string folder;  // absolute path or URL
  std::string files;   // Parquet: which files below it, a glob
  Location where;      // of `table` or `files`
};

struct Source {
  std::string name;  // table bronze.NAME
  Connection connection;
  sources::Read read;
  std::string matched_by;  // the pattern of tables that it comes from; "" = it is written out
  sources::RowsRead rows;  // of a connection that gives rows; then `read` says nothing
  Load load = Load::kAppend;
  std::optional<External> external;  // with load: external; then `read` says nothing
  Keep keep = Keep::kAll;
  Deduplicate deduplicate;  // key empty: none
  std::vector<std::string> partition_by;
  contract::Contract contract;
  std::vector<Check> checks;
  std::optional<Freshness> freshness;
  std::optional<Maintenance> maintenance;
  Properties properties;
  Location where;
  std::string fingerprint;  // of everything that changes what ingest does
};

enum class Store { kView, kTable, kAppend, kMerge, kScd2, kInterval };
enum class OnChange { kRebuild, kBlock };
enum class OnMissing { kKeep, kDelete };
enum class OnDelete { kIgnore, kClose };
enum class Readers { kAny, kDelta };
enum class Every { kHour, kDay, kMonth, kYear };

struct ColumnSpec {  // `columns:` of a model: pins the schema (required by `this`)
  std::string name;
  std::optional<contract::DataType> type;
  std::string description, pii;
  Location where;
};

struct Model {
  std::string layer, name;  // table LAYER.NAME
  std::string sql;          // the file's text
  std::string sql_file;     // relative to the project, for messages
  Store store = Store::kTable;
  std::vector<std::string> key, sequence_by;  // sequence_by == {"arrival"}: later batch wins
  std::string delete_when;
  Location delete_when_where;       // where its text begins
  std::vector<std::string> update;  // merge: columns an update may change; empty = all
  std::vector<std::string> track;   // scd2; empty = all but key and sequence_by
  OnMissing on_missing = OnMissing::kKeep;
  OnDelete on_delete = OnDelete::kIgnore;
  Readers readers = Readers::kAny;
  std::optional<bool> change_data_feed;  // default: where models read the table by new() or changes()
  std::string interval_column;           // interval
  Every every = Every::kDay;
  int lookback = 0;   // windows
  std::string start;  // date or timestamp literal
  std::vector<std::string> partition_by;
  std::optional<OnChange> on_change;  // default: rebuild, block in a protected environment
  std::string publish;                // models with the same name here are one batch; "" = this one alone
  Location publish_where;
  std::vector<ColumnSpec> columns;
  std::vector<Check> checks;
  std::optional<Maintenance> maintenance;
  Properties properties;
  Location where;                                 // of the .yml, else of the .sql
  std::map<std::string, Location> column_places;  // "key.order_id": where key, sequence_by, update, track or column name it
  std::string table() const { return layer + "." + name; }
};

struct Seed {
  std::string name;  // table seed.NAME
  std::string file;  // absolute
  Location where;
};

struct Macro {
  std::string name, sql;  // the whole `create macro …` text, without its semicolon
  Location where;         // where that text begins
};

struct Environment {
  std::string name;
  bool is_protected = false;
};

struct Project {
  std::string name;
  std::string root;  // absolute folder of sluice.yml
  std::string lake;  // absolute path or URL
  Environment environment;
  std::string timezone = "UTC";
  std::vector<std::string> layers = {"bronze", "silver", "gold"};
  std::map<std::string, std::string> vars;       // name → text (SQL literal is made from its YAML kind)
  std::map<std::string, std::string> var_types;  // name → "string" | "bigint" | "double" | "boolean" | "date" | "timestamp"
  std::map<std::string, Connection> connections;
  std::map<std::string, std::string> schedules;
  std::vector<Source> sources;         // by name
  std::vector<Source> table_patterns;  // each a source for every table of its database that rows.table matches; they have no name yet
  std::vector<Model> models;           // by table
  std::vector<Seed> seeds;
  std::vector<Macro> macros;
  std::vector<Error> warnings;
};

struct LoadOptions {
  std::string dir = ".";                    // searched upward for sluice.yml
  std::string environment;                  // "" = default_environment
  std::map<std::string, std::string> vars;  // --var, override
};

// Parse → interpolate → decode → validate → build. All errors at once (Error::more). Does not parse SQL (plan does).
Result<Project> LoadProject(const LoadOptions& options);

// How the peer of a connection is reached; of files nothing. Errors name the reference, never a value: kUser "unset-variable",
// "unreadable-file", "bad-url", "bad-header".
Result<sources::Peer> ResolvePeer(const Connection& connection);

// JSON Schema (draft 2020-12) of one kind of file: "sluice.yml", "source", "model"; and the reference page in Markdown. Both
// come from the same definitions as the decoder.
std::string JsonSchema(std::string_view kind);
std::string ReferenceMarkdown();

}  // namespace sluice::project
