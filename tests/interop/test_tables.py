"""Other readers read our tables with equal contents and types, and we read what another writer appends to them."""

import datetime
import decimal
import json
import pathlib

import duckdb
import pyarrow
import pytest
from deltalake import DeltaTable, write_deltalake
from sluice_runs import REPO, query, sluice

COLUMNS = [
    ("id", "bigint", "int64", "BIGINT"),
    ("flag", "boolean", "bool", "BOOLEAN"),
    ("tiny", "tinyint", "int8", "TINYINT"),
    ("small", "smallint", "int16", "SMALLINT"),
    ("whole", "integer", "int32", "INTEGER"),
    ("real", "float", "float", "FLOAT"),
    ("wide", "double", "double", "DOUBLE"),
    ("money", "decimal(20,4)", "decimal128(20, 4)", "DECIMAL(20,4)"),
    ("words", "string", "string", "VARCHAR"),
    ("day", "date", "date32[day]", "DATE"),
    ("at_utc", "timestamp", "timestamp[us, tz=UTC]", "TIMESTAMP WITH TIME ZONE"),
    ("place", "struct<city: string, floor: integer>", None, "STRUCT(city VARCHAR, floor INTEGER)"),
    ("tags", "list<string>", None, "VARCHAR[]"),
    ("counts", "map<string, bigint>", None, "MAP(VARCHAR, BIGINT)"),
]


def record(n):
    odd = ["Zürich / Süd", "a=b", "50%", "x y", None][n % 5]
    return {
        "id": n, "flag": n % 2 == 0, "tiny": n % 100 - 50, "small": n, "whole": n * 1000, "real": n / 4, "wide": n / 8,
        "money": f"{n}.2500", "words": odd, "day": f"2024-{n % 3 + 1:02}-15", "at_utc": f"2024-01-01T00:00:{n % 60:02}.000{n % 10}00Z",
        "place": {"city": odd, "floor": n % 7}, "tags": [f"t{k}" for k in range(n % 3)], "counts": {"a": n},
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    contract = "\n".join(f'    - {{ name: {name}, type: "{kind}" }}' for name, kind, _, _ in COLUMNS)
    files = {
        "sluice.yml": "project: types\nlake: ./lake\ntimezone: UTC\nconnections:\n  drop: { type: files, path: ./landing }\n",
        "sources/things.yml": "connection: drop\nread: { files: \"*.ndjson\", format: ndjson }\nload: append\n"
        f'partition_by: ["month(day)", words]\ncontract:\n  columns:\n{contract}\n',
        "models/silver/latest.sql": "select id, words, money, day, at_utc from new(bronze.things)\n",
        "models/silver/latest.yml": "store: merge\nkey: [id]\nsequence_by: [at_utc]\n",
        "models/silver/history.sql": "select id, words, at_utc from new(bronze.things)\n",
        "models/silver/history.yml": "store: scd2\nkey: [id]\nsequence_by: [at_utc]\ntrack: [words]\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    landing = folder / "landing"
    landing.mkdir()
    for batch in range(12):  # more than ten commits: a checkpoint is among them
        rows = [record(n) for n in range(batch * 5, batch * 5 + 5)]
        (landing / f"{batch:02}.ndjson").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        sluice(folder, "run", "-q")
    return folder


def ours(folder, table, columns):
    return query(folder, f"select {columns} from {table} order by all")


def of_duckdb(folder, table, columns):
    connection = duckdb.connect(config={"allow_unsigned_extensions": True})
    connection.execute(f"load '{REPO}/.deps/extensions/delta.duckdb_extension'; set timezone = 'UTC'")
    return connection, f"select {columns} from delta_scan('{folder}/lake/{table.replace('.', '/')}')"


SCALARS = "id, flag, tiny, small, whole, wide, money, words, day"


def test_delta_rs_reads_every_type(project):
    table = DeltaTable(str(project / "lake/bronze/things"))
    assert table.version() == 11
    rows = pyarrow.table(table.to_pyarrow_table())
    for name, _, kind, _ in COLUMNS:
        if kind:
            assert str(rows.schema.field(name).type) == kind, name
    read = {row["id"]: row for row in rows.to_pylist()}
    assert sorted(read) == list(range(60))
    for n, row in read.items():
        want = record(n)
        assert row["money"] == decimal.Decimal(want["money"])
        assert row["day"] == datetime.date.fromisoformat(want["day"])
        assert row["words"] == want["words"]
        assert row["place"] == want["place"] and row["tags"] == want["tags"] and dict(row["counts"]) == want["counts"]
        assert row["at_utc"] == datetime.datetime.fromisoformat(want["at_utc"].replace("Z", "+00:00"))


def test_duckdb_reads_every_type(project):
    connection, sql = of_duckdb(project, "bronze.things", "*")
    kinds = {name: kind for name, kind, *_ in connection.execute(f"describe {sql}").fetchall()}
    assert {name: kinds[name] for name, *_ in COLUMNS} == {name: kind for name, _, _, kind in COLUMNS}
    connection, sql = of_duckdb(project, "bronze.things", SCALARS)
    theirs = connection.execute(f"select cast(columns(*) as varchar) from ({sql}) order by all").fetchall()
    mine = query(project, f"select cast(columns(*) as varchar) from (select {SCALARS} from bronze.things) order by all")
    assert [tuple(cell or "" for cell in row) for row in theirs] == mine


@pytest.mark.parametrize("table, columns", [("silver.latest", "id, words, money, day"), ("silver.history", "id, words, is_current")])
def test_models_read_the_same_everywhere(project, table, columns):
    mine = query(project, f"select cast(columns(*) as varchar) from (select {columns} from {table}) order by all")
    assert len(mine) == 60
    connection, sql = of_duckdb(project, table, columns)
    theirs = connection.execute(f"select cast(columns(*) as varchar) from ({sql}) order by all").fetchall()
    assert [tuple(cell or "" for cell in row) for row in theirs] == mine
    assert DeltaTable(str(project / "lake" / table.replace(".", "/"))).to_pyarrow_table().num_rows == 60


def test_a_foreign_append_is_read_and_built_upon(project):
    path = str(project / "lake/silver/latest")
    table = DeltaTable(path)
    row = table.to_pyarrow_table().slice(0, 1).to_pylist()[0] | {"id": 1000, "words": "foreign"}
    write_deltalake(path, pyarrow.Table.from_pylist([row], schema=table.to_pyarrow_table().schema), mode="append")
    assert query(project, "select words from silver.latest where id = 1000") == [("foreign",)]
    (pathlib.Path(project) / "landing/zz.ndjson").write_text(json.dumps(record(1000) | {"at_utc": "2025-01-01T00:00:00Z"}) + "\n")
    sluice(project, "run", "-q")
    assert query(project, "select count(*), max(words) filter (where id = 1000) from silver.latest") == [("61", record(1000)["words"] or "")]
