"""Tables whose columns Spark generates by every expression that Sluice computes: after appends, merges and updates of both, and runs of models, each column is what Spark's own
expression gives, Spark finds rows by the columns that partitions are computed from, and so do we."""

import shutil

import pytest
from judge import assert_same, delta, read_spark
from sluice_runs import read_delta, said, sluice

GENERATED = {
    "day": ("date", "CAST(`at` AS DATE)"),
    "copy": ("string", "v"),
    "y": ("int", "YEAR(at)"),
    "mo": ("int", "month( at )"),
    "dd": ("int", "DayOfMonth(at)"),
    "d2": ("int", "day(d)"),
    "hh": ("int", "HOUR(at)"),
    "wall_hh": ("int", "hour(wall)"),
    "ym": ("string", "DATE_FORMAT(at, 'yyyy-MM')"),
    "ymdh": ("string", 'date_format(at, "yyyy-MM-dd-HH")'),
    "compact": ("string", "date_format(d, 'yyyyMMdd')"),
    "odd": ("string", "date_format(at, 'yy/M/d H:m:s')"),
    "to_hour": ("timestamp", "DATE_TRUNC('HOUR', at)"),
    "to_week": ("timestamp", "date_trunc('week', at)"),
    "to_quarter": ("timestamp", "date_trunc('QUARTER', d)"),
    "month_of": ("date", "TRUNC(d, 'MM')"),
    "week_of": ("date", "trunc(at, 'week')"),
    "quarter_of": ("date", "trunc(wall, 'QUARTER')"),
    "head": ("string", "SUBSTRING(v, 1, 2)"),
    "tail": ("string", "substr(v, -2)"),
    "before": ("string", "substring(v, -6, 3)"),
    "from_for": ("string", "substring(v from 2 for 1)"),
    "wide": ("bigint", "CAST(n AS BIGINT)"),
    "text": ("string", "cast(n as string)"),
    "flag": ("string", "cast(ok as string)"),
    "iso": ("string", "cast(d as string)"),
    "midnight": ("timestamp", "cast(d as timestamp)"),
    "nested": ("int", "year(cast(at as date))"),
}
PLAIN = "id bigint, at timestamp, wall timestamp_ntz, d date, v string, n int, ok boolean"
NAMES = [column.split()[0] for column in PLAIN.split(", ")]
# No empty text: as a partition it becomes NULL, which Spark then refuses itself. In Spark's SQL and DuckDB's: of both sides of the epoch, NULL, and texts of several bytes.
ROWS = """select cast({id} as bigint) as id, cast('{at}' as timestamp) as at, cast('{at}' as {ntz}) as wall, cast('{at}' as date) as d, '{v}' as v, cast({id} as int) as n, {id} > 3 as ok"""
VALUES = [("1969-12-31 23:59:59.999999", "äöü"), ("1970-01-01 00:00:00", "v"), ("2024-02-29 12:34:56.5", "vw"), ("1600-02-29 03:00:00", "ab"), ("2024-12-31 23:00:00", "vwxyz"),
          ("2023-01-01 00:30:00", "日本語")]
NULLS = "select cast({id} as bigint) as id, cast(null as timestamp) as at, cast(null as {ntz}) as wall, cast(null as date) as d, cast(null as string) as v, cast(null as int) as n, cast(null as boolean) as ok"


def rows(first, ntz="timestamp_ntz", shift=0):
    lines = [ROWS.format(id=first + i, at=at, v=VALUES[(i + shift) % len(VALUES)][1], ntz=ntz) for i, (at, _) in enumerate(VALUES)]
    return " union all ".join(lines + [NULLS.format(id=first + len(VALUES), ntz=ntz)])


def ours(first, shift=0):
    """The same for DuckDB, whose timestamp is the wall clock."""
    return rows(first, "timestamp", shift).replace("as timestamp) as at", "as timestamptz) as \"at\"").replace("+00", "")


def create(spark, path, partition):
    generated = ", ".join(f"{name} {type} generated always as ({expression})" for name, (type, expression) in GENERATED.items())
    spark.sql(f"create table {delta(path)} ({PLAIN}, {generated}) using delta partitioned by ({', '.join(partition)}) "
              "tblproperties ('delta.feature.timestampNtz' = 'supported')")
    spark.sql(f"insert into {delta(path)} ({', '.join(NAMES)}) {rows(0)}")


