"""`sluice table …` by path: on a table that delta-rs made, each result read alike by Sluice, delta-rs and DuckDB; and the same on S3."""

import datetime
import json
import shutil

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from s3_server import KEY, SECRET, VERSITYGW, Gateway
from sluice_runs import REPO, read_delta, run_sluice, sluice

DAY = datetime.date(2024, 1, 31)


def made_by_delta_rs(place, options=None):
    for part in range(3):
        ids = list(range(part * 100, part * 100 + 100))
        rows = pa.table({"id": pa.array(ids, pa.int64()), "name": [f"n{i}" for i in ids], "p": ["ab"[i % 2] for i in ids],
                         "day": pa.array([DAY] * 100, pa.date32())})
        write_deltalake(str(place), rows, mode="append", partition_by=["p"], storage_options=options)


def rows_of(table):
    return sorted((row["id"], row["name"]) for row in table.to_pylist())


def seen_by_others(place):
    """What delta-rs and DuckDB read; they agree, or this fails."""
    theirs = rows_of(pa.table(QueryBuilder().register("t", DeltaTable(str(place))).execute("select id, name from t")))
    connection = duckdb.connect(config={"allow_unsigned_extensions": True})
    connection.execute(f"load '{REPO}/.deps/extensions/delta.duckdb_extension'")
    assert sorted(connection.execute(f"select id, name from delta_scan('{place}')").fetchall()) == theirs
    return theirs


def ours(place):
    return rows_of(read_delta(place, ["id", "name"]))


@pytest.fixture
def table(tmp_path):
    place = tmp_path / "events"
    made_by_delta_rs(place)
    return place


def test_rows_changed_by_hand_are_seen_alike(table, tmp_path):
    expected = {i: f"n{i}" for i in range(300)}
    sluice(tmp_path, "table", "update", table, "--set", "name = 'x' || id", "--where", "id < 50 and p = 'a'")
    expected |= {i: f"x{i}" for i in range(0, 50, 2)}
    assert ours(table) == seen_by_others(table) == sorted(expected.items())
    sluice(tmp_path, "table", "delete", table, "--where", "id % 3 = 0")
    expected = {i: name for i, name in expected.items() if i % 3}
    assert ours(table) == seen_by_others(table) == sorted(expected.items())
    (tmp_path / "fixes.csv").write_text("id,name,p\n1,one,a\n2,,b\n999,new,a\n")
    said = sluice(tmp_path, "table", "merge", table, "--using", "fixes.csv", "--on", "id", "--when", "MATCHED AND source.name IS NULL THEN DELETE",
                  "--when", "MATCHED THEN UPDATE SET name = source.name", "--when",
                  "NOT MATCHED THEN INSERT (id, name, p) VALUES (source.id, source.name, source.p)")
    assert "1 row inserted, 1 row updated, 1 row deleted" in said
    del expected[2]
    expected |= {1: "one", 999: "new"}
    assert ours(table) == seen_by_others(table) == sorted(expected.items())
    sluice(tmp_path, "table", "optimize", table)
    assert ours(table) == seen_by_others(table) == sorted(expected.items())
    assert len(DeltaTable(str(table)).file_uris()) == 2  # one for each partition
    assert sluice(tmp_path, "table", "check", table).endswith("sound\n")


def test_deletion_vectors_come_and_are_purged(table, tmp_path):
    sluice(tmp_path, "table", "alter", table, "--set", "delta.enableDeletionVectors=true")
    sluice(tmp_path, "table", "delete", table, "--where", "id = 7")
    shown = json.loads(sluice(tmp_path, "table", "show", table, "--json"))
    assert [f["deletion_vector"]["cardinality"] for f in shown["data_files"] if "deletion_vector" in f] == [1]
    expected = sorted((i, f"n{i}") for i in range(300) if i != 7)
    assert ours(table) == seen_by_others(table) == expected
    purged = json.loads(sluice(tmp_path, "table", "optimize", table, "--purge", "--json"))
    assert purged["deletion_vectors"] == {"before": 1, "after": 0} and purged["rows"] == 299
    assert ours(table) == seen_by_others(table) == expected


