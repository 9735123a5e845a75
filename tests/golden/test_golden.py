"""The golden tables of the Delta project, read through `sluice query`: every one gives the expected contents, or is refused for a
feature that the refusal names.

The archives lie outside the repository, in $SLUICE_SHARED/data/delta-golden (default: ../shared beside the checkout). Each holds a
table and, mostly, its expected contents as Parquet, which pyarrow reads here. Tables without them are held against what was put
into them (STATES below) or, where their data files exist, against delta-rs.
"""
import collections
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arrow_rows import difference
from sluice_runs import read_delta

REPO = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("SLUICE_SHARED", REPO.parent / "shared"))
ARCHIVES = sorted((SHARED / "data" / "delta-golden").glob("*.tar.zst"))
CHECK = pathlib.Path(os.environ.get("SLUICE_GOLDEN_CHECK", REPO / "build" / "release" / "tests" / "golden" / "golden_check"))

pytestmark = pytest.mark.skipif(not ARCHIVES, reason=f"the golden tables are not at {SHARED}/data/delta-golden (set SLUICE_SHARED)")

# Tables whose data files were never written: (version, paths of the live files).
STATES = {
    "canonicalized-paths-normal-a": (1, []),
    "canonicalized-paths-normal-b": (1, []),
    "canonicalized-paths-special-a": (1, []),
    "canonicalized-paths-special-b": (1, []),
    "checkpoint": (14, ["15"]),
    "delete-re-add-same-file-different-transactions": (3, ["bar", "foo"]),
    "deltalog-commit-info": (0, ["abc"]),
    "log-replay-special-characters-b": (0, ["special%20p@%23h"]),
    "update-deleted-directory": (0, [str(i) for i in range(1, 11)]),
}
# Broken on purpose: what the refusal must say.
BROKEN = {
    "data-reader-absolute-paths-escaped-chars": ("bad-delta-log", "no metaData"),
    "deltalog-invalid-protocol-version": ("unsupported-feature", "reader version 99"),
    "deltalog-state-reconstruction-from-checkpoint-missing-metadata": ("bad-delta-log", "no metaData"),
    "deltalog-state-reconstruction-from-checkpoint-missing-protocol": ("bad-delta-log", "no protocol"),
    "deltalog-state-reconstruction-without-metadata": ("bad-delta-log", "no metaData"),
    "deltalog-state-reconstruction-without-protocol": ("bad-delta-log", "no protocol"),
    "no-delta-log-folder": ("no-such-table", "no table"),
    "versions-not-contiguous": ("bad-delta-log", "has no version 1"),
}
# A timestamp without a zone as a partition value means the zone of the system that wrote it (PROTOCOL.md, "Partition Value
# Serialization"), which no log names: Sluice reads UTC. This table's expectation was made on a machine in Los Angeles.
WRITTEN_IN_ZONE = {"data-reader-partition-values": ("as_timestamp", datetime.timedelta(hours=-7))}


def of_type(kind, delta):
    """Is this Arrow type the one that a Delta type asks for (the fourth part of design.md's table of types)?"""
    if isinstance(delta, dict):
        if delta["type"] == "struct":
            return pa.types.is_struct(kind) and [f.name for f in kind] == [f["name"] for f in delta["fields"]] and \
                all(of_type(a.type, b["type"]) for a, b in zip(kind, delta["fields"]))
        if delta["type"] == "array":
            return pa.types.is_list(kind) and of_type(kind.value_type, delta["elementType"])
        return pa.types.is_map(kind) and of_type(kind.key_type, delta["keyType"]) and of_type(kind.item_type, delta["valueType"])
    names = {"string": "string", "long": "int64", "integer": "int32", "short": "int16", "byte": "int8", "float": "float", "double": "double",
             "boolean": "bool", "binary": "binary", "date": "date32[day]", "timestamp": "timestamp[us, tz=UTC]", "timestamp_ntz": "timestamp[us]"}
    if delta.startswith("decimal"):
        return str(kind).replace(" ", "").replace("decimal128", "decimal") == delta.replace(" ", "")
    return str(kind) == names[delta]


