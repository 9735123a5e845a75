#include <algorithm>

#include "core/text.h"
#include "project/keys_common.h"

namespace sluice::project {

using config::MapOf;
using config::Object;

namespace {

const std::vector<std::string> kLaterConnections = {"postgres", "mysql", "sqlserver", "oracle", "mongodb", "kafka",
                                                    "http",     "sqs",   "kinesis",   "s3",     "sftp",    "snowflake"};

config::Type<PlacedText> ConnectionKind() {
  return config::Parsed<std::string>(
      {"a kind of connection", "`files`", "files", {"string"}, "^files$"}, [](const std::string& text) -> Result<std::string> {
        if (text == "files") return text;
        const bool later = std::find(kLaterConnections.begin(), kLaterConnections.end(), text) != kLaterConnections.end();
        if (later)
          return Fail(UserError("not-yet", "connections of type " + text + " are not supported yet")
                          .Hint("land its data as files (CSV, NDJSON or Parquet) and use type: files"));
        return Fail(
            UserError("bad-choice", "there is no connection of type \"" + text + "\"" + DidYouMean(text, std::vector<std::string>{"files"}))
                .Hint("write type: files"));
      });
}

config::Type<ConnectionSpec> ConnectionType() {
  using C = ConnectionSpec;
  Object<C> object("connection", "Connection", "Where data comes from.");
  object.Required("type", &C::type, ConnectionKind(), "What is at the other end.")
      .Optional("path", &C::path, config::LateText("path", "./landing"), "",
                "`files`: the folder, relative to the project's. Required there.")
      .Place(&C::where)
      .Given(&C::given)
      .Example("type: files\npath: ./landing");
  for (const char* later : {"host", "port", "database", "user", "password", "tls", "brokers", "url", "region", "endpoint"})
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
