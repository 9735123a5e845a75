#include <algorithm>

#include "core/text.h"
#include "project/keys_common.h"

namespace sluice::project {

using config::MapOf;
using config::Object;

namespace {

const std::vector<std::string> kLaterConnections = {"mysql", "sqlserver", "oracle", "mongodb", "kafka",
                                                    "sqs",   "kinesis",   "s3",     "sftp",    "snowflake"};
const std::vector<std::string> kConnections = {"files", "postgres", "http"};

config::Type<PlacedText> ConnectionKind() {
  return config::Parsed<std::string>(
      {"a kind of connection", "`files`, `postgres`, `http`", "files", {"string"}, "^(files|postgres|http)$"},
      [](const std::string& text) -> Result<std::string> {
        if (std::find(kConnections.begin(), kConnections.end(), text) != kConnections.end()) return text;
        const bool later = std::find(kLaterConnections.begin(), kLaterConnections.end(), text) != kLaterConnections.end();
        if (later)
          return Fail(UserError("not-yet", "connections of type " + text + " are not supported yet")
                          .Hint("land its data as files (CSV, NDJSON or Parquet) and use type: files"));
        return Fail(UserError("bad-choice", "there is no connection of type \"" + text + "\"" + DidYouMean(text, kConnections))
                        .Hint("write type: files, postgres or http"));
      });
}

config::Type<ConnectionSpec> ConnectionType() {
  using C = ConnectionSpec;
  Object<C> object("connection", "Connection", "Where data comes from.");
  using sources::postgres::Tls;
  object.Required("type", &C::type, ConnectionKind(), "What is at the other end.")
      .Optional("path", &C::path, config::LateText("path", "./landing"), "",
                "`files`: the folder, relative to the project's. Required there.")
      .Optional("host", &C::host, config::LateText("host", "db.example.com"), "",
                "`postgres`: the server, or the folder of its socket. Required there.")
      .Optional("port", &C::port, config::LateText("port", "5432", {"integer", "string"}), "(5432)", "`postgres`: its port.")
      .Optional("database", &C::database, config::LateText("database", "shop"), "", "`postgres`: the database. Required there.")
      .Optional("user", &C::user, config::LateText("user", "etl"), "", "`postgres`: who reads. Required there.")
      .Optional("password", &C::password, config::LateText("secret", "\"${env:SHOP_PASSWORD}\""), "(none)",
                "`postgres`: only as a reference: `${env:NAME}` or `${file:PATH}`.")
      .Optional("tls", &C::tls,
                config::At(config::Enum<Tls>({{"verify-full", Tls::kVerifyFull, "by an authority that is trusted, and for this host"},
                                              {"verify-ca", Tls::kVerifyCa, "by an authority that is trusted, for whatever host"},
                                              {"require", Tls::kRequire, "encrypted, with whomever: warned of"},
                                              {"disable", Tls::kDisable, "in clear text: warned of"}})),
                "(verify-full)", "`postgres`: how the server proves who it is.")
      .Optional("tls_ca", &C::tls_ca, config::LateText("path", "certs/ca.pem"), "(the machine's)",
                "`postgres`, `http`: the authorities that are trusted, a PEM file relative to the project's folder.")
      .Optional("tls_certificate", &C::tls_certificate, config::LateText("path", "certs/etl.crt"), "(none)",
                "`postgres`: our own certificate, where the server asks for one.")
      .Optional("tls_key", &C::tls_key, config::LateText("path", "certs/etl.key"), "(none)", "`postgres`: its key.")
      .Optional("connect_timeout", &C::connect_timeout, config::Duration(), "15s", "`postgres`: how long connecting may take.")
      .Optional("statement_timeout", &C::statement_timeout, config::Duration(), "0s",
                "`postgres`: how long the server may work at one statement, a whole read included. 0: no limit but its own.")
      .Optional("max_snapshot_age", &C::max_snapshot_age, config::Duration(), "1h",
                "`postgres`: how long one read may hold its snapshot, during which the server's VACUUM keeps what it could remove.")
      .Optional("max_connections", &C::max_connections, config::Integer(1, 100), "4",
                "`postgres`, `http`: how many connections one source may have at a time.")
      .Place(&C::where)
      .Given(&C::given)
      .Example("type: postgres\nhost: db.example.com\ndatabase: shop\nuser: etl\npassword: \"${env:SHOP_PASSWORD}\"");
  AddHttpKeys(object);
  for (const char* later : {"brokers", "region", "endpoint"})
    object.Later(later, "it belongs to a type of connection that is still to come");
  return object.Type();
}

void AddSharedKeys(Object<ProjectSpec>& object) {
  using P = ProjectSpec;
  object
      .Optional("timezone", &P::timezone, config::PlacedTextOf("IANA zone", "UTC"), "(none)",
                "The zone of timestamps that sources write without one. Without it each such contract must say its own.")
      .Optional(
          "vars", &P::vars,
          MapOf(config::Raw(config::MakeScalarShape({"a value", "value", "2024-01-01", {"string", "number", "boolean"}, ""}))), "",
          "Values by name: `$name` in SQL (bound, with the type that YAML gives it), `${var:name}` in YAML. `--var name=value` overrides.")
      .Optional("layers", &P::layers, config::ListOf(Name("name")), "[\"bronze\", \"silver\", \"gold\"]",
                "The layers from raw to refined; a model that reads from a later layer gets a warning.")
      .Optional("connections", &P::connections, MapOf(ConnectionType()), "", "Where data comes from, by name.")
      .Optional("defaults", &P::defaults, MapOf(AnyKeys("map")), "",
                "Keys for all sources or models whose path matches a glob: `models/gold/**`. The most specific glob wins, the file itself "
                "above all; maps merge, lists replace.")
      .Optional("schedules", &P::schedules, MapOf(config::PlacedTextOf("cron", "0 2 * * * UTC")), "",
                "Times by name: five cron fields and a zone.")
      .Later("sinks", "query the lake, or read its Delta tables")
      .Later("alerts", "use the exit code of `sluice run`")
      .Later("engine", "everything runs on DuckDB for now")
      .Slip("variables", "write vars:")
      .Slip("environment", "write default_environment: and environments:")
      .Slip("profile", "write environments: { dev: {...}, prod: {...} }")
      .Slip("name", "write project:")
      .Slip("model-paths", "models lie in models/LAYER/")
      .Slip("version", "leave it out")
      .Slip("models", "write defaults: { models/**: {...} }")
      .Place(&P::where);
}

void AddLaterEnvironmentKeys(Object<ProjectSpec>& object) {
  object.Later("read_through", "give the environment the data it needs for now").Later("sample", "use a smaller landing folder for now");
}

}  // namespace

const config::Type<ProjectSpec>& ProjectType() {
  static const auto type = [] {
    using P = ProjectSpec;
    Object<P> object("project", "sluice.yml", "The project: one file at its root.");
    object.Required("project", &P::project, Name("name"), "The project's name.")
        .Optional("lake", &P::lake, config::LateText("path", "./lake"), "",
                  "The folder of the tables, relative to the project's. Required, here or in the environment.")
        .Optional("default_environment", &P::default_environment, Name("environment"), "(none)", "The environment without `--env`.");
    AddSharedKeys(object);
    AddLaterEnvironmentKeys(object);
    object.Called("sluice.yml")
        .Optional("environments", &P::environments, MapOf(config::Raw(EnvironmentType().shape)), "",
                  "Named settings that override the keys above.")
        .Example(
            "project: retail\nlake: ./lake\ndefault_environment: dev\ntimezone: UTC\nvars: { start: 2024-01-01 }\nconnections:\n  drop: { "
            "type: files, path: ./landing }\n"
            "defaults:\n  sources/**: { owner: data@example.com, freshness: { within: 24h, warn: 12h } }\n  models/gold/**: { tags: "
            "[gold], schedule: daily }\n"
            "schedules: { daily: \"0 2 * * * UTC\" }\nenvironments:\n  dev: { lake: ./.sluice/dev }\n  prod: { lake: ./lake, protected: "
            "true }");
    return object.Type();
  }();
  return type;
}

const config::Type<ProjectSpec>& EnvironmentType() {
  static const auto type = [] {
    using P = ProjectSpec;
    Object<P> object("environment", "Environment",
                     "What is different in one environment, chosen by `--env NAME`: any of the project's keys; maps merge, lists replace.");
    object
        .Optional("protected", &P::is_protected, config::Boolean(), "false",
                  "It must be named by `--env`, and asks before it changes what is published.")
        .Optional("lake", &P::lake, config::LateText("path", "./lake"), "(the project's)", "The folder of the tables.");
    AddSharedKeys(object);
    AddLaterEnvironmentKeys(object);
    return object.Called("an environment").Example("lake: ./.sluice/dev\nvars: { start: 2024-06-01 }").Type();
  }();
  return type;
}

}  // namespace sluice::project