def expectation(name, folder):
    table = pq.read_table(folder)
    if name not in WRITTEN_IN_ZONE:
        return table
    column, offset = WRITTEN_IN_ZONE[name]
    at, kind = table.column_names.index(column), table.schema.field(column).type
    shifted = [None if value is None else value + offset for value in table.column(column).to_pylist()]
    return table.set_column(at, column, pa.array(shifted, kind))


def unpack(archive, folder):
    subprocess.run(["tar", "--zstd", "--warning=no-unknown-keyword", "-xf", archive, "-C", folder], check=True)
    return folder / archive.name.removesuffix(".tar.zst")


def contents_of(delta):
    """(the rows through `sluice query`, None) or (None, its refusal as {"code", "message"})."""
    try:
        return read_delta(delta), None
    except AssertionError as failed:
        refusal = re.search(r"error\[(.+?)\]: (.+)", str(failed))
        if not refusal:
            raise
        return None, {"code": refusal[1], "message": refusal[2]}


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Every table of every archive → (name, folder with delta and expected, what golden_check says, its contents or None)."""
    if not CHECK.exists():
        pytest.fail(f"{CHECK} is not built (scripts/build release all)")
    root = tmp_path_factory.mktemp("golden")
    tables = []
    for archive in ARCHIVES:
        base = unpack(archive, root)
        logs = sorted(base.glob("delta/*/_delta_log"))   # one archive holds several tables
        tables += [(f"{base.name}/{log.parent.name}", log.parent, None) for log in logs] or [(base.name, base / "delta", base / "expected")]
    run = subprocess.run([CHECK, *[delta for _, delta, _ in tables]], check=True, capture_output=True, text=True)
    results = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(results) == len(tables)
    found = []
    for (name, delta, expected), result in zip(tables, results):
        contents = None
        if json.loads(result.get("schema", '{"fields": [""]}'))["fields"]:
            contents, refusal = contents_of(delta)
            if refusal:
                assert result.get("refused", refusal) == refusal, f"{name}: `sluice query` says {refusal}"
                result["contents_refused"] = refusal
        found.append((name, delta, expected if expected and expected.exists() else None, result, contents))
    return found


def judge(name, delta, expected, result, contents):
    """(kind, detail): "equal", "state", "refused" or "wrong"."""
    refusal = result.get("refused") or result.get("contents_refused")
    if name in BROKEN:
        code, text = BROKEN[name]
        right = refusal and refusal["code"] == code and text in refusal["message"]
        return ("state", "") if right else ("wrong", f"should be refused with {code}, saying {text!r}: {refusal}")
    if name in STATES:
        version, paths = STATES[name]
        seen = (result.get("version"), sorted(f["path"] for f in result.get("files", [])))
        return ("state", "") if seen == (version, sorted(paths)) else ("wrong", f"{seen} and not {(version, paths)}: {refusal}")
    if refusal:
        named = refusal["code"] in ("unsupported-feature", "unknown-type")
        return ("refused" if named else "wrong"), f"{refusal['code']}: {refusal['message']}"
    if expected:
        judged = difference(contents, expectation(name, expected))
    else:
        import deltalake
        judged = difference(contents, pa.table(deltalake.DeltaTable(str(delta)).to_pyarrow_table()))
    if judged:
        return "wrong", judged
    schema = json.loads(result["schema"])
    odd = [f["name"] for f in schema["fields"] if not of_type(contents.schema.field(f["name"]).type, f["type"])]
    if odd or contents.column_names != [f["name"] for f in schema["fields"]]:
        return "wrong", f"columns {contents.schema} for {result['schema']}"
    return "equal", ""


def test_every_golden_table_is_right_or_refused_by_name(checked, capsys):
    verdicts = [(table[0], *judge(*table)) for table in checked]
    by_kind = collections.Counter(kind for _, kind, _ in verdicts)
    refused = [f"{name} ({detail})" for name, kind, detail in verdicts if kind == "refused"]
    wrong = [f"{name}: {detail}" for name, kind, detail in verdicts if kind == "wrong"]
    with capsys.disabled():
        print(f"\ngolden tables ({len(verdicts)} in {len(ARCHIVES)} archives): {by_kind['equal']} contents equal, {by_kind['state']} without data or broken on purpose, right by state or error, "
              f"{len(refused)} refused by name{' (' + '; '.join(refused) + ')' if refused else ''}, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)
    assert len(verdicts) >= 89


def test_snapshots_agree_with_delta_rs(checked):
    """Live files, partition values, version and schema, wherever delta-rs opens the table."""
    import deltalake
    compared, differing = 0, []
    for name, delta, _, result, _ in checked:
        if "refused" in result or not result["files"]:
            continue
        try:
            table = deltalake.DeltaTable(str(delta))
            actions = pa.table(table.get_add_actions(flatten=False)).to_pylist()
            schema = json.loads(table.schema().to_json())
        except Exception:   # whatever it refuses; the contents are judged above
            continue
        compared += 1
        theirs = sorted((a["path"], a["size_bytes"]) for a in actions)
        ours = sorted((f["path"], f["size"]) for f in result["files"])
        if table.version() != result["version"] or len(theirs) != len(ours) or [s for _, s in theirs] != [s for _, s in ours]:
            differing.append(f"{name}: version {result['version']} with {ours}, delta-rs version {table.version()} with {theirs}")
        if json.loads(result["schema"]) != schema:
            differing.append(f"{name}: schema {result['schema']} and not {schema}")
        if sorted(result["partition_columns"]) != sorted(table.metadata().partition_columns):
            differing.append(f"{name}: partition columns {result['partition_columns']}")
    assert not differing, "\n".join(differing)
    assert compared >= 60


# What the readers cannot do with these tables whatever the checkpoint (../shared/delta-notes.md, "Other readers").
UNREADABLE = {
    "delta-rs": {"basic-with-vacuum-protocol-check-feature": "refuses vacuumProtocolCheck"},
    "DuckDB": {
        "data-reader-timestamp_ntz-id-mode": "reads a mapped partition column as NULL",
        "data-reader-timestamp_ntz-name-mode": "reads a mapped partition column as NULL",
        "parquet-all-types-legacy-format": "internal error on legacy types",
    },
}


def read_by_delta_rs(folder):
    import deltalake
    batches = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(str(folder))).execute("SELECT * FROM t")
    return pa.table(batches.read_all())


def read_by_duckdb(folder):
    import duckdb
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})   # one each: a fatal error spoils it
    connection.execute(f"LOAD '{REPO}/.deps/extensions/delta.duckdb_extension'")
    connection.execute("SET TimeZone = 'UTC'")
    return connection.execute(f"SELECT * FROM delta_scan('{folder}')").to_arrow_table()


@pytest.fixture(scope="module")
def checkpointed(checked, tmp_path_factory):
    """The tables with an expectation, each with nothing but a checkpoint of ours in its log."""
    root, tables = tmp_path_factory.mktemp("checkpoints"), []
    for name, delta, expected, result, _ in checked:
        if expected and "refused" not in result:
            shutil.copytree(delta, root / name)
            tables.append((name, root / name, expectation(name, expected)))
    subprocess.run([CHECK, "--checkpoint", *[folder for _, folder, _ in tables]], check=True)
    for name, folder, _ in tables:
        ours = {"_last_checkpoint", f"{json.loads((folder / '_delta_log' / '_last_checkpoint').read_text())['version']:020}.checkpoint.parquet"}
        for path in (folder / "_delta_log").iterdir():
            if path.name not in ours:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return tables


@pytest.mark.parametrize("reader, read", [("delta-rs", read_by_delta_rs), ("DuckDB", read_by_duckdb)])
def test_others_read_our_checkpoints(checkpointed, reader, read):
    wrong = []
    for name, folder, expected in checkpointed:
        if name in UNREADABLE[reader]:
            continue
        try:
            judged = difference(read(folder), expected)
        except Exception as error:
            judged = str(error)[:300]
        if judged:
            wrong.append(f"{name}: {judged}")
    assert not wrong, "\n".join(wrong)
    assert len(checkpointed) >= 70
