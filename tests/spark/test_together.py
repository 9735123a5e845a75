"""Spark changes a table of ours in every way it can; we read it as it is then and go on writing, or refuse by the feature's name."""

import json
import shutil
import subprocess

import pytest
from arrow_rows import difference
from judge import assert_same, delta, read_spark
from sluice_runs import SLUICE, sluice

FILES = {
    "sluice.yml": "project: together\nlake: ./lake\ntimezone: UTC\nconnections:\n  drop: { type: files, path: ./landing }\n",
    "sources/rows.yml": 'connection: drop\nread: { files: "*.ndjson", format: ndjson, on_changed_file: ignore }\ncontract:\n  columns:\n    - { name: id, type: integer }\n'
                        "    - { name: v, type: string }\n    - { name: n, type: integer }\n    - { name: seq, type: bigint }\n",
    "models/silver/kept.sql": "select id, v, n, seq from new(bronze.rows)\n",
    "models/silver/kept.yml": "{ store: merge, key: [id], sequence_by: [seq], partition_by: [v] }\n",
}
ENABLE = "alter table {t} set tblproperties ('delta.%s' = 'true')"
# What Spark does to silver.kept ({t}) between two runs of ours.
CHANGES = {
    "insert": ["insert into {t} by name select 100 id, 'a' v, 1 n, 0l seq"],
    "update": ["update {t} set v = 'moved' where id < 4"],
    "delete": ["delete from {t} where id between 2 and 5"],
    "merge": ["merge into {t} t using (select cast(id as int) id from range(5, 25)) s on t.id = s.id when matched and s.id % 2 = 0 then delete "
              "when matched then update set n = t.n + 100 when not matched then insert (id, v, n, seq) values (s.id, 'new', 0, 0)"],
    "overwrite": ["insert overwrite {t} by name select 7 id, 'only' v, 7 n, 0l seq"],
    "optimize": ["optimize {t}"],
    "optimize by z-order, vacuum": ["optimize {t} zorder by (id)", "vacuum {t} retain 0 hours"],
    "deletion vectors": [ENABLE % "enableDeletionVectors", "delete from {t} where id % 3 = 0", "update {t} set n = -1 where id = 4"],
    "deletion vectors purged": [ENABLE % "enableDeletionVectors", "delete from {t} where id % 3 = 0", "reorg table {t} apply (purge)", "vacuum {t} retain 0 hours"],
    "added column": ["alter table {t} add column (extra struct<a: int>)", "update {t} set extra = named_struct('a', 1) where id = 1"],
    "restore": ["delete from {t} where id < 8", "restore table {t} to version as of 0"],
    "checkpoint": ["alter table {t} set tblproperties ('delta.checkpointInterval' = '1')", "insert into {t} by name select 100 id, 'a' v, 1 n, 0l seq"],
    "v2 checkpoint": ["alter table {t} set tblproperties ('delta.checkpointPolicy' = 'v2', 'delta.checkpointInterval' = '1')", "delete from {t} where id = 1"],
    "in-commit timestamps": [ENABLE % "enableInCommitTimestamps", "delete from {t} where id = 1"],
    "vacuumProtocolCheck": ["alter table {t} set tblproperties ('delta.feature.vacuumProtocolCheck' = 'supported')"],
    "typeWidening": [ENABLE % "enableTypeWidening", "update {t} set n = 5 where id = 1"],
    "widened column": [ENABLE % "enableTypeWidening", "alter table {t} alter column n type bigint", "update {t} set n = 5000000000 where id = 1"],
    "columnMapping": ["alter table {t} set tblproperties ('delta.columnMapping.mode' = 'name')", "update {t} set n = 5 where id = 1"],
    "columnMapping, renamed and dropped": ["alter table {t} set tblproperties ('delta.columnMapping.mode' = 'name')", "alter table {t} add column (x int)",
                                           "alter table {t} rename column x to y", "alter table {t} drop column y"],
    "changeDataFeed": [ENABLE % "enableChangeDataFeed", "update {t} set n = 9 where id = 2"],
    "checkConstraints": ["alter table {t} add constraint small check (n < 1000)"],
    "appendOnly": [ENABLE % "appendOnly"],
    "rowTracking": [ENABLE % "enableRowTracking", "delete from {t} where id = 1"],
    "domainMetadata": ["alter table {t} set tblproperties ('delta.feature.domainMetadata' = 'supported')"],
    "allowColumnDefaults": ["alter table {t} set tblproperties ('delta.feature.allowColumnDefaults' = 'supported')", "alter table {t} alter column n set default 3"],
}
# What a refusal says: its code and what it names. Of a feature that is not here: "unsupported-feature" and the feature.
REFUSALS = {
    "columnMapping, renamed and dropped": ("unsupported-feature", "columnMapping"),
    "appendOnly": ("append-only-table", "delta.appendOnly"),
    "added column": ("schema-change", "extra is dropped"),           # the model says which columns the table has
    "widened column": ("schema-change", "n: bigint → integer"),
}
# These are written on, and nothing else will do.
ALWAYS = ["insert", "update", "delete", "merge", "overwrite", "optimize", "optimize by z-order, vacuum", "deletion vectors", "deletion vectors purged", "restore",
          "checkpoint", "v2 checkpoint", "in-commit timestamps", "vacuumProtocolCheck", "typeWidening", "domainMetadata"]
