// Wrong projects: each must say where it is wrong, with a code and a hint, and all at once.
#include <gtest/gtest.h>

#include <set>

#include "core/text.h"
#include "project/project_fixture.h"

namespace sluice::project {
namespace {

const std::string kTop = "project: p\nlake: ./lake\nconnections: { drop: { type: files, path: ./in } }\n";
const std::string kSource = "connection: drop\nread: { files: \"*.csv\" }\n";
const std::string kContract = kSource + "contract:\n  columns:\n";  // columns begin on line 5

struct WrongProject {
  const char* name;
  std::vector<TestFile> files;
  std::string expected;
};

WrongProject Top(const char* name, const std::string& text, const std::string& expected) {
  return {name, {{"sluice.yml", text}}, expected};
}
WrongProject SourceFile(const char* name, const std::string& text, const std::string& expected) {
  return {name, {{"sluice.yml", kTop}, {"sources/s.yml", text}}, expected};
}
WrongProject DatabaseSource(const char* name, const std::string& text, const std::string& expected) {
  return {name,
          {{"sluice.yml", "project: p\nlake: x\nconnections: { d: { type: postgres, host: h, database: d, user: u } }\n"},
           {"sources/s.yml", "connection: d\n" + text}},
          expected};
}
WrongProject ApiSource(const char* name, const std::string& text, const std::string& expected) {
  return {name,
          {{"sluice.yml", "project: p\nlake: x\nconnections: { d: { type: http, url: \"https://h\" } }\n"},
           {"sources/s.yml", "connection: d\n" + text}},
          expected};
}
WrongProject Column(const char* name, const std::string& column, const std::string& expected) {
  return SourceFile(name, kContract + "    - { name: a, " + column + " }\n", expected);
}
WrongProject ModelFile(const char* name, const std::string& text, const std::string& expected) {
  return {name, {{"sluice.yml", kTop}, {"models/silver/m.sql", "select 1 as a"}, {"models/silver/m.yml", text}}, expected};
}
WrongProject CheckEntry(const char* name, const std::string& check, const std::string& expected) {
  return ModelFile(name, "checks:\n  - " + check + "\n", expected);
}

std::vector<WrongProject> WrongProjects() {
  return {
      // ---- YAML ----
      Top("Syntax", kTop + "vars: { a: 1\nlayers: [bronze\n", "sluice.yml:5:7 yaml-syntax"),
      Top("Tab", "project: p\nlake:\n\t- x\n", "sluice.yml:3:2 yaml-syntax"),
      Top("DuplicateKey", kTop + "lake: ./other\n", "sluice.yml:4:1 duplicate-key"),
      Top("SeveralDocuments", kTop + "---\nproject: q\n", "sluice.yml:5:1 several-documents"),
      Top("Tag", kTop + "timezone: !zone UTC\n", "sluice.yml:4:11 yaml-tag"),
      Top("NoUtf8", "project: \xff\n", "sluice.yml:1:1 yaml-encoding"),
      Top("NotAMap", "- a\n", "sluice.yml:1:1 wrong-type"),
      {"SyntaxOfSeveralFiles",
       {{"sluice.yml", kTop}, {"sources/a.yml", "a: [\n"}, {"sources/b.yml", "x: 1\nx: 2\n"}},
       "sources/a.yml:2:1 yaml-syntax|sources/b.yml:2:1 duplicate-key"},
      // ---- sluice.yml ----
      Top("Empty", "", "sluice.yml:1:1 missing-key|sluice.yml:1:1 missing-key"),
      Top("UnknownKey", kTop + "lakes: x\n", "sluice.yml:4:1 unknown-key"),
      Top("LaterKey", kTop + "alerts: []\n", "sluice.yml:4:1 not-yet"),
      Top("WrongType", "project: [p]\nlake: ./lake\n", "sluice.yml:1:10 wrong-type"),
      Top("Null", "project: p\nlake:\n", "sluice.yml:2:1 wrong-type"),
      Top("OtherObjectStore", "project: p\nlake: gs://bucket/x\n", "sluice.yml:2:7 unsupported-store"),
      Top("NoPlaceInABucket", "project: p\nlake: s3:///x\n", "sluice.yml:2:7 bad-location"),
      Top("BadProjectName", "project: My Shop\nlake: x\n", "sluice.yml:1:10 bad-name"),
      Top("Zone", kTop + "timezone: Mars/Base\n", "sluice.yml:4:11 unknown-zone"),
      Top("ConnectionType",
          "project: p\nlake: x\nconnections:\n  a: { type: file, path: x }\n  b: { type: mysql, brokers: h }\n  c: { type: files }\n",
          "sluice.yml:4:14 bad-choice|sluice.yml:5:14 not-yet|sluice.yml:5:21 not-yet|sluice.yml:6:6 missing-key"),
      Top("DatabaseConnection",
          "project: p\nlake: x\nconnections:\n  a: { type: postgres, host: h, database: d, user: u, password: open }\n"
          "  b: { type: files, path: x, tls: disable }\n  c: { type: postgres, host: h, database: d, user: u, path: x, tls: maybe }\n",
          "sluice.yml:4:65 plain-secret|sluice.yml:5:30 key-of-another-connection|sluice.yml:6:55 key-of-another-connection|"
          "sluice.yml:6:69 bad-choice"),
      Top("AuthorityThatNobodyAsks",
          "project: p\nlake: x\nconnections:\n  a: { type: postgres, host: h, database: d, user: u, tls: require, tls_ca: c.pem }\n",
          "sluice.yml:4:77 conflicting-keys"),
      Top("DatabaseConnectionWithoutPlace", "project: p\nlake: x\nconnections:\n  a: { type: postgres }\n",
          "sluice.yml:4:6 missing-key|sluice.yml:4:6 missing-key|sluice.yml:4:6 missing-key"),
      Top("ApiConnection",
          "project: p\nlake: x\nconnections:\n  a: { type: http, path: x, rate: fast }\n"
          "  b: { type: http, url: u, auth: { type: bearer, token: open, user: u } }\n"
          "  c: { type: http, url: u, auth: { type: header } }\n  d: { type: http, url: u, headers: { Authorization: open } }\n",
          "sluice.yml:4:6 missing-key|sluice.yml:4:20 key-of-another-connection|sluice.yml:4:35 wrong-type|"
          "sluice.yml:5:57 plain-secret|sluice.yml:5:63 conflicting-keys|sluice.yml:6:34 missing-key|sluice.yml:6:34 missing-key|"
          "sluice.yml:7:54 plain-secret"),
      ApiSource("ApiWithoutRequest", "load: full\n", "sources/s.yml:1:1 missing-key"),
      ApiSource("ApiKeysOfFiles", "read: { request: { path: /a }, format: csv }\nexclude: [a]\nload: full\n",
                "sources/s.yml:2:32 key-of-another-connection|sources/s.yml:3:1 key-of-another-connection"),
      ApiSource("ApiPlaceholders",
                "read:\n  request: { path: \"/a/{cursor}\", parameters: { b: \"{window.strat}\", c: \"{parent.id}\" } }\n"
                "  windows: { start: 2024-01-01, every: 1h, form: date }\n",
                "sources/s.yml:3:20 unknown-placeholder|sources/s.yml:3:52 unknown-placeholder|sources/s.yml:3:73 unknown-placeholder|"
                "sources/s.yml:4:12 wrong-type"),
      ApiSource(
          "ApiRequest",
          "read:\n  request: { path: \"https://h/a\", records: \"items[*]\", body: \"{\", pages: { by: cursor, total: n, start: 2 } "
          "}\nload: full\n",
          "sources/s.yml:3:20 wrong-type|sources/s.yml:3:44 wrong-type|sources/s.yml:3:62 conflicting-keys|sources/s.yml:3:62 wrong-type|"
          "sources/s.yml:3:74 missing-key|sources/s.yml:3:88 conflicting-keys|sources/s.yml:3:98 conflicting-keys"),
      ApiSource("ApiWithoutLoad", "read: { request: { path: /a } }\n", "sources/s.yml:1:1 missing-key"),
      ApiSource("ApiBody",
                "read: { request: { path: /a, method: POST, body: '{\"q\": \"{ {id} }\", \"a\": \"{nxt}\", \"n\": {offset}}', "
                "carry: { p: parent.id }, pages: { by: offset, total: \"a[0]\" } } }\nload: full\n",
                "sources/s.yml:2:50 unknown-placeholder|sources/s.yml:2:112 unknown-placeholder|sources/s.yml:2:153 wrong-type"),
      ApiSource("ApiLoads", "read: { request: { path: /a }, windows: { start: soon }, start: 1 }\nload: full\ncursor: b\n",
                "sources/s.yml:2:41 conflicting-keys|sources/s.yml:2:50 bad-literal|sources/s.yml:2:65 key-of-another-load|"
                "sources/s.yml:4:1 key-of-another-load"),
      ApiSource("ApiIncrement", "read: { request: { path: /a }, windows: { start: 2024-01-01 } }\nload: incremental\n",
                "sources/s.yml:2:41 conflicting-keys|sources/s.yml:3:1 missing-key"),
      Top("Schedules", kTop + "schedules: { a: \"0 2 * *\", b: \"61 * * * * UTC\", c: \"0 2 * * * Nowhere\" }\n",
          "sluice.yml:4:17 bad-schedule|sluice.yml:4:31 bad-schedule|sluice.yml:4:52 unknown-zone"),
      Top("Layers", kTop + "layers: [seed, silver, silver]\n",
          "sluice.yml:4:10 bad-name|sluice.yml:4:10 no-bronze|sluice.yml:4:24 duplicate-item"),
      Top("Vars", kTop + "vars: { run_date: 1, b: [1], Cc: 2 }\n",
          "sluice.yml:4:9 bad-var|sluice.yml:4:25 bad-var|sluice.yml:4:30 bad-name"),
      Top("Interpolation",
          kTop + "vars: { abc: 1 }\nschedules: { x: \"${var:abd} * * * * UTC\", y: \"a ${abc}\", z: \"${evn:A}\", w: \"${var:abc\" }\n",
          "sluice.yml:5:18 unknown-var|sluice.yml:5:49 bad-interpolation|sluice.yml:5:62 bad-interpolation|"
          "sluice.yml:5:77 bad-interpolation"),
      Top("NoDefaultEnvironment", kTop + "environments: { dev: {} }\n", "sluice.yml:4:1 no-environment"),
      Top("UnknownDefaultEnvironment", kTop + "default_environment: dve\nenvironments: { dev: {} }\n",
          "sluice.yml:4:22 unknown-environment"),
      Top("ProtectedDefault", kTop + "default_environment: prod\nenvironments: { prod: { protected: true } }\n",
          "sluice.yml:4:22 protected-default"),
      Top("OtherEnvironmentIsWrong",
          kTop + "default_environment: dev\nenvironments: { dev: {}, prod: { lakes: x, sample: { rows: 1 } } }\n",
          "sluice.yml:5:34 unknown-key"),
      Top("LaterKeyOfTheEnvironment", kTop + "default_environment: dev\nenvironments: { dev: { read_through: prod } }\n",
          "sluice.yml:5:24 not-yet"),
      Top("Defaults", kTop + "defaults: { seeds/**: {}, models/**: { ownr: x }, sources/**: { load: fulll } }\n",
          "sluice.yml:4:13 bad-glob|sluice.yml:4:40 unknown-key|sluice.yml:4:71 bad-choice"),
      {"WrongDefaultOnce",
       {{"sluice.yml", kTop + "defaults: { models/**: { tags: { a: b } } }\n"},
        {"models/silver/a.sql", "select 1"},
        {"models/silver/b.sql", "select 1"}},
       "sluice.yml:4:32 wrong-type"},
      // ---- files ----
      {"YmlWithoutSql",
       {{"sluice.yml", kTop}, {"models/silver/schema.yml", "version: 2\nmodels: []\n"}},
       "models/silver/schema.yml:1:1 yml-without-sql"},
      {"ModelOutsideLayers",
       {{"sluice.yml", kTop}, {"models/a.sql", "select 1"}, {"models/sliver/b.sql", "select 1"}},
       "models/a.sql:1:1 misplaced-file|models/sliver/b.sql:1:1 unknown-layer"},
      {"EmptyModel", {{"sluice.yml", kTop}, {"models/silver/a.sql", "-- nothing\n;\n"}}, "models/silver/a.sql:1:1 empty-model"},
      {"BadNames",
       {{"sluice.yml", kTop}, {"models/silver/A-b.sql", "select 1"}, {"seeds/X.csv", "a\n"}, {"sources/1s.yml", kSource}},
       "models/silver/A-b.sql:1:1 bad-name|seeds/X.csv:1:1 bad-name|sources/1s.yml:1:1 bad-name"},
      {"DuplicateTables",
       {{"sluice.yml", kTop},
        {"models/silver/x/a.sql", "select 1"},
        {"models/silver/y/a.sql", "select 1"},
        {"models/bronze/s.sql", "select 1"},
        {"sources/s.yml", kSource}},
       "models/bronze/s.sql:1:1 duplicate-table|models/silver/y/a.sql:1:1 duplicate-table"},
      {"Macros",
       {{"sluice.yml", kTop}, {"macros/a.sql", "create macro f(x) as x;\nselect 1;\n  create macro f(y) as y"}},
       "macros/a.sql:2:1 bad-macro|macros/a.sql:3:3 duplicate-macro"},
      {"LaterFiles",
       {{"sluice.yml", kTop}, {"sinks/a.yml", "x: 1"}, {"consumers.yml", "x: 1"}},
       "consumers.yml:1:1 not-yet|sinks/a.yml:1:1 not-yet"},
      // ---- sources ----
      SourceFile("SourceLacksKeys", "{}\n", "sources/s.yml:1:1 missing-key|sources/s.yml:1:1 missing-key"),
      SourceFile("UnknownConnection", "connection: dorp\nread: { files: \"*.csv\" }\n", "sources/s.yml:1:13 unknown-connection"),
      SourceFile("ReadKeys", "connection: drop\nread: { files: \"*.json\", delimiter: x, file: y, encoding: latin3 }\n",
                 "sources/s.yml:2:26 key-of-another-format|sources/s.yml:2:40 unknown-key|sources/s.yml:2:59 unknown-encoding"),
      SourceFile(
          "ReadKeysOfText", "connection: drop\nread: { files: \"*.parquet\", encoding: latin1, footer: 1, header: 0 }\n",
          "sources/s.yml:2:29 key-of-another-format|sources/s.yml:2:47 key-of-another-format|sources/s.yml:2:58 key-of-another-format|"
          "sources/s.yml:2:66 wrong-type"),
      SourceFile("Globs", "connection: drop\nread: { files: ../x.csv, quote: \"::\", delimiter: \"=========\" }\n",
                 "sources/s.yml:2:16 bad-glob|sources/s.yml:2:33 bad-character|sources/s.yml:2:50 bad-character"),
      SourceFile("KeysThatExcludeEachOther",
                 "connection: drop\ntables:\n"
                 "  a: { read: { files: \"*.xlsx\", header: 2 } }\n"
                 "  b: { read: { files: \"*.csv\", compression: gzip, members: \"*.csv\" } }\n"
                 "  c: { read: { files: \"*.parquet\", compression: gzip } }\n"
                 "  d: { read: { files: \"*.csv\", quote: \"\", escape: \"\\\\\" } }\n"
                 "  e: { read: { files: \"*.csv\", delimiter: \";\", comment: \";\" } }\n"
                 "  f: { read: { files: \"*.csv\", header: 2, quote: \"\", compression: zip, members: \"*.csv\" } }\n",
                 "sources/s.yml:3:33 conflicting-keys|sources/s.yml:4:51 conflicting-keys|sources/s.yml:5:36 conflicting-keys|"
                 "sources/s.yml:6:43 conflicting-keys|sources/s.yml:7:32 conflicting-keys"),
      SourceFile("FixedPlaces",
                 "connection: drop\ntables:\n"
                 "  a: { read: { files: \"*\", format: fixed, widths: [3] }, contract: { columns: [ { name: x, type: string }, "
                 "{ name: y, type: string } ] } }\n"
                 "  b: { read: { files: \"*\", format: fixed }, contract: { columns: [ { name: x, type: string, start: 1, width: 4 }, "
                 "{ name: y, type: string, start: 4, width: 2 }, { name: z, type: string, start: 6, width: 1 } ] } }\n",
                 "sources/s.yml:3:43 missing-key|sources/s.yml:4:115 conflicting-keys"),
      SourceFile("FormatUnknown", "connection: drop\nread: { files: \"*.dat\" }\n", "sources/s.yml:2:16 missing-key"),
      SourceFile("Load", kSource + "load: incremental\nkeep: latest\n",
                 "sources/s.yml:3:1 key-of-another-connection|sources/s.yml:4:1 key-of-another-load"),
      SourceFile("LaterLoad", kSource + "load: cdc\n", "sources/s.yml:3:7 not-yet"),
      SourceFile("KeysOfADatabase", kSource + "cursor: a\nexclude: [b]\n",
                 "sources/s.yml:3:1 key-of-another-connection|sources/s.yml:4:1 key-of-another-connection"),
      DatabaseSource("TableAndFiles", "read: { table: t, files: \"*.csv\" }\nload: full\n", "sources/s.yml:2:19 key-of-another-connection"),
      DatabaseSource("TableAndQuery", "read: { table: t, query: select 1 }\nload: full\n", "sources/s.yml:2:7 conflicting-keys"),
      DatabaseSource("NoTable", "load: full\n", "sources/s.yml:1:1 missing-key"),
      DatabaseSource("NoLoad", "read: { table: t }\n", "sources/s.yml:1:1 missing-key"),
      DatabaseSource("LoadOfFiles", "read: { table: t }\nload: append\n", "sources/s.yml:3:1 key-of-another-connection"),
      DatabaseSource("CursorOfASnapshot", "read: { table: t }\nload: full\ncursor: c\n", "sources/s.yml:4:1 key-of-another-load"),
      DatabaseSource("Lookback", "read: { table: t }\nload: incremental\ncursor: c\nlookback: soon\n", "sources/s.yml:5:11 wrong-type"),
      DatabaseSource("LookbackAlone", "read: { table: t }\nload: incremental\nlookback: 10m\n", "sources/s.yml:4:11 missing-key"),
      DatabaseSource("QueryWithoutCursor", "read: { query: select 1 }\nload: incremental\n", "sources/s.yml:2:7 missing-key"),
      DatabaseSource("HashedAndExcluded", "read: { table: t }\nload: full\nhash: [a]\nexclude: [a]\n",
                     "sources/s.yml:4:8 conflicting-keys"),
      DatabaseSource("PatternAs", "defaults: { load: full }\ntables:\n  \"public.a_*\": { as: b }\n",
                     "sources/s.yml:4:23 conflicting-keys"),
      SourceFile("LoadSlip", kSource + "load: apend\n", "sources/s.yml:3:7 bad-choice"),
      SourceFile("TablesWithOtherKeys", "connection: drop\nload: full\ntables: { a: { read: { files: a.csv }, keep: none } }\n",
                 "sources/s.yml:2:1 misplaced-key|sources/s.yml:3:40 key-of-another-load|sources/s.yml:3:46 bad-choice"),
      SourceFile("Freshness", kSource + "freshness: { within: soon }\n", "sources/s.yml:3:22 wrong-type"),
      SourceFile("Schedule", kSource + "schedule: daily\n", "sources/s.yml:3:11 unknown-schedule"),
      SourceFile("Partitions", kContract + "    - { name: a, type: string }\npartition_by: [\"month(a)\", \"week(a)\", b, \"x(\", a, A]\n",
                 "sources/s.yml:6:16 bad-partition|sources/s.yml:6:28 bad-partition|sources/s.yml:6:39 unknown-column|sources/s.yml:6:42 "
                 "bad-partition|"
                 "sources/s.yml:6:51 duplicate-item"),
      SourceFile(
          "KeysOfTheContract",
          kContract +
              "    - { name: a, type: string }\n  unique: [b]\ndeduplicate: { key: [c], order_by: d }\nfreshness: { within: 1h, of: e }\n",
          "sources/s.yml:6:12 unknown-column|sources/s.yml:7:22 unknown-column|sources/s.yml:7:36 unknown-column|sources/s.yml:8:30 "
          "unknown-column"),
      // ---- columns of a contract ----
      Column("Type", "type: strng", "sources/s.yml:5:24 unknown-type"),
      Column("Decimal", "type: \"decimal(50,2)\"", "sources/s.yml:5:24 bad-decimal"),
      Column("NoType", "not_null: true", "sources/s.yml:5:7 missing-key"),
      Column("Boolean", "type: string, not_null: yes", "sources/s.yml:5:42 wrong-type"),
      Column("Literals", "type: integer, min: 1e3, max: x, values: [1, two], default: 1.5",
             "sources/s.yml:5:38 bad-literal|sources/s.yml:5:48 bad-literal|sources/s.yml:5:63 bad-literal|sources/s.yml:5:78 bad-literal"),
      Column("NoValues", "type: string, values: []", "sources/s.yml:5:32 empty-range"),
      SourceFile(
          "RuleLiterals",
          kContract + "    - { name: a, type: bigint }\n    - { name: d, type: date }\n  rules:\n    - { column: a, values: [] }\n" +
              "    - { column: a, min: abc }\n    - { column: d, max: 12, values: [x] }\n",
          "sources/s.yml:8:20 empty-range|sources/s.yml:9:25 bad-literal|sources/s.yml:10:25 bad-literal|sources/s.yml:10:38 bad-literal"),
      Column("Range", "type: \"decimal(5,2)\", min: 10, max: 9", "sources/s.yml:5:54 empty-range"),
      Column("DateRange", "type: date, min: 2024-01-01, max: 2023-01-01", "sources/s.yml:5:52 empty-range"),
      Column("Length", "type: string, length: { min: 3, max: 2 }", "sources/s.yml:5:40 empty-range"),
      Column("LengthOfNumber", "type: integer, length: 3", "sources/s.yml:5:41 rule-does-not-fit"),
      Column("PatternOfNumber", "type: integer, pattern: x", "sources/s.yml:5:42 rule-does-not-fit"),
      Column("Pattern", "type: string, pattern: \"(?=a)\"", "sources/s.yml:5:41 bad-pattern"),
      Column("MinOfStruct", "type: \"struct<a: string>\", min: 1", "sources/s.yml:5:50 rule-does-not-fit"),
      Column("Formats", "type: date, formats: [\"%Y-%q\", \"%d.%m.%y\"]", "sources/s.yml:5:40 bad-format|sources/s.yml:5:49 bad-format"),
      Column("ZoneNeeded", "type: timestamp, formats: \"%Y-%m-%d %H:%M\"", "sources/s.yml:5:44 zone-needed"),
      Column("ZoneUnknown", "type: timestamp, zone: Moon", "sources/s.yml:5:41 unknown-zone"),
      Column("OnFail", "type: string, on_fail: warm", "sources/s.yml:5:41 bad-choice"),
      SourceFile("ChoiceOfNothing", kContract + "    - { name: a, type: string }\n  on_missing_column:\n  null_tokens: [x, ]\n",
                 "sources/s.yml:6:3 bad-choice"),
      Column("ColumnUnique", "type: string, unique: true", "sources/s.yml:5:32 unknown-key"),
      SourceFile("ColumnNames",
                 kContract + "    - { name: _file, type: string }\n    - { name: \"Order Id\", type: string }\n    - { name: x, type: "
                             "string }\n    - { name: X, type: string }\n",
                 "sources/s.yml:5:15 reserved-column|sources/s.yml:6:15 bad-column-name|sources/s.yml:8:15 duplicate-column"),
      SourceFile("Limits", kContract + "    - { name: a, type: string }\n  max_quarantined: 150%\n  on_new_column: evolved\n",
                 "sources/s.yml:6:20 wrong-type|sources/s.yml:7:18 bad-choice"),
      SourceFile("Rules",
                 kContract + "    - { name: a, type: string }\n  rules:\n    - { unique: [a] }\n    - { column: b, min: 1 }\n    - { sql: "
                             "\"a > '${env:x}'\" }\n    - { name: x }\n",
                 "sources/s.yml:7:9 not-a-row-rule|sources/s.yml:8:17 unknown-column|sources/s.yml:9:14 template-in-sql|"
                 "sources/s.yml:10:7 no-rule"),
      // ---- models ----
      ModelFile("MergeLacksKeys", "store: merge\n", "models/silver/m.yml:1:1 missing-key|models/silver/m.yml:1:1 missing-key"),
      ModelFile("KeysOfOtherStores", "store: table\nkey: [a]\nlookback: 2\n",
                "models/silver/m.yml:2:1 key-of-another-store|models/silver/m.yml:3:1 key-of-another-store"),
      ModelFile("Sequence", "store: scd2\nkey: [a]\nsequence_by: [arrival, b]\non_delete: close\n",
                "models/silver/m.yml:1:1 missing-key|models/silver/m.yml:3:15 bad-sequence"),
      ModelFile("Interval", "store: interval\ncolumn: d\nevery: month\nstart: 2024-01-15\n", "models/silver/m.yml:4:8 bad-start"),
      ModelFile("IntervalLacksKeys", "store: interval\n", "models/silver/m.yml:1:1 missing-key|models/silver/m.yml:1:1 missing-key"),
      ModelFile("DbtKeys", "materialized: table\nunique_key: a\ntests: []\n",
                "models/silver/m.yml:1:1 unknown-key|models/silver/m.yml:2:1 unknown-key|models/silver/m.yml:3:1 unknown-key"),
      ModelFile("OnChange", "store: append\non_change: forward\n", "models/silver/m.yml:2:12 not-yet"),
      ModelFile("UpdateOfKey", "store: merge\nkey: a\nsequence_by: arrival\nupdate: [b, A]\n", "models/silver/m.yml:4:13 key-is-updated"),
      ModelFile("Columns", "columns:\n  - { name: a, type: intt }\n  - { type: string }\n  - { name: a }\n",
                "models/silver/m.yml:2:22 unknown-type|models/silver/m.yml:3:5 missing-key|models/silver/m.yml:4:13 duplicate-column"),
      ModelFile("TemplateInSql", "store: merge\nkey: a\nsequence_by: arrival\ndelete_when: \"x = '${var:y}'\"\n",
                "models/silver/m.yml:4:20 unknown-var"),
      // ---- checks ----
      CheckEntry("NoRule", "{ name: x }", "models/silver/m.yml:2:5 no-rule"),
      CheckEntry("TwoRules", "{ unique: [a], not_null: [a] }", "models/silver/m.yml:2:20 several-rules"),
      CheckEntry("KeyOfOtherRule", "{ unique: [a], within: 1h }", "models/silver/m.yml:2:20 key-of-another-rule"),
      CheckEntry("Quarantine", "{ unique: [a], on_fail: quarantine }", "models/silver/m.yml:2:29 bad-choice"),
      CheckEntry("Tolerate", "{ unique: [a], tolerate: some }", "models/silver/m.yml:2:30 wrong-type"),
      CheckEntry("Relationship", "{ relationship: a, to: customers.id }", "models/silver/m.yml:2:28 bad-relationship"),
      CheckEntry("RelationshipAlone", "{ relationship: a }", "models/silver/m.yml:2:5 missing-key"),
      CheckEntry("UnknownTable", "{ accounts_for: bronze.ordes, key: a }", "models/silver/m.yml:2:5 unknown-table"),
      CheckEntry("ColumnAlone", "{ column: a }", "models/silver/m.yml:2:5 missing-key"),
      CheckEntry("MinAlone", "{ min: 3 }", "models/silver/m.yml:2:5 no-rule"),
      CheckEntry("NoValuesOfAColumn", "{ column: a, values: [] }", "models/silver/m.yml:2:18 empty-range"),
      CheckEntry("NoValuesIn", "{ values: a, in: [] }", "models/silver/m.yml:2:18 empty-range"),
      CheckEntry("RowCount", "{ row_count: { min: 5, max: 2 } }", "models/silver/m.yml:2:18 empty-range"),
      CheckEntry("CheckPattern", "{ column: a, pattern: \"a{,3}\" }", "models/silver/m.yml:2:27 bad-pattern"),
      CheckEntry("UnknownRule", "{ uniqe: [a] }", "models/silver/m.yml:2:7 unknown-key"),
      CheckEntry("EmptyList", "{ unique: [] }", "models/silver/m.yml:2:15 wrong-type"),
      ModelFile("DuplicateCheck", "checks:\n  - { unique: a, name: x }\n  - { not_null: a, name: x }\n",
                "models/silver/m.yml:3:26 duplicate-check"),
  };
}

class WrongProjectTest : public testing::TestWithParam<WrongProject> {};

TEST_P(WrongProjectTest, SaysWhere) {
  const ProjectFolder folder(GetParam().files);
  const auto project = folder.Load();
  ASSERT_FALSE(project);
  EXPECT_EQ(CodesOf(project), GetParam().expected) << project.error().ToString();
  const auto complete = [](const Error& error) {
    return error.where.line > 0 && error.where.column > 0 && !error.hint.empty() && error.kind == ErrorKind::kUser;
  };
  EXPECT_TRUE(complete(project.error())) << project.error().ToString();
  for (const Error& error : project.error().more) EXPECT_TRUE(complete(error)) << error.ToString();
}

INSTANTIATE_TEST_SUITE_P(All, WrongProjectTest, testing::ValuesIn(WrongProjects()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Suggestions, NameTheNearOne) {
  const auto message = [](const WrongProject& wrong) { return ProjectFolder(wrong.files).Load().error().message; };
  EXPECT_EQ(message(Top("", kTop + "lakes: x\n", "")), "\"lakes\" is no key of sluice.yml (did you mean \"lake\"?)");
  EXPECT_EQ(message(SourceFile("", "connection: dorp\nread: { files: \"*.csv\" }\n", "")),
            "there is no connection \"dorp\" (did you mean \"drop\"?)");
  EXPECT_EQ(message(Column("", "type: string, on_fail: warm", "")),
            "\"on_fail\" must be quarantine, block or warn, found the text \"warm\" (did you mean \"warn\"?)");
  EXPECT_EQ(message(Column("", "type: string, not_null: yes", "")), "\"not_null\" must be true or false, found the text \"yes\"");
}

TEST(ErrorIndex, HasEveryCodeThatWrongProjectsGive) {
  std::ifstream file(std::string(SLUICE_SOURCE_DIR) + "/docs/errors.md");
  const std::string index{std::istreambuf_iterator<char>(file), {}};
  std::set<std::string> codes = {"no-project", "unreadable-file", "unset-variable", "late-value",     "secret-in-place",
                                 "var-type",   "yaml-key",        "yaml-too-large", "duplicate-from", "no-columns"};
  for (const WrongProject& wrong : WrongProjects())
    for (const std::string& error : Split(wrong.expected, '|')) codes.insert(Split(error, ' ')[1]);
  for (const std::string& code : codes) EXPECT_NE(index.find("`" + code + "`"), std::string::npos) << code << " is not in docs/errors.md";
}

}  // namespace
}  // namespace sluice::project
