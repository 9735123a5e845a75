"""We read what Spark writes: every feature of a table, created and changed by it, or refuse by the feature's name."""

import json
import subprocess

import pytest
from judge import assert_same, delta
from sluice_runs import SLUICE, sluice

ALL_TYPES = """
  select id, cast(id as tinyint) tiny, cast(id as smallint) small, cast(id as int) whole, cast(id / 3 as float) real, if(id = 3, double('nan'), id / 7) wide,
         cast(id / 4 as decimal(10, 2)) cents, cast(id as decimal(38, 18)) money, if(id = 2, null, concat('w ', id)) words, cast(concat('b', id) as binary) bytes,
         date_add(date'2024-02-28', cast(id as int)) day, timestamp'2024-01-01 00:00:00.123456' + make_interval(0, 0, 0, 0, cast(id as int)) at_utc,
         timestamp_ntz'1969-12-31 23:59:59.999999' + make_interval(0, 0, 0, cast(id as int)) wall, id % 2 = 0 yes,
         struct(id as n, array(id, null) as items) deep, map('k', struct(id as n)) maps, array(array(id)) lists
  from range(6)"""

# Name → the statements that make the table {t}, each committed by Spark.
TABLES = {
    "all types": [f"create table {{t}} using delta as {ALL_TYPES}"],
    "partitions of every kind": [
        f"create table {{t}} using delta partitioned by (tiny, wide, cents, words, day, at_utc, wall, yes, bytes) as {ALL_TYPES}"],
    "special characters in partitions": [
        "create table {t} using delta partitioned by (p) as select * from values (1, 'a/b=c%20 ü'), (2, 'x:y?#&'), (3, ''), (4, null), (5, '{{}}[]\\'\"') t(id, p)"],
    "column mapping by name": [
        "create table {t} (id bigint, `a b,;(){{}}=` string, p string, s struct<`x y`: int>) using delta partitioned by (p) tblproperties ('delta.columnMapping.mode' = 'name')",
        "insert into {t} values (1, 'x', 'p 1', named_struct('x y', 1)), (2, null, null, null)",
        "alter table {t} rename column `a b,;(){{}}=` to renamed", "insert into {t} values (3, 'y', 'p 2', named_struct('x y', 3))",
        "alter table {t} drop column renamed", "alter table {t} add column renamed int after id", "insert into {t} values (4, 44, 'p 2', null)"],
    "column mapping by id": [
        "create table {t} (p string, id bigint, v array<struct<n: int>>) using delta partitioned by (p) tblproperties ('delta.columnMapping.mode' = 'id')",
        "insert into {t} values ('a', 1, array(named_struct('n', 1))), (null, 2, null)", "alter table {t} rename column p to part", "delete from {t} where id = 2"],
    "deletion vectors": [
        "create table {t} (id bigint, p int) using delta partitioned by (p) tblproperties ('delta.enableDeletionVectors' = 'true')",
        "insert into {t} select id, id % 2 from range(1000)", "delete from {t} where id % 7 = 0", "update {t} set id = id + 10000 where id % 11 = 0",
        "merge into {t} t using (select id * 3 as id from range(400)) s on t.id = s.id when matched and s.id % 2 = 0 then delete when matched then update set p = 9 "
        "when not matched then insert (id, p) values (s.id, 5) when not matched by source and t.id < 50 then delete"],
    "deletion vectors in files": [
        "create table {t} (id bigint) using delta tblproperties ('delta.enableDeletionVectors' = 'true')",
        "insert into {t} select /*+ coalesce(1) */ id from range(300000)", "delete from {t} where hash(id) % 3 = 0", "delete from {t} where id between 1000 and 200000"],
    "optimised": [
        "create table {t} (id bigint, v string) using delta tblproperties ('delta.enableDeletionVectors' = 'true')",
        "insert into {t} select id, 'a' from range(10)", "insert into {t} select id, 'b' from range(10)", "delete from {t} where id = 3", "optimize {t} zorder by (id)",
        "reorg table {t} apply (purge)", "vacuum {t} retain 0 hours"],
    "change data feed": [
        "create table {t} (id bigint, v string) using delta tblproperties ('delta.enableChangeDataFeed' = 'true')", "insert into {t} select id, 'a' from range(10)",
        "update {t} set v = 'b' where id < 5", "delete from {t} where id = 7"],
    "type widening": [
        "create table {t} (id tinyint, p int, d date, f float, m decimal(5,2), s struct<n: smallint>) using delta tblproperties ('delta.enableTypeWidening' = 'true', "
        "'delta.feature.timestampNtz' = 'supported')",
        "insert into {t} values (1, 1, date'2024-01-01', 1.5, 1.25, named_struct('n', 1))", "alter table {t} alter column id type int", "alter table {t} alter column p type bigint",
        "alter table {t} alter column d type timestamp_ntz", "alter table {t} alter column f type double", "alter table {t} alter column m type decimal(10,4)",
        "alter table {t} alter column s.n type int", "insert into {t} values (100000, 1, timestamp_ntz'2024-01-01 10:00:00', 2.5, 2.1234, named_struct('n', 100000))"],
    "in-commit timestamps": [
        "create table {t} (id bigint) using delta tblproperties ('delta.enableInCommitTimestamps' = 'true')", "insert into {t} values (1)", "insert into {t} values (2)"],
    "v2 checkpoints": [
        "create table {t} (id bigint, p int) using delta partitioned by (p) tblproperties ('delta.checkpointPolicy' = 'v2', 'delta.checkpointInterval' = '3', "
        "'delta.enableDeletionVectors' = 'true')",
        *[f"insert into {{t}} select id, id % 5 from range({n * 10}, {n * 10 + 10})" for n in range(4)], "delete from {t} where id % 10 = 2"],
    "constraints and invariants": [
        "create table {t} (id bigint not null, n int) using delta", "alter table {t} add constraint positive check (n > 0)", "insert into {t} values (1, 1), (2, 2)"],
    "generated columns": [
        "create table {t} (at timestamp, day date generated always as (cast(at as date)), id bigint) using delta partitioned by (day)",
        "insert into {t} (at, id) values (timestamp'2024-01-31 23:59:59', 1), (null, 2)"],
    "identity and default columns": [
        "create table {t} (id bigint generated always as identity, v string default 'x') using delta tblproperties ('delta.feature.allowColumnDefaults' = 'supported')",
        "insert into {t} (v) values ('a'), (default)"],
    "clustering": ["create table {t} (id bigint, v string) using delta cluster by (id)", "insert into {t} select id, 'a' from range(10)", "optimize {t}"],
    "row tracking": [
        "create table {t} (id bigint) using delta tblproperties ('delta.enableRowTracking' = 'true')", "insert into {t} values (1), (2)", "delete from {t} where id = 1"],
    "restored": [
        "create table {t} (id bigint) using delta", "insert into {t} values (1)", "insert into {t} values (2)", "restore table {t} to version as of 1", "insert into {t} values (3)"],
    "replaced": [
        "create table {t} (id bigint) using delta", "insert into {t} values (1)", "create or replace table {t} using delta partitioned by (p) as select 'a' v, 1 p",
        "insert into {t} values ('b', 2)"],
    "variant": ["create table {t} (id bigint, v variant) using delta", "insert into {t} select 1, parse_json('{{\"a\": 1}}')"],
}
# Features that a reader must know and that Sluice does not: the name its refusal says.
REFUSED = {"variant": "variantType"}