def judge(spark, path, count, filters=False):
    """Each generated column is what its expression gives."""
    table = assert_same(spark, path)
    assert table.num_rows == count
    partition = spark.sql(f"describe detail {delta(path)}").first()["partitionColumns"]
    # A partition cannot hold the empty text.
    wants = {name: f"nullif({expression}, '')" if name in partition and type == "string" else expression for name, (type, expression) in GENERATED.items()}
    wrong = spark.sql(f"select {', '.join(f'collect_list(case when not ({name} <=> {want}) then id end) as {name}' for name, want in wants.items())} from {delta(path)}").first()
    assert not any(wrong), wrong
    sluice(path.parent, "table", "check", path)
    if not filters:
        return
    for where in ("at = timestamp'2024-02-29 12:34:56.5'", "at >= timestamp'2024-01-01 00:00:00'", "at < timestamp'1970-01-01 00:00:00'", "d between date'2023-01-01' and date'2024-03-01'",
                  "v = 'vwxyz'", "v >= 'vw'", "n = 4", "at is null"):
        found = {row["id"] for row in read_spark(spark, path, where=where).select(["id"]).to_pylist()}
        every = {row["id"] for row in spark.sql(f"select id from (select *, rand() as r from {delta(path)}) where r >= 0 and {where}").collect()}
        assert found == every and found, where
        asked = where.replace("timestamp'", "timestamptz'").replace(" at ", ' "at" ').replace("at ", '"at" ', 1) if where.startswith("at ") else where
        assert {row["id"] for row in read_delta(path, ["id"], where=asked).to_pylist()} == found, where


@pytest.mark.parametrize("partition", [["day", "ymdh"], ["y", "mo", "dd", "hh"], ["ym", "head", "flag"], ["to_hour", "month_of"], ["midnight", "iso", "copy", "text", "wide"]], ids="+".join)
def test_both_write(spark, tmp_path, partition):
    path = tmp_path / "lake/silver/t"
    create(spark, path, partition)
    said(tmp_path, "table", "update", path, "--set", "\"at\" = \"at\" + interval 40 days", "--set", "v = 'u' || v", "--where", "id in (1, 4, 6)")
    said(tmp_path, "table", "merge", path, "--using", ours(4, 1), "--on", "id", "--when", "MATCHED THEN UPDATE SET *", "--when", "NOT MATCHED THEN INSERT *")
    judge(spark, path, 11)
    spark.sql(f"merge into {delta(path)} t using ({rows(8, shift=2)}) s on t.id = s.id when matched then update set v = s.v, at = s.at "
              f"when not matched then insert ({', '.join(NAMES)}) values ({', '.join('s.' + name for name in NAMES)})")
    said(tmp_path, "table", "delete", path, "--where", "id = 9")
    said(tmp_path, "table", "optimize", path, "--z-order", "id")
    judge(spark, path, 14)

    for store, count in {"append": 21, "merge\nkey: [id]\nsequence_by: arrival": 16}.items():
        folder = tmp_path / store.split()[0]
        shutil.copytree(tmp_path / "lake", folder / "lake")
        copy = folder / "lake/silver/t"
        model(folder, store, partition, ours(10, 1))
        said(folder, "run")
        judge(spark, copy, count)
        spark.sql(f"insert into {delta(copy)} ({', '.join(NAMES)}) {rows(200)}")
        judge(spark, copy, count + 7, filters=True)


def model(folder, store, partition, sql):
    (folder / "models/silver").mkdir(parents=True, exist_ok=True)
    (folder / "sluice.yml").write_text("project: generated\nlake: ./lake\n")
    (folder / "models/silver/t.yml").write_text(f"store: {store}\npartition_by: [{', '.join(partition)}]\nreaders: any\n")
    (folder / "models/silver/t.sql").write_text(sql)


def test_given_values_must_be_right(spark, tmp_path):
    path = tmp_path / "lake/silver/t"
    create(spark, path, ["day"])
    insert = ["--on", "id", "--when", "NOT MATCHED THEN INSERT *"]
    right, wrong = "cast(\"at\" at time zone 'UTC' as date)", "date '2020-02-02'"
    refused = said(tmp_path, "table", "merge", path, "--using", f"select *, {wrong} as day from ({ours(50)})", *insert, expect=3)
    assert "generated-value" in refused and "2020-02-02 where at = 1969-12-31" in refused, refused
    assert "generated-column" in said(tmp_path, "table", "update", path, "--set", "day = date '2020-02-02'", "--all", expect=2)
    for store in ("append", "merge\nkey: [id]\nsequence_by: arrival"):
        folder = tmp_path / store.split()[0]
        shutil.copytree(tmp_path / "lake", folder / "lake")
        model(folder, store, ["day"], f"select *, {wrong} as day from ({ours(50)})")
        refused = said(folder, "run", expect=3)
        assert "generated-value" in refused and "CAST(`at` AS DATE)" in refused, refused
        judge(spark, folder / "lake/silver/t", 7)
        model(folder, store, ["day"], f"select *, {right} as day from ({ours(50)})")
        said(folder, "run")
        judge(spark, folder / "lake/silver/t", 14)
    said(tmp_path, "table", "merge", path, "--using", f"select *, {right} as day from ({ours(50)})", *insert)
    judge(spark, path, 14)