WORDS = ["a", "b/ü", None]


def batch(seq, keys):
    return {key: {"id": key, "v": WORDS[(key + seq) % 3], "n": seq, "seq": seq} for key in keys}


def land(folder, seq, rows):
    (folder / "landing" / f"{seq}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows.values()))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together") / "project"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "landing").mkdir()
    land(folder, 1, batch(1, range(12)))
    sluice(folder, "run", "-q")
    return folder


def rows_of(table):
    """id → the columns that are ours."""
    return {row["id"]: {name: row[name] for name in ("id", "v", "n", "seq")} for row in table.select(["id", "v", "n", "seq"]).to_pylist()}


@pytest.fixture(scope="module")
def outcomes():
    """Change → None where the run went on writing, else what it said."""
    return {}


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_after_spark(spark, project, tmp_path, outcomes, change):
    folder = shutil.copytree(project, tmp_path / "project")
    table = folder / "lake/silver/kept"
    for statement in CHANGES[change]:
        spark.sql(statement.format(t=delta(table)))
    before = assert_same(spark, table)
    fresh = batch(2, range(8, 16))
    land(folder, 2, fresh)
    done = subprocess.run([SLUICE, "run", "-q"], cwd=folder, capture_output=True, text=True, timeout=120)
    outcomes[change] = None
    if done.returncode != 0:
        code, name = REFUSALS.get(change, ("unsupported-feature", change))
        assert change not in ALWAYS and f"error[{code}]" in done.stdout and name in done.stdout, done.stdout + done.stderr
        outcomes[change] = f"{code}: {name}"
        assert difference(assert_same(spark, table), before) is None, "a refused run changed the table"
        return
    after = assert_same(spark, table)
    assert rows_of(after) == rows_of(before) | fresh
    others = [name for name in before.column_names if name not in after.column_names]
    assert not others, f"the run dropped {others}"
    # And once more by Spark, over what we wrote.
    spark.sql(f"update {delta(table)} set n = n + 1 where id in (0, 9)")
    last = rows_of(assert_same(spark, table))
    assert last == {key: row | {"n": row["n"] + 1} if key in (0, 9) else row for key, row in rows_of(after).items()}


def test_a_replaced_table_stops_the_node(spark, project, tmp_path):
    folder = shutil.copytree(project, tmp_path / "project")
    table = folder / "lake/silver/kept"
    shutil.rmtree(table)
    spark.sql(f"create table {delta(table)} (id int, v string, n int, seq bigint) using delta")
    land(folder, 2, batch(2, range(3)))
    done = subprocess.run([SLUICE, "run", "-q"], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and "silver.kept" in done.stdout, done.stdout + done.stderr
    assert read_spark(spark, table).num_rows == 0


def test_what_was_refused_is_told(outcomes, capsys):
    refused = [f"{change} ({refusal})" for change, refusal in outcomes.items() if refusal]
    with capsys.disabled():
        print(f"\nruns after changes by Spark: {len(outcomes) - len(refused)} kinds written on, {len(refused)} refused by name: {'; '.join(refused)}")
