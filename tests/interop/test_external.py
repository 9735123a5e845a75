"""Tables of other owners (`load: external`): delta-rs and pyarrow write between our runs, and what is built of them equals what Python computes."""

import decimal
import os
import random

import pyarrow
import pyarrow.parquet
import pytest
from deltalake import DeltaTable, write_deltalake
from s3_server import KEY, SECRET, VERSITYGW, Gateway
from sluice_runs import query, said, sluice

SCHEMA = pyarrow.schema([("id", pyarrow.int64()), ("country", pyarrow.string()), ("amount", pyarrow.decimal128(12, 2))])
PROJECT = {
    "sluice.yml": "project: shop\nlake: LAKE\ntimezone: UTC\nconnections:\n  shared: { type: files, path: SHARED }\n",
    "sources/sales.yml": "connection: shared\nread: READ\nload: external\nchecks:\n  - { unique: [id] }\n",
    "models/silver/sales.sql": "select id, country, amount from new(bronze.sales)\n",
    "models/silver/sales.yml": "store: merge\nkey: [id]\nsequence_by: [amount]\n",
    "models/gold/totals.sql": "select country, sum(amount) as amount, count(*) as n from bronze.sales group by country\n",
}


def make_project(folder, shared, read, lake="./lake"):
    for name, text in PROJECT.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("SHARED", str(shared)).replace("READ", read).replace("LAKE", lake))
    return folder


def rows(*triples):
    columns = list(zip(*triples)) or [[], [], []]
    return pyarrow.table([list(columns[0]), list(columns[1]), [decimal.Decimal(n) / 100 for n in columns[2]]], schema=SCHEMA)


def totals(model):
    sums = {}
    for country, cents in model.values():
        amount, n = sums.get(country, (0, 0))
        sums[country] = (amount + cents, n + 1)
    return sorted((country, f"{decimal.Decimal(amount) / 100:.2f}", str(n)) for country, (amount, n) in sums.items())


def asked(folder, sql, env=None):
    return sorted(tuple(line.split(",")) for line in sluice(folder, "query", sql, "--format", "csv", env=env).splitlines()[1:])


def ids(model):
    return sorted((str(key), country, f"{decimal.Decimal(cents) / 100:.2f}") for key, (country, cents) in model.items())


def grow(table, model, rng, storage=None):
    """One commit of another writer, and the same to `model`: id → (country, cents)."""
    kind = rng.choice(["append", "append", "merge", "overwrite", "delete", "optimize"])
    start = max(model, default=0) + 1
    fresh = {start + k: (rng.choice(["de", "fr", "it"]), rng.randrange(1, 100000)) for k in range(rng.randrange(1, 20))}
    delta = DeltaTable(table, storage_options=storage)
    if kind == "append":
        write_deltalake(delta, rows(*[(key, *value) for key, value in fresh.items()]), mode="append")
        model.update(fresh)
    elif kind == "merge":
        for key in rng.sample(sorted(model), min(3, len(model))):
            fresh[key] = (model[key][0], model[key][1] + 500)
        source = rows(*[(key, *value) for key, value in fresh.items()])
        merge = delta.merge(source, "t.id = s.id", source_alias="s", target_alias="t")
        merge.when_matched_update_all().when_not_matched_insert_all().execute()
        model.update(fresh)
    elif kind == "overwrite":
        write_deltalake(delta, rows(*[(key, *value) for key, value in fresh.items()]), mode="overwrite")
        model.clear()
        model.update(fresh)
    elif kind == "delete":
        gone = rng.choice(["de", "fr", "it"])
        delta.delete(f"country = '{gone}'")
        for key in [key for key, value in model.items() if value[0] == gone]:
            del model[key]
    else:
        delta.optimize.compact()
    return kind


@pytest.mark.parametrize("seed", [1, 2])
def test_downstream_follows_what_delta_rs_writes(tmp_path, seed):
    rng = random.Random(seed)
    shared = tmp_path / "shared"
    table = str(shared / "sales")
    model = {1: ("de", 1000), 2: ("fr", 2000)}
    write_deltalake(table, rows(*[(key, *value) for key, value in model.items()]))
    project = make_project(tmp_path / "project", shared, "{ table: sales }")
    sluice(project, "run")
    merged = dict(model)  # what silver.sales keeps
    for step in range(8):
        before = DeltaTable(table).version()
        kind = grow(table, model, rng)
        head = DeltaTable(table).version()  # of an OPTIMIZE with nothing to do the same
        told = sluice(project, "run")
        assert (f"bronze.sales  ok        v{before}→v{head}" in told) == (head > before), (seed, step, kind)
        # Without a change data feed it cannot be told which rows went: what follows the table is built anew.
        whole = "new(bronze.sales) reads the whole table" in told
        assert whole == (kind in ("merge", "overwrite", "delete") and head > before), (seed, step, kind)
        if whole:
            merged.clear()
        for key, value in model.items():
            if key not in merged or merged[key][1] < value[1]:
                merged[key] = value
        assert asked(project, "select country, amount, n from gold.totals") == totals(model), (seed, step, kind)
        assert asked(project, "select id, country, amount from silver.sales") == ids(merged), (seed, step, kind)
    head = DeltaTable(table).version()
    assert f"v{head}" in sluice(project, "plan", "-v")
    assert " ok" not in sluice(project, "run")
    assert DeltaTable(table).version() == head
    assert not (project / "lake/bronze").exists()


