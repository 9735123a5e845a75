"""`sluice table` commands and Spark's SQL in turn, on a table of every feature: after each, both read what a model in memory holds, and
`sluice table check` finds nothing. What Sluice does not write is refused by its name and leaves the table as it was."""

import json

import pyarrow
import pyarrow.parquet
import pytest
from arrow_rows import difference
from judge import assert_same, delta, read_spark
from sluice_runs import read_delta, run_sluice, said, sluice

COLUMNS = "id bigint, v string, n int, p int"


def created(properties="", columns=COLUMNS, partition="partitioned by (p)"):
    return [f"create table {{t}} ({columns}) using delta {partition} {f'tblproperties ({properties})' if properties else ''}"]


FILL = ["insert into {t} (id, v, n, p) select id, concat('v', id), cast(id as int), cast(id % 3 as int) from range(30)"]
TIMED = "id bigint, v string, n int, at timestamp, month string generated always as (date_format(at, 'yyyy-MM'))"
# Name → the statements with which Spark makes the table {t}, so that it holds (id, 'v' || id, id) for 0 ≤ id < 30.
TABLES = {
    "plain": created() + FILL,
    "deletion vectors": created("'delta.enableDeletionVectors' = 'true'") + FILL,
    "column mapping by name": created("'delta.columnMapping.mode' = 'name'", "id bigint, old string, n int, part int, gone int", "partitioned by (part)")
    + ["alter table {t} drop column gone", "alter table {t} rename column old to v", "alter table {t} rename column part to p"] + FILL,
    "column mapping by id": created("'delta.columnMapping.mode' = 'id', 'delta.enableDeletionVectors' = 'true'", "p int, id bigint, v string, old int")
    + ["alter table {t} rename column old to n"] + FILL,
    "change data feed": created("'delta.enableChangeDataFeed' = 'true'") + FILL,
    "change data feed and deletion vectors": created("'delta.enableChangeDataFeed' = 'true', 'delta.enableDeletionVectors' = 'true'") + FILL,
    "type widening": created("'delta.enableTypeWidening' = 'true'", "id int, v string, n smallint, p int")
    + ["insert into {t} select cast(id as int), concat('v', id), cast(id as smallint), cast(id % 3 as int) from range(10)", "alter table {t} alter column id type bigint",
       "alter table {t} alter column n type int", "insert into {t} select id, concat('v', id), cast(id as int), cast(id % 3 as int) from range(10, 30)"],
    "in-commit timestamps": created("'delta.enableInCommitTimestamps' = 'true'") + FILL,
    "constraints": created(columns="id bigint not null, v string, n int, p int") + ["alter table {t} add constraint small check (n < 1000)"] + FILL,
    "generated columns": created(columns=TIMED, partition="partitioned by (month)")
    + ["insert into {t} (id, v, n, at) select id, concat('v', id), cast(id as int), timestamp'2024-01-31 23:00:00' + make_interval(0, 0, 0, 0, cast(id as int)) from range(30)"],
    "domain metadata": created("'delta.feature.domainMetadata' = 'supported'") + FILL,
    "v2 checkpoints": created("'delta.checkpointPolicy' = 'v2', 'delta.checkpointInterval' = '2'") + FILL,
    "checkpoints of every commit, with parsed statistics": created("'delta.checkpointInterval' = '1', 'delta.checkpoint.writeStatsAsStruct' = 'true', "
                                                                   "'delta.checkpoint.writeStatsAsJson' = 'false'") + FILL,
    "vacuum protocol check": created("'delta.feature.vacuumProtocolCheck' = 'supported'") + FILL,
}


class Table:
    """A table and what it must hold: id → (v, n)."""

    def __init__(self, spark, path):
        self.spark, self.path = spark, path
        self.rows = {id: (f"v{id}", id) for id in range(30)}

    def sql(self, statement):
        return self.spark.sql(statement.format(t=delta(self.path)))

    def sluice(self, verb, *args, expect=0):
        return said(self.path.parent, "table", verb, self.path, *args, expect=expect)

    def judge(self):
        rows = assert_same(self.spark, self.path).select(["id", "v", "n"])
        expected = pyarrow.Table.from_pylist([{"id": id, "v": v, "n": n} for id, (v, n) in self.rows.items()], schema=pyarrow.schema(
            {"id": pyarrow.int64(), "v": pyarrow.string(), "n": pyarrow.int64()}))
        assert (differs := difference(rows, expected)) is None, differs
        sluice(self.path.parent, "table", "check", self.path)

    def change(self, to):
        """`to`: (id, v, n) → (v, n), or None for a row that goes."""
        changed = {id: to(id, v, n) for id, (v, n) in self.rows.items()}
        self.rows = {id: row for id, row in changed.items() if row is not None}


