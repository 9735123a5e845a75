"""Spark reads what Sluice wrote: every type, partition, store and change of schema, and it leaves out no row when it skips files."""

import json
import shutil

import pyarrow
import pytest
from arrow_rows import difference
from judge import assert_same, delta, read_spark
from sluice_runs import read_delta, sluice

ODD_WORDS = ["Zürich / Süd", "a=b", "50%", "x y", "it's", "q\"uote", "ü:#?&+,;{}[]|^~`<>*\\", "", "中文 😀", "nbsp\u00a0 ideographic\u3000", "!$()@-_.", None]

# Every type at its edges. A row is an expression of a struct.
EDGES = [
    "{id: 1, tiny: 127::tinyint, small: 32767::smallint, whole: 2147483647::integer, big: 9223372036854775807::bigint, real: 'nan'::float, wide: 'nan'::double, "
    "money: 9999999999999999999999999999.9999999999::decimal(38,10), cents: 0.01::decimal(9,2), words: 'z' || repeat('ü', 50), bytes: '\\xFF\\x00'::blob, "
    "day: '9999-12-31'::date, moment: '9999-12-31 23:59:59.999999+00'::timestamptz, wall: '9999-12-31 23:59:59.999999'::timestamp, yes: true}",
    "{id: 2, tiny: (-128)::tinyint, small: (-32768)::smallint, whole: (-2147483648)::integer, big: (-9223372036854775808)::bigint, real: 'inf'::float, wide: '-inf'::double, "
    "money: (-9999999999999999999999999999.9999999999)::decimal(38,10), cents: (-9999999.99)::decimal(9,2), words: '', bytes: ''::blob, "
    "day: '0001-01-01'::date, moment: '0001-01-01 00:00:00+00'::timestamptz, wall: '0001-01-01 00:00:00'::timestamp, yes: false}",
    "{id: 3, tiny: 0::tinyint, small: 0::smallint, whole: 0::integer, big: 0::bigint, real: '-0.0'::float, wide: 1e-300::double, "
    "money: 0.0000000001::decimal(38,10), cents: 0::decimal(9,2), words: 'line\\nbreak', bytes: 'abc'::blob, "
    "day: '1969-12-31'::date, moment: '1969-12-31 23:59:59.999999+00'::timestamptz, wall: '1582-10-10 12:00:00.000001'::timestamp, yes: null}",
    "{id: 4, tiny: null, small: null, whole: null, big: null, real: null, wide: null, money: null, cents: null, words: null, bytes: null, day: null, moment: null, wall: null, "
    "yes: null}",
]
NESTED = """
  select 1 as id, {'a': 1, 'b': {'c': ['x', null], 'd': 1.50::decimal(5,2)}} as deep, [[1, 2], [], null] as lists, map {'k': [{'v': 1::bigint}]} as maps
  union all select 2, {'a': null, 'b': null}, [], map {}
  union all select 3, null, null, null
  union all select 4, {'a': 2, 'b': {'c': null, 'd': null}}, [null], map {'': null}
"""
SELECT_EDGES = "select unnest(r) from (values " + ", ".join(f"({row})" for row in EDGES) + ") t(r)"
PARTITIONS = {
    "words": "case id " + " ".join(f"when {i} then {'null' if w is None else chr(39) + w.replace(chr(39), chr(39) * 2) + chr(39)}" for i, w in enumerate(ODD_WORDS)) + " end",
    "day": "case when id % 4 <> 0 then '2024-02-29'::date + id::integer end",
    "yes": "case when id % 3 <> 0 then id % 2 = 0 end",
    "whole": "case when id <> 5 then (id - 3)::integer end",
    "money": "case when id <> 5 then (id * 0.25 - 1)::decimal(20,4) end",
    "wide": "case when id <> 5 then id / 8 end",
    "at_utc": "case when id <> 5 then '2024-01-01 00:00:00.000001+00'::timestamptz + id * interval 1 hour end",
    "wall": "case when id <> 5 then '1969-12-31 23:59:59.5'::timestamp + id * interval 1 hour end",
}
MODELS = {
    "gold/edges": (SELECT_EDGES, "{ description: 'all types at their edges' }"),
    "gold/nested": (NESTED, "{}"),
    "gold/nothing": ("select 1 as id, 'x' as words where false", "{}"),
    **{f"gold/by_{name}": (f"select id, {sql} as {name}, 'v' || id as v from range({len(ODD_WORDS)}) t(id)", f"{{ partition_by: [{name}] }}") for name, sql in PARTITIONS.items()},
    "gold/by_two": ("select id, 'x ' || id % 2 as \"part-1\", id % 3 as \"Größe.cm\" from range(12) t(id)", "{ partition_by: ['part-1', 'Größe.cm'] }"),
    "gold/by_times": ("select id, '2024-01-31 22:30:00+00'::timestamptz + id * interval 1 hour as at_utc, '2023-12-31'::date + id::integer as day from range(5) t(id)",
                      "{ partition_by: ['hour(at_utc)', 'year(day)'] }"),
    "silver/latest": ("select id, v, at_utc from new(bronze.things)", "{ store: merge, key: [id], sequence_by: [at_utc], delete_when: \"v = 'gone'\" }"),
    "silver/history": ("select id, v, at_utc from new(bronze.things)", "{ store: scd2, key: [id], sequence_by: [at_utc], track: [v], delete_when: \"v = 'gone'\", on_delete: close }"),
    "silver/appended": ("select id, v from new(bronze.things)", "{ store: append, partition_by: [v] }"),
    "gold/daily": ("select day, count(*) as things from bronze.things where day >= $window_start and day < $window_end group by day",
                   "{ store: interval, column: day, every: month, start: 2024-01-01 }"),
}
BATCHES = 13   # a checkpoint of Sluice's is among the commits, and commits after it


