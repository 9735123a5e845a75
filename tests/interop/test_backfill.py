"""`sluice backfill`: windows computed again beside the live runs."""

import json
import random
import time

import pytest
from sluice_runs import ask, query, said, sluice, start


@pytest.fixture
def project(tmp_path):
    for folder in ("landing", "sources", "models/gold"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "sluice.yml").write_text("project: p\nlake: ./lake\nconnections: { drop: { type: files, path: ./landing } }\n")
    (tmp_path / "sources/orders.yml").write_text(
        'connection: drop\nread: { files: "*.csv" }\ncontract:\n  columns:\n    - { name: id, type: bigint }\n    - { name: day, type: date }\n    - { name: amount, type: bigint }\n')
    (tmp_path / "models/gold/daily.sql").write_text(
        "select day, sum(amount) as total from bronze.orders where day >= $window_start and day < $window_end group by day")
    (tmp_path / "models/gold/daily.yml").write_text("store: interval\ncolumn: day\nstart: 2024-01-01\n")
    (tmp_path / "models/gold/total.sql").write_text("select sum(total) as total from gold.daily")
    (tmp_path / "models/gold/total.yml").write_text("store: table\n")
    deliver(tmp_path, "a", [(f"2024-{1 + i // 28:02}-{1 + i % 28:02}", 1) for i in range(84)])
    sluice(tmp_path, "run")
    return tmp_path


def deliver(folder, name, rows):
    (folder / f"landing/{name}.csv").write_text("id,day,amount\n" + "".join(f"{i},{day},{amount}\n" for i, (day, amount) in enumerate(rows)))


def test_it_replaces_its_windows_alone_and_the_live_run_misses_nothing(project):
    deliver(project, "b", [("2024-01-02", 10), ("2024-02-02", 10)])
    sluice(project, "run", "-s", "orders")
    out = sluice(project, "backfill", "daily", "--from", "2024-01-01", "--to", "2024-01-08", "--every", "3d")
    assert out.count("backfill 2024-01-0") == 3 and "[3/3]" in out
    assert query(project, "select day, total from gold.daily where total > 1") == [("2024-01-02", "11")]
    assert ask(project, "select total from gold.total") == "84"  # nobody asked for it
    sluice(project, "run")  # the other window is still due
    assert query(project, "select day, total from gold.daily where total > 1 order by 1") == [("2024-01-02", "11"), ("2024-02-02", "11")]
    assert ask(project, "select total from gold.total") == "104"
    assert "up to date" in sluice(project, "run")


def test_downstream_on_request(project):
    deliver(project, "b", [("2024-01-02", 10)])
    sluice(project, "run", "-s", "orders")
    reports = json.loads(sluice(project, "backfill", "daily", "--from", "2024-01-01", "--to", "2024-01-03", "--downstream", "--json"))
    assert [[node["table"] for node in report["nodes"]] for report in reports] == [["gold.daily"], ["gold.total"]]
    assert ask(project, "select total from gold.total") == "94"


def test_a_kill_leaves_what_is_done_and_the_same_call_goes_on(project):
    deliver(project, "b", [(f"2024-01-{day:02}", 10) for day in range(1, 29)])
    sluice(project, "run", "-s", "orders")
    call = ["backfill", "daily", "--from", "2024-01-01", "--to", "2024-01-29", "--every", "1d"]
    for _ in range(3):
        process = start(project, *call)
        time.sleep(random.uniform(0.1, 0.5))
        process.kill()
        process.wait()
    out = sluice(project, *call)
    done = ask(project, "select count(*) from gold.daily where total = 11")
    assert done == "28" and ask(project, "select count(*) from gold.daily") == "84"
    if "goes on at" in out:
        assert "[28/28]" not in out
    assert "goes on at" not in sluice(project, *call)  # it was done: this is another one
    sluice(project, "run")
    assert ask(project, "select sum(total) from gold.daily") == str(84 + 280)


def test_wrong_calls_say_why(project):
    assert "error[not-an-interval]" in said(project, "backfill", "total", "--from", "2024-01-01", "--to", "2024-01-02", expect=2)
    assert "error[bad-window]" in said(project, "backfill", "daily", "--from", "2024-01-02", "--to", "2024-01-02", expect=2)
    assert "error[bad-window]" in said(project, "backfill", "daily", "--from", "2023-01-01", "--to", "2023-02-01", expect=2)
    assert "error[bad-window]" in said(project, "backfill", "daily", "--from", "soon", "--to", "2023-02-01", expect=2)
    assert "error[bad-flags]" in said(project, "backfill", "daily", "--from", "2024-01-01", "--to", "2024-02-01", "--every", "week", expect=2)
    model = project / "models/gold/daily.sql"
    model.write_text(model.read_text().replace("sum(amount)", "sum(amount) + 0"))
    assert "error[nothing-to-backfill]" in said(project, "backfill", "daily", "--from", "2024-01-01", "--to", "2024-02-01", expect=1)
    assert ask(project, "select sum(total) from gold.daily") == "84"


def test_before_the_first_run_there_is_nothing_to_compute_again(tmp_path, project):
    model = project / "models/gold/other"
    model.with_suffix(".sql").write_text((project / "models/gold/daily.sql").read_text())
    model.with_suffix(".yml").write_text("store: interval\ncolumn: day\nstart: 2024-01-01\n")
    assert "error[nothing-to-backfill]" in said(project, "backfill", "other", "--from", "2024-01-01", "--to", "2024-02-01", expect=2)