@pytest.mark.parametrize("name", TABLES)
def test_we_read_equal_rows_and_types(spark, tmp_path, name):
    path = tmp_path / "table"
    for statement in TABLES[name]:
        spark.sql(statement.format(t=delta(path)))
    if name in REFUSED:
        refused = sluice_refuses(path)
        assert "unsupported-feature" in refused and REFUSED[name] in refused, refused
        return
    assert assert_same(spark, path).num_rows > 0
    if not any(statement.startswith("vacuum") for statement in TABLES[name]):   # which takes the files of older versions away
        assert_same(spark, path, len(list((path / "_delta_log").glob("*.json"))) // 2)


def sluice_refuses(path):
    done = subprocess.run([SLUICE, "query", f"select * from delta_scan('{path}')"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_multi_part_checkpoints(spark, tmp_path):
    path = tmp_path / "table"
    spark.conf.set("spark.databricks.delta.checkpoint.partSize", "3")
    try:
        spark.sql(f"create table {delta(path)} (id bigint, p int) using delta partitioned by (p) tblproperties ('delta.checkpointInterval' = '2')")
        for n in range(3):
            spark.sql(f"insert into {delta(path)} select id, id % 4 from range({n * 8}, {n * 8 + 8})")
    finally:
        spark.conf.unset("spark.databricks.delta.checkpoint.partSize")
    parts = list((path / "_delta_log").glob("*.checkpoint.*.*.parquet"))
    assert len(parts) > 1, "Spark wrote its checkpoint in one part"
    for commit in (path / "_delta_log").glob("*.json"):
        if int(commit.name.split(".")[0]) <= int(parts[0].name.split(".")[0]):
            commit.unlink()
    assert assert_same(spark, path).num_rows == 24


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_v2_checkpoints_with_sidecars_alone(spark, tmp_path, form):
    path = tmp_path / "table"
    spark.conf.set("spark.databricks.delta.checkpointV2.topLevelFileFormat", form)
    try:
        spark.sql(f"create table {delta(path)} (id bigint, p int) using delta partitioned by (p) tblproperties ('delta.checkpointPolicy' = 'v2', "
                  "'delta.checkpointInterval' = '2', 'delta.enableDeletionVectors' = 'true')")
        for n in range(2):
            spark.sql(f"insert into {delta(path)} select id, id % 4 from range({n * 8}, {n * 8 + 8})")
        spark.sql(f"delete from {delta(path)} where id % 4 = 1")
    finally:
        spark.conf.unset("spark.databricks.delta.checkpointV2.topLevelFileFormat")
    log = path / "_delta_log"
    (checkpoint,) = log.glob(f"*.checkpoint.*.{form}")
    assert list((log / "_sidecars").glob("*.parquet"))
    for commit in log.glob("*.json"):
        if commit.name[20:] == ".json" and commit.name[:20] <= checkpoint.name[:20]:
            commit.unlink()
    assert assert_same(spark, path).num_rows == 12
    sluice(tmp_path, "table", "check", path)


def test_a_cleaned_log(spark, tmp_path):
    path = tmp_path / "table"
    spark.sql(f"create table {delta(path)} (id bigint) using delta tblproperties ('delta.checkpointInterval' = '3')")
    for n in range(7):
        spark.sql(f"insert into {delta(path)} values ({n})")
    log = path / "_delta_log"
    newest = max(int(p.name.split(".")[0]) for p in log.glob("*.checkpoint*.parquet"))
    for p in log.iterdir():
        if p.name[:20].isdigit() and int(p.name[:20]) < newest:
            p.unlink()
    assert assert_same(spark, path).num_rows == 7


def test_table_show_tells_the_snapshot_as_spark_does(spark, tmp_path):
    path = tmp_path / "table"
    for statement in TABLES["deletion vectors"]:
        spark.sql(statement.format(t=delta(path)))
    shown = json.loads(sluice(tmp_path, "table", "show", path, "--json"))
    detail = spark.sql(f"describe detail {delta(path)}").first()
    assert shown["version"] == spark.sql(f"describe history {delta(path)} limit 1").first()["version"]
    assert (shown["files"], shown["bytes"], shown["id"]) == (detail["numFiles"], detail["sizeInBytes"], detail["id"])
    assert shown["partition_columns"] == list(detail["partitionColumns"])
    assert shown["rows"] == spark.table(delta(path)).count()