def things(batch):
    """Each batch changes keys of the one before, brings new ones and deletes one."""
    rows = [{"id": batch * 3 + k, "v": "gone" if k == 1 and batch > 3 else ["a", "b/ü", None][(batch + k) % 3], "day": f"2024-{batch % 4 + 1:02}-0{k + 1}",
             "at_utc": f"2024-01-01T00:{batch:02}:00Z"} for k in range(5)]
    return "".join(json.dumps(row) + "\n" for row in rows)


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ours")
    write(folder, {
        "sluice.yml": "project: ours\nlake: ./lake\ntimezone: UTC\nconnections:\n  drop: { type: files, path: ./landing }\n",
        "sources/things.yml": "connection: drop\nread: { files: \"*.ndjson\", format: ndjson }\npartition_by: [\"month(day)\"]\ncontract:\n  columns:\n"
                              "    - { name: id, type: bigint }\n    - { name: v, type: string }\n    - { name: day, type: date }\n    - { name: at_utc, type: timestamp }\n"})
    for name, (sql, keys) in MODELS.items():
        write(folder, {f"models/{name}.sql": sql + "\n", f"models/{name}.yml": keys + "\n"})
    for batch in range(BATCHES):
        write(folder, {f"landing/{batch:02}.ndjson": things(batch)})
        sluice(folder, "run", "-q")
    return folder / "lake"


@pytest.mark.parametrize("table", ["bronze/things", *MODELS])
def test_spark_reads_equal_rows_and_types(spark, lake, table):
    found = assert_same(spark, lake / table)
    if "/by_" in table:
        assert found.num_rows >= 5
    if table == "gold/edges":
        assert found.num_rows == len(EDGES)


def test_older_versions_are_equal(spark, lake):
    for version in (0, 3, BATCHES - 1):
        assert_same(spark, lake / "bronze/things", version)
    assert_same(spark, lake / "silver/latest", 4)


def test_spark_from_our_checkpoint_alone(spark, lake, tmp_path):
    """The commits before the checkpoint are gone, as after a clean-up of the log."""
    copy = shutil.copytree(lake / "silver/history", tmp_path / "history")
    newest = max(int(path.name.split(".")[0]) for path in (copy / "_delta_log").glob("*.checkpoint.parquet"))
    for path in (copy / "_delta_log").glob("*.json"):
        if int(path.name.split(".")[0]) <= newest:
            path.unlink()
    assert assert_same(spark, copy).num_rows > 0


@pytest.mark.parametrize("table", ["bronze/things", *(name for name in MODELS if "/by_" in name), "silver/latest", "silver/history", "silver/appended"])
def test_spark_s_vacuum_takes_no_live_file(spark, lake, tmp_path, table):
    """It compares the log's paths with the folder's as texts: each character must be encoded as Java encodes it."""
    copy = shutil.copytree(lake / table, tmp_path / "table")
    before = read_spark(spark, copy)
    spark.sql(f"vacuum {delta(copy)} retain 0 hours")
    assert difference(read_delta(copy, before.column_names), before) is None