def test_altered_columns_are_seen_by_name(table, tmp_path):
    sluice(tmp_path, "table", "alter", table, "--add-column", "note string", "--add-constraint", "positive=id >= 0", "--description", "events")
    write_deltalake(str(table), pa.table({"id": pa.array([500], pa.int64()), "name": ["n500"], "p": ["a"], "day": pa.array([DAY], pa.date32()),
                                          "note": ["theirs"]}), mode="append")
    assert ours(table) == seen_by_others(table) == [(i, f"n{i}") for i in [*range(300), 500]]
    with pytest.raises(Exception, match="(?i)constraint|invariant|check"):
        write_deltalake(str(table), pa.table({"id": pa.array([-1], pa.int64()), "name": ["n"], "p": ["a"], "day": pa.array([DAY], pa.date32()),
                                              "note": ["x"]}), mode="append")
    sluice(tmp_path, "table", "alter", table, "--rename-column", "name=label", "--drop-column", "day", "--drop-constraint", "positive")
    sluice(tmp_path, "table", "update", table, "--set", "label = 'z'", "--where", "id = 1")
    connection = duckdb.connect(config={"allow_unsigned_extensions": True})
    connection.execute(f"load '{REPO}/.deps/extensions/delta.duckdb_extension'")
    theirs = connection.execute(f"select id, label, note from delta_scan('{table}') order by id").fetchall()
    mine = [(row["id"], row["label"], row["note"]) for row in read_delta(table, ["id", "label", "note"]).sort_by("id").to_pylist()]
    assert theirs == mine and mine[1] == (1, "z", None) and mine[-1] == (500, "n500", "theirs")


def test_change_data_by_versions(table, tmp_path):
    sluice(tmp_path, "table", "alter", table, "--set", "delta.enableChangeDataFeed=true")
    version = DeltaTable(str(table)).version()
    sluice(tmp_path, "table", "update", table, "--set", "name = 'x'", "--where", "id in (1, 2)")
    sluice(tmp_path, "table", "delete", table, "--where", "id = 3")
    lines = sluice(tmp_path, "table", "changes", table, "--from", version + 1, "--json").splitlines()
    mine = sorted((row["id"], row["name"], row["_change_type"], row["_commit_version"] - version) for row in map(json.loads, lines))
    theirs = pa.table(DeltaTable(str(table)).load_cdf(starting_version=version + 1).read_all()).to_pylist()
    assert mine == sorted((row["id"], row["name"], row["_change_type"], row["_commit_version"] - version) for row in theirs)
    assert [row[2] for row in mine] == ["update_preimage", "update_postimage"] * 2 + ["delete"]


@pytest.mark.skipif(not VERSITYGW.exists(), reason="versitygw is not installed")
def test_the_same_on_s3(tmp_path):
    gateway = Gateway(tmp_path / "server")
    try:
        made_by_delta_rs(tmp_path / "events")
        shutil.copytree(tmp_path / "events", gateway.files_of("events"))
        run = lambda *args: run_sluice(tmp_path, "table", *args, env=gateway.environment).stdout
        place = "s3://lake/events"
        run("update", place, "--set", "name = 'x'", "--where", "id < 10")
        run("merge", place, "--using", "select 1 as id, 'one' as name union all select 900, 'new'", "--on", "id", "--when",
            "MATCHED THEN UPDATE SET name = source.name", "--when", "NOT MATCHED THEN INSERT (id, name) VALUES (source.id, source.name)")
        run("optimize", place)
        run("alter", place, "--add-column", "note string")
        assert run("check", place).endswith("sound\n")
        changed = run("diff", place, "--from", "2", "--to", "3", "--key", "id", "--format", "csv").splitlines()
        assert len(changed) == 11 and changed[1] == "changed,0,[name],[n0],[x]"
        options = {"AWS_ENDPOINT_URL": gateway.endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-test-1",
                   "AWS_ALLOW_HTTP": "true"}
        expected = sorted(({i: f"n{i}" for i in range(300)} | {i: "x" for i in range(10)} | {1: "one", 900: "new"}).items())
        assert rows_of(DeltaTable(place, storage_options=options).to_pyarrow_table(columns=["id", "name"])) == expected
    finally:
        gateway.stop()