@pytest.mark.parametrize("name", TABLES)
def test_in_turn(spark, tmp_path, name):
    table = Table(spark, tmp_path / "table")
    for statement in TABLES[name]:
        table.sql(statement)
    table.sluice("update", "--set", "v = v || '!'", "--set", "n = n + 100", "--where", "id % 5 = 0")
    table.change(lambda id, v, n: (v + "!", n + 100) if id % 5 == 0 else (v, n))
    table.judge()

    table.sql("delete from {t} where id % 7 = 3")
    table.change(lambda id, v, n: None if id % 7 == 3 else (v, n))
    source = "select range as id, 'merged' as v, range::integer as n from range(25, 33)"
    table.sluice("merge", "--using", source, "--on", "id", "--when", "MATCHED AND source.id = 26 THEN DELETE", "--when", "MATCHED THEN UPDATE SET v = source.v, n = target.n + 1",
                 "--when", "NOT MATCHED THEN INSERT (id, v, n) VALUES (source.id, source.v, source.n)", "--when", "NOT MATCHED BY SOURCE AND target.id = 1 THEN DELETE")
    table.change(lambda id, v, n: None if id in (1, 26) else ("merged", n + 1) if id >= 25 else (v, n))
    table.rows = {id: ("merged", id) for id in range(25, 33) if id != 26} | table.rows
    table.judge()

    table.sql("merge into {t} t using (select id from range(28, 36)) s on t.id = s.id when matched and s.id = 29 then delete when matched then update set v = 'by spark' "
              "when not matched then insert (id, v, n) values (s.id, 'new', 7)")
    table.change(lambda id, v, n: None if id == 29 else ("by spark", n) if id >= 28 else (v, n))
    table.rows = {id: ("new", 7) for id in range(28, 36) if id != 29} | table.rows
    table.sluice("delete", "--where", "n > 110 or v = 'by spark'")
    table.change(lambda id, v, n: None if n > 110 or v == "by spark" else (v, n))
    table.sluice("optimize", "--purge", "--z-order", "id")
    table.judge()

    table.sql("update {t} set n = n + 1 where id % 2 = 0")
    table.change(lambda id, v, n: (v, n + (id % 2 == 0)))
    table.sql("optimize {t}")
    table.sluice("update", "--set", "n = n * 2", "--all")
    table.change(lambda id, v, n: (v, n * 2))
    table.sql("vacuum {t} retain 0 hours")
    table.judge()


def test_spark_enforces_what_we_wrote_and_we_what_spark_did(spark, tmp_path):
    table = Table(spark, tmp_path / "table")
    for statement in TABLES["constraints"]:
        table.sql(statement)
    assert "constraint" in table.sluice("update", "--set", "n = 1000", "--where", "id = 3", expect=3)
    table.sluice("alter", "--add-constraint", "named=v <> ''", "--not-null", "v")
    table.judge()
    for broken in ("'', 1, 1", "null, 1, 1"):
        with pytest.raises(Exception, match="CONSTRAINT|constraint"):
            table.sql(f"insert into {{t}} values (77, {broken})")
    table.judge()


def test_a_table_that_we_alter(spark, tmp_path):
    table = Table(spark, tmp_path / "table")
    for statement in TABLES["plain"]:
        table.sql(statement)
    table.sluice("alter", "--add-column", "more struct<a: int>", "--add-column", "again string", "--set", "delta.enableTypeWidening=true", "--description", "ours")
    table.judge()
    table.sql("update {t} set more = named_struct('a', 1) where id = 1")
    table.sluice("alter", "--drop-column", "again", "--rename-column", "more=nested")
    table.sluice("alter", "--type", "n=bigint", "--comment", "p=a part")
    table.judge()
    assert table.sql("describe detail {t}").first()["description"] == "ours"
    table.sql("insert into {t} (id, v, n, p, nested) values (100, 'wide', 5000000000, 1, named_struct('a', 2))")
    table.rows[100] = ("wide", 5000000000)
    table.judge()
    assert read_spark(spark, table.path).column_names == read_delta(table.path).column_names == ["id", "v", "n", "p", "nested"]
    assert read_delta(table.path, ["n"], where="nested.a = 2").to_pylist() == [{"n": 5000000000}]