FILTERS = {
    "gold/edges": ["tiny = 127", "small < 0", "whole >= 2147483647", "big = -9223372036854775808", "big > 9223372036854775806", "real > 1e30", "isnan(wide)", "wide < 0",
                   "money > 9999999999999999999999999999.9", "money = 0.0000000001", "cents <= -9999999.99", "words > 'zü'", "words = ''", "day = date'9999-12-31'",
                   "day < date'1900-01-01'", "moment = timestamp'9999-12-31 23:59:59.999999'", "moment < timestamp'1970-01-01 00:00:00'", "moment > timestamp'1969-12-31 23:59:59.999998'",
                   "wall = timestamp_ntz'9999-12-31 23:59:59.999999'", "wall < timestamp_ntz'1600-01-01 00:00:00'", "yes", "not yes", "yes is null", "words is not null"],
    "bronze/things": ["day = date'2024-02-01'", "day >= date'2024-03-02' and v = 'b/ü'", "v is null", "day_month = '2024-04'", "at_utc = timestamp'2024-01-01 00:05:00'", "id > 35"],
    "gold/by_words": [f"words = '{w}'".replace("it's", "it\\'s") if w is not None else "words is null" for w in ["Zürich / Süd", "a=b", "50%", "x y", "it's", "中文 😀", None]],
    "gold/by_at_utc": ["at_utc = timestamp'2024-01-01 03:00:00.000001'", "at_utc > timestamp'2024-01-01 07:00:00'", "at_utc is null"],
    "gold/by_wall": ["wall = timestamp_ntz'1970-01-01 01:59:59.5'", "wall < timestamp_ntz'1970-01-01 00:00:00'", "wall is null"],
    "gold/by_money": ["money = -0.75", "money > 0.5", "money is null"],
    "gold/by_times": ["at_utc >= timestamp'2024-02-01 00:00:00'", "day < date'2024-01-01'", "at_utc = timestamp'2024-01-31 23:30:00'"],
}


WITHOUT_SKIPPING = {"spark.databricks.delta.stats.skipping": "false", "spark.sql.parquet.filterPushdown": "false",
                    "spark.databricks.delta.generatedColumn.partitionFilterOptimization.enabled": "false"}


@pytest.mark.parametrize("table", FILTERS)
def test_skipping_files_loses_no_row(spark, lake, table):
    """Each filter as Spark answers it by statistics and partitions, and with every file and row looked at."""
    sql = " union all ".join(f"select {i} as filter, * from {delta(lake / table)} where {text}" for i, text in enumerate(FILTERS[table]))
    skipping = spark.sql(sql).toArrow()
    for key, value in WITHOUT_SKIPPING.items():
        spark.conf.set(key, value)
    try:
        whole = spark.sql(sql).toArrow()
    finally:
        for key in WITHOUT_SKIPPING:
            spark.conf.unset(key)
    assert difference(skipping, whole) is None
    assert set(whole.column("filter").to_pylist()) == set(range(len(FILTERS[table]))), "each of the filters is one that finds something"


def test_protocol_and_history_as_spark_sees_them(spark, lake):
    detail = {name: spark.sql(f"describe detail {delta(lake / name)}").first().asDict() for name in ("bronze/things", "gold/edges", "silver/latest")}
    assert (detail["bronze/things"]["minReaderVersion"], detail["bronze/things"]["minWriterVersion"]) == (1, 4)      # generated partition columns
    assert detail["bronze/things"]["partitionColumns"] == ["day_month"]
    assert "timestampNtz" in detail["gold/edges"]["tableFeatures"]
    assert detail["gold/edges"]["description"] == "all types at their edges"
    history = spark.sql(f"describe history {delta(lake / 'silver/latest')}").collect()
    assert [row["version"] for row in history] == list(range(len(history)))[::-1]
    assert {row["operation"] for row in history[:-1]} == {"MERGE"}


def test_added_and_widened_columns(spark, tmp_path):
    write(tmp_path, {"sluice.yml": "project: evolving\nlake: ./lake\n", "models/gold/rows.yml": "store: append\n"})
    steps = ["select 1 as id, 1.5::float as real, 1.25::decimal(5,2) as money",
             "select 2 as id, 2.5::float as real, 2.25::decimal(5,2) as money, 'new' as added",
             "select 3::bigint as id, 3.5::double as real, 3.25::decimal(20,2) as money, 'new' as added"]
    for sql in steps:
        write(tmp_path, {"models/gold/rows.sql": sql + "\n"})
        sluice(tmp_path, "run", "-q")
        assert_same(spark, tmp_path / "lake/gold/rows")
    kinds = {field.name: str(field.type) for field in read_delta(tmp_path / "lake/gold/rows").schema}
    assert kinds == {"id": "int64", "real": "double", "money": "decimal128(20, 2)", "added": "string"}
    assert isinstance(read_spark(spark, tmp_path / "lake/gold/rows", version=0), pyarrow.Table)
