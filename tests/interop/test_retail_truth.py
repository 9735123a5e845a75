"""The retail example at a small scale: quarantine, bronze, silver and gold must hold exactly what the generator says it planted."""

import collections
import json
import shutil

import pytest
from deltalake import DeltaTable
from retail_facts import facts_of, flatten
from sluice_runs import REPO, ask, query, sluice

SCALE = ["--orders", 2000, "--events", 1500, "--crm", 800, "--seed", 7]


def copy_project(folder):
    shutil.copytree(REPO / "examples/retail", folder, ignore=shutil.ignore_patterns("lake", "prod-lake", "landing", ".sluice"))
    return folder


def generate(project, *more):
    sluice(project, "generate", "retail", *SCALE, *more, "--out", project / "landing")
    return json.loads((project / "landing/truth.json").read_text())


@pytest.fixture(scope="module")
def at_once(tmp_path_factory):
    """Everything lies there before the first run."""
    project = copy_project(tmp_path_factory.mktemp("retail") / "project")
    truth = generate(project)
    sluice(project, "run")
    return project, truth


@pytest.fixture(scope="module")
def in_deliveries(tmp_path_factory):
    """A run after each of three deliveries."""
    project = copy_project(tmp_path_factory.mktemp("retail") / "project")
    for delivery in (1, 2, 3):
        truth = generate(project, "--deliver", delivery)
        sluice(project, "run")
    return project, truth


@pytest.fixture(params=["at_once", "in_deliveries"])
def run(request):
    return request.getfixturevalue(request.param)


def test_bronze_holds_every_good_record(run):
    project, truth = run
    found = {name: ask(project, f"select count(*) from bronze.{name}") for name in truth["sources"]}
    assert found == {name: str(source["bronze_in_table"]) for name, source in truth["sources"].items()}


def test_quarantine_holds_every_bad_record_and_says_where_and_why(run):
    project, truth = run
    for name, source in truth["sources"].items():
        if source["quarantined"] == 0:
            continue
        expected = sorted((p["file"], str(p["row"]), str(p["line"]), p["column"], p["rule"]) for p in source["planted"])
        rows = query(project, f"select file, row, line, v.column, v.rule from (select *, unnest(violations) as v from quarantine.{name})")
        found = sorted((relative_file(file), *rest) for file, *rest in rows)
        assert found == expected, name


def relative_file(file):
    return file.split("landing/", 1)[-1]


def test_sources_without_dirt_have_nothing_in_quarantine(run):
    project, truth = run
    for name, source in truth["sources"].items():
        if source["quarantined"] == 0:
            assert ask(project, f"select count(*) from quarantine.{name}") == "0", name


def test_silver_and_gold_hold_the_planted_facts(run):
    project, truth = run
    expected = flatten(truth["facts"])
    found = facts_of(lambda sql: query(project, sql))
    assert {k: v for k, v in found.items() if expected.get(k) != v} == {k: v for k, v in expected.items() if found.get(k) != v}


def test_dirt_of_every_kind_was_planted(at_once):
    _, truth = at_once
    kinds = collections.Counter(v["rule"] for source in truth["sources"].values() for v in source["violations"])
    assert {"type", "not_null", "pattern", "min", "max", "values", "unique", "fields", "quote", "encoding", "json"} <= set(kinds)
    assert {"ends_after_start", "moves_something"} & set(kinds)


def test_delta_rs_reads_the_same_tables(at_once):
    project, truth = at_once
    orders = DeltaTable(str(project / "lake/silver/orders")).to_pyarrow_table()
    assert orders.num_rows == truth["facts"]["orders"]["distinct"]
    versions = DeltaTable(str(project / "lake/gold/dim_customers")).to_pyarrow_table()
    assert versions.num_rows == truth["facts"]["customers"]["versions"]
    assert sum(versions["is_current"].to_pylist()) == truth["facts"]["customers"]["known"]


def test_a_second_run_changes_nothing(at_once):
    project, _ = at_once
    tables = sorted(path.parent for path in (project / "lake").glob("*/*/_delta_log"))
    before = {table: DeltaTable(str(table)).version() for table in tables}
    sluice(project, "run")
    assert {table: DeltaTable(str(table)).version() for table in tables} == before