def changes_of(table, first):
    """The change feed as Spark tells it, and as we do."""
    columns = ["id", "v", "n", "_change_type", "_commit_version"]
    theirs = table.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", first).load(str(table.path)).select(*columns).toArrow()
    table.sluice("changes", "--from", first, "--format", "parquet", "--out", table.path.parent / "changes.parquet")
    return theirs, pyarrow.parquet.read_table(table.path.parent / "changes.parquet").select(columns)


@pytest.mark.parametrize("name", ["change data feed", "change data feed and deletion vectors"])
def test_change_data_both_ways(spark, tmp_path, name):
    table = Table(spark, tmp_path / "table")
    for statement in TABLES[name]:
        table.sql(statement)
    table.sluice("update", "--set", "v = 'u'", "--where", "id < 4")
    table.sql("update {t} set n = -n where id between 2 and 6")
    table.sluice("delete", "--where", "id = 9")
    table.sluice("merge", "--using", "select range as id, 'm' as v from range(8, 40, 8)", "--on", "id", "--when", "MATCHED THEN UPDATE SET v = source.v",
                 "--when", "NOT MATCHED THEN INSERT (id, v) VALUES (source.id, source.v)")
    table.sluice("optimize")
    table.sql("delete from {t} where id > 25")
    table.sql("insert into {t} (id, v) values (50, 'last')")
    for first in (1, 2, 4):
        theirs, ours = changes_of(table, first)
        assert theirs.num_rows > 10
        assert (differs := difference(ours, theirs)) is None, f"from {first}: {differs}"


def test_append_only(spark, tmp_path):
    table = Table(spark, tmp_path / "table")
    for statement in created("'delta.appendOnly' = 'true'") + FILL:
        table.sql(statement)
    for verb, args in {"delete": ["--all"], "update": ["--set", "n = 1", "--all"]}.items():
        assert "append-only-table" in table.sluice(verb, *args, expect=2)
    table.sluice("merge", "--using", "select 77 as id, 'new' as v, 7 as n", "--on", "id", "--when", "NOT MATCHED THEN INSERT (id, v, n) VALUES (source.id, source.v, source.n)")
    table.rows[77] = ("new", 7)
    table.sluice("optimize")
    table.judge()


def test_time_travel_by_in_commit_timestamps(spark, tmp_path):
    table = Table(spark, tmp_path / "table")
    for statement in TABLES["in-commit timestamps"]:
        table.sql(statement)
    table.sluice("delete", "--where", "id < 10")
    table.sql("delete from {t} where id < 20")
    history = table.sql("describe history {t}").selectExpr("version", "date_format(timestamp, \"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'\") as at").collect()
    assert len(history) == 4
    for row in history:
        assert json.loads(sluice(tmp_path, "table", "show", table.path, "--at", row["at"], "--json"))["version"] == row["version"], row
        theirs = spark.sql(f"select * from {delta(table.path)} timestamp as of '{row['at']}'").toArrow()
        if row["version"] > 0:
            assert difference(read_delta(table.path, theirs.column_names, row["version"]), theirs) is None


# Made by Spark with a feature that Sluice does not write.
REFUSED = {
    "rowTracking": created("'delta.enableRowTracking' = 'true'") + FILL,
    "clustering": ["create table {t} (id bigint, v string, n int, p int) using delta cluster by (id)"] + FILL,
    "identityColumns": ["create table {t} (id bigint generated by default as identity, v string, n int, p int) using delta"] + FILL,
    "allowColumnDefaults": ["create table {t} (id bigint, v string, n int, p int default 3) using delta tblproperties ('delta.feature.allowColumnDefaults' = 'supported')"] + FILL,
    "upper(v)": created(columns="id bigint, v string, n int, p int, big string generated always as (upper(v))")
    + ["insert into {t} (id, v, n, p) select id, concat('v', id), cast(id as int), cast(id % 3 as int) from range(30)"],
    "icebergCompatV2": created("'delta.enableIcebergCompatV2' = 'true', 'delta.columnMapping.mode' = 'name'") + FILL,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_we_do_not_write_is_refused_by_name(spark, tmp_path, name):
    table = Table(spark, tmp_path / "table")
    for statement in REFUSED[name]:
        table.sql(statement)
    before = sorted(path.name for path in (table.path / "_delta_log").iterdir())
    for verb, args in {"delete": ["--where", "id = 1"], "update": ["--set", "n = 1", "--all"], "optimize": []}.items():
        done = run_sluice(tmp_path, "table", verb, table.path, *args, expect=1)
        assert "unsupported-feature" in done.stderr and name in done.stderr, done.stderr
    assert sorted(path.name for path in (table.path / "_delta_log").iterdir()) == before
    table.judge()