def test_appends_alone_are_new_rows_only(tmp_path):
    shared = tmp_path / "shared"
    write_deltalake(str(shared / "sales"), rows((1, "de", 100)))
    project = make_project(tmp_path / "project", shared, "{ table: sales }")
    sluice(project, "run")
    write_deltalake(str(shared / "sales"), rows((2, "de", 200), (3, "fr", 300)), mode="append")
    told = sluice(project, "run")
    assert "silver.sales  ok        v0→v1  in 2 = new 2" in told and "reads the whole table" not in told


def test_replaced_table_is_a_full_read_with_the_reason(tmp_path):
    shared = tmp_path / "shared"
    table = shared / "sales"
    write_deltalake(str(table), rows((1, "de", 100)))
    project = make_project(tmp_path / "project", shared, "{ table: sales }")
    sluice(project, "run")
    os.rename(table, shared / "old")
    assert "no-such-table" in said(project, "run", expect=1)
    write_deltalake(str(table), rows((1, "de", 150), (2, "fr", 200)))
    told = sluice(project, "run")
    assert "new(bronze.sales) reads the whole table: it was replaced since" in told
    assert asked(project, "select id, country, amount from silver.sales") == ids({1: ("de", 150), 2: ("fr", 200)})


def write_part(folder, day, name, *triples):
    part = folder / f"sales/day={day}"
    part.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(rows(*triples), part / name)


def test_parquet_folder_follows_its_files(tmp_path):
    shared = tmp_path / "shared"
    write_part(shared, "2024-01-01", "a.parquet", (1, "de", 100), (2, "fr", 200))
    project = make_project(tmp_path / "project", shared, "{ table: sales, format: parquet }")
    sluice(project, "run")
    (schema,) = query(project, "select typeof(day) from bronze.sales limit 1")
    assert schema == ("DATE",)
    for n in range(12):  # more versions than one checkpoint
        write_part(shared, f"2024-02-{n + 1:02}", "p 100%.parquet", (10 + n, "it", 10 * n + 5))
        told = sluice(project, "run")
        assert "in 1 = new 1" in told and "reads the whole table" not in told
    model = {1: ("de", 100), 2: ("fr", 200)} | {10 + n: ("it", 10 * n + 5) for n in range(12)}
    assert asked(project, "select country, amount, n from gold.totals") == totals(model)
    assert asked(project, "select id, country, amount from silver.sales") == ids(model)
    assert "sound" in sluice(project, "table", "check", "bronze.sales")
    write_part(shared, "2024-01-01", "a.parquet", (1, "de", 900))
    assert "reads the whole table" in sluice(project, "run")
    del model[2]
    model[1] = ("de", 900)
    assert asked(project, "select country, amount, n from gold.totals") == totals(model)


@pytest.mark.skipif(not VERSITYGW.exists(), reason="no S3 server: run scripts/setup test")
@pytest.mark.parametrize("lake", ["./lake", "s3://lake/ours"])
def test_tables_of_others_in_s3(tmp_path, lake):
    server = Gateway(tmp_path / "s3")
    try:
        env = server.environment
        storage = {"AWS_ENDPOINT_URL": server.endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-test-1",
                   "AWS_ALLOW_HTTP": "true", "aws_conditional_put": "etag"}
        table = "s3://lake/shared/sales"
        model = {1: ("de", 1000), 2: ("fr", 2000)}
        write_deltalake(table, rows(*[(key, *value) for key, value in model.items()]), storage_options=storage)
        project = make_project(tmp_path / "project", "s3://lake/shared", "{ table: sales }", lake)
        sluice(project, "run", env=env)
        rng = random.Random(3)
        for step in range(3):
            kind = grow(table, model, rng, storage)
            sluice(project, "run", env=env)
            assert asked(project, "select country, amount, n from gold.totals", env) == totals(model), (step, kind)
        (project / "sources/sales.yml").write_text(
            "connection: shared\nread: { files: \"files/year=*/*.parquet\" }\nload: external\n")
        write_part(tmp_path, "x", "a.parquet", (1, "de", 100))
        server.files_of("shared/files/year=2024").mkdir(parents=True)
        source = tmp_path / "sales/day=x/a.parquet"
        server.files_of("shared/files/year=2024/a.parquet").write_bytes(source.read_bytes())
        assert "the table was replaced" in sluice(project, "run", env=env)
        assert asked(project, "select country, amount, n from gold.totals", env) == totals({1: ("de", 100)})
        assert " ok" not in sluice(project, "run", env=env)
    finally:
        server.stop()
