"""Other readers see what a merge left: with deletion vectors those that know them, with `readers: any` all."""

import json

import duckdb
import pyarrow
import pytest
from deltalake import DeltaTable, QueryBuilder
from sluice_runs import REPO, query, sluice

MERGE = "store: merge\nkey: [id]\nsequence_by: [seq]\ndelete_when: \"op = 'D'\"\nreaders: {readers}\n"
SQL = "select id, seq, op, p, v from new(bronze.changes)\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    contract = "".join(f"    - {{ name: {name}, type: {kind} }}\n" for name, kind in
                       [("id", "bigint"), ("seq", "bigint"), ("op", "string"), ("p", "string"), ("v", "string")])
    files = {
        "sluice.yml": "project: vectors\nlake: ./lake\ntimezone: UTC\nconnections:\n  drop: { type: files, path: ./landing }\n",
        "sources/changes.yml": "connection: drop\nread: { files: \"*.ndjson\", format: ndjson }\nload: append\ncontract:\n  columns:\n" + contract,
        "models/silver/marked.sql": SQL,
        "models/silver/marked.yml": MERGE.format(readers="delta") + "partition_by: [p]\n",
        "models/silver/anew.sql": SQL,
        "models/silver/anew.yml": MERGE.format(readers="any"),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "landing").mkdir()
    batches = [[(n, 1, "U", "ab"[n % 2], f"v{n}") for n in range(2000)],
               [(n, 2, "U", "ab"[n % 2], "changed") for n in range(0, 2000, 3)],
               [(n, 3, "D", "a", None) for n in range(0, 2000, 7)],
               [(n, 2, "U", "a", "late") for n in range(0, 2000, 14)] + [(5000, 1, "U", "b", "new")]]
    for i, rows in enumerate(batches):
        keys = ("id", "seq", "op", "p", "v")
        (folder / f"landing/{i}.ndjson").write_text("".join(json.dumps(dict(zip(keys, row))) + "\n" for row in rows))
        sluice(folder, "run", "-q")
    return folder


def expected():
    rows = {n: "changed" if n % 3 == 0 else f"v{n}" for n in range(2000) if n % 7}
    return sorted((rows | {5000: "new"}).items())


@pytest.mark.parametrize("table", ["marked", "anew"])
def test_sluice_duckdb_and_delta_rs_agree(project, table):
    assert [(int(k), v) for k, v in query(project, f"select id, v from silver.{table} order by id")] == expected()
    path = project / "lake/silver" / table
    connection = duckdb.connect(config={"allow_unsigned_extensions": True})
    connection.execute(f"load '{REPO}/.deps/extensions/delta.duckdb_extension'")
    assert connection.execute(f"select id, v from delta_scan('{path}') order by id").fetchall() == expected()
    rows = pyarrow.table(QueryBuilder().register("t", DeltaTable(str(path))).execute("select id, v from t order by id")).to_pylist()
    assert [(row["id"], row["v"]) for row in rows] == expected()


def test_only_readers_delta_has_vectors(project):
    vectors = {}
    for table in ("marked", "anew"):
        log = sorted((project / "lake/silver" / table / "_delta_log").glob("*.json"))
        adds = [json.loads(line)["add"] for commit in log for line in commit.read_text().splitlines() if '"add"' in line[:8]]
        vectors[table] = [add for add in adds if "deletionVector" in add]
    assert vectors["anew"] == []
    assert {add["deletionVector"]["storageType"] for add in vectors["marked"]} == {"u"}   # Spark's VACUUM fails on inline ones
    for add in vectors["marked"]:
        stats = json.loads(add["stats"])
        assert stats["numRecords"] > add["deletionVector"]["cardinality"] and stats["tightBounds"] is False
    assert DeltaTable(str(project / "lake/silver/anew")).to_pyarrow_table().num_rows == len(expected())
