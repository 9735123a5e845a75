"""The real process, killed at random moments, and two of them at once: the tables must be those of a run that nobody disturbed. On a
local disk, and on a server of S3."""

import os
import random
import re
import shutil
import signal
import subprocess
import time

import pytest
from s3_server import VERSITYGW, Gateway
from sluice_runs import query, sluice, start

SCALE = ["--orders", 300, "--events", 200, "--crm", 100, "--seed", 11]
KILLS = {"disk": 12, "s3": 5}
# When a record was resolved belongs to the run. What bronze and quarantine know of their run is no part of `*`.
RUN_IDENTITY = {"quarantine": " exclude (resolved_at)"}


class Disk:
    name = "disk"

    def copy(self, original, to):
        return shutil.copytree(original, to)

    def lake(self, project):
        """The lake's objects as files."""
        return project / "lake"


class S3:
    name = "s3"

    def __init__(self, gateway):
        self.gateway, self.copies = gateway, 0

    def copy(self, original, to):
        """Each copy has a lake of its own."""
        project = shutil.copytree(original, to)
        self.copies += 1
        config = project / "sluice.yml"
        config.write_text(config.read_text().replace("lake: ./lake", f"lake: s3://lake/copy{self.copies}"))
        return project

    def lake(self, project):
        (prefix,) = re.findall(r"s3://lake/(copy\d+)", (project / "sluice.yml").read_text())
        return self.gateway.files_of(prefix)


@pytest.fixture(scope="module", params=["disk", "s3"])
def place(request, tmp_path_factory):
    if request.param == "disk":
        yield Disk()
        return
    if not VERSITYGW.exists():
        pytest.skip("no S3 server: run scripts/setup test")
    server = Gateway(tmp_path_factory.mktemp("s3"))
    before = dict(os.environ)
    os.environ.update(server.environment)
    yield S3(server)
    os.environ.clear()
    os.environ.update(before)
    server.stop()


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The example with its data; nothing has run."""
    project = tmp_path_factory.mktemp("original") / "project"
    sluice(project.parent, "init", "--example", "retail", project.name)
    sluice(project, "generate", "retail", *SCALE, "--out", "landing")
    return project


@pytest.fixture(scope="module")
def undisturbed(original, place):
    """The tables of a run from start to end, and its seconds."""
    project = place.copy(original, original.parent / f"undisturbed-{place.name}")
    began = time.monotonic()
    sluice(project, "run")
    return contents(project, place), time.monotonic() - began


def start_run(project, *args):
    return start(project, "run", *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process):
    """Exit code, stdout and stderr."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def contents(project, place):
    """Every table's rows as sorted text, in one query."""
    tables = sorted((path.parent.parent.name, path.parent.name) for path in place.lake(project).glob("*/*/_delta_log"))
    parts = []
    for layer, name in tables:
        columns = "*, _source, _file, _row" if layer == "bronze" else "*" + RUN_IDENTITY.get(layer, "")
        parts.append(f"select '{layer}.{name}' as t, cast(x as varchar) as r from (select {columns} from {layer}.{name}) x")
    rows = {f"{layer}.{name}": [] for layer, name in tables}
    for table, row in query(project, " union all ".join(parts)):
        rows[table].append(row)
    return {table: sorted(lines) for table, lines in rows.items()}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for table, rows in expected.items():
        assert found[table] == rows, table


def wait_for(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


def test_killed_anywhere_and_run_again(original, undisturbed, place, tmp_path):
    expected, seconds = undisturbed
    draw = random.Random(20)
    kills = lives = 0
    while kills < KILLS[place.name]:
        lives += 1
        project = place.copy(original, tmp_path / f"life{lives}" / "project")
        while True:
            process = start_run(project)
            try:
                process.wait(timeout=draw.uniform(0, seconds / 2) if kills < KILLS[place.name] else 120)
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
            code, out, err = ended(process)
            if code != -9:
                break
        assert code == 0, out + err
        assert_equal(contents(project, place), expected)
        assert " ok" not in sluice(project, "run"), "a run after the last one found something to do"


def test_a_second_run_says_who_holds_the_lake(original, undisturbed, place, tmp_path):
    project = place.copy(original, tmp_path / "project")
    first = start_run(project)
    wait_for(lambda: any((place.lake(project) / "_sluice/leases").glob("*")) or first.poll() is not None, "no lease")
    code, out, err = ended(start_run(project))
    assert code == 1 and "lake-busy" in err and f"process {first.pid}" in err and "--wait" in err, out + err
    code, out, err = ended(start_run(project, "--wait"))
    assert code == 0 and f"process {first.pid}" in err, out + err
    assert " ok" not in out and "up to date" in out, out
    assert ended(first)[0] == 0
    assert_equal(contents(project, place), undisturbed[0])


def test_two_runs_started_at_once(original, undisturbed, place, tmp_path):
    project = place.copy(original, tmp_path / "project")
    runs = [ended(process) for process in [start_run(project), start_run(project)]]
    codes = sorted(code for code, _, _ in runs)
    assert codes in ([0, 1], [0, 0]), runs   # [0, 0]: the second came when all was done
    assert all(code == 0 or "lake-busy" in err for code, _, err in runs), runs
    assert_equal(contents(project, place), undisturbed[0])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_cleanly_and_the_next_goes_on(original, undisturbed, place, tmp_path, how):
    expected, _ = undisturbed
    project = place.copy(original, tmp_path / "project")
    process = start_run(project)
    wait_for(lambda: (place.lake(project) / "silver").exists() or process.poll() is not None, "nothing was built")
    process.send_signal(how)
    code, out, err = ended(process)
    assert code == 130 and "interrupted" in out and "not begun" in out and "sluice run --resume" in out, out + err
    sluice(project, "run", "--resume")
    assert_equal(contents(project, place), expected)


def test_an_interrupt_reaches_running_sql(tmp_path):
    (tmp_path / "models/gold").mkdir(parents=True)
    (tmp_path / "sluice.yml").write_text("project: endless\nlake: ./lake\n")
    (tmp_path / "models/gold/endless.sql").write_text("select count(*) as n from range(3000000) a, range(3000000) b where (a.range * b.range) % 7 = 1\n")
    process = start_run(tmp_path)
    wait_for(lambda: any((tmp_path / "lake").glob("_sluice/batches/gold.endless/*.open")) or process.poll() is not None, "it never began")
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert code == 130 and "interrupted at gold.endless" in out, out + err
    assert not (tmp_path / "lake/gold").exists()
