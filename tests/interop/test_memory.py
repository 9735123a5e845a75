"""What a run takes does not grow with what it reads."""

import gzip
import os
import subprocess
import sys

import pytest
from sluice_runs import REPO, SLUICE

PROJECT = """project: big
timezone: UTC
lake: ./lake
connections: { drop: { type: files, path: ./landing } }
"""
SOURCE = """connection: drop
read: { files: "*.csv" }
contract:
  columns:
    - { name: id, type: string, not_null: true }
    - { name: amount, type: "decimal(12,2)", min: 0 }
    - { name: day, type: date }
    - { name: note, type: string }
"""


CHILD = REPO / "bench/child.py"
MIB = 1 << 20
LIMIT = 300 * MIB  # resident, for --memory 64MiB: the process itself, its libraries and what the allocator keeps stand beside the budget


def make_project(folder, source):
    for name, text in {"sluice.yml": PROJECT, "sources/orders.yml": source}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "landing").mkdir()


def run_within(folder, memory, seconds=120, *more):
    """Exit code, what it said, and the peak resident size of a run: by a small process, for Linux counts the one that starts another into the other's peak."""
    command = ["timeout", str(seconds), SLUICE, "run", "-q", "--memory", memory, *more]
    measured = subprocess.run([sys.executable, "-S", "-E", CHILD, *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, _, cost = measured.stdout.rstrip().rpartition("\n")
    return measured.returncode, said, int(float(cost.split()[2]) * MIB)


def peak_bytes(folder, rows):
    """The peak resident size of a run over a file of so many rows, of which one in a hundred is refused."""
    make_project(folder, SOURCE)
    part = "".join(
        f"ORD{i:07},{'x' if i % 100 == 0 else i % 1000}.50,2024-0{i % 9 + 1}-15,\"a note, quoted, of order {i * 7919 % 10007}\"\n"
        for i in range(100_000))
    with open(folder / "landing/a.csv", "w") as file:
        file.write("id,amount,day,note\n")
        for _ in range(rows // 100_000):
            file.write(part)
    code, said, peak = run_within(folder, "64MiB")
    assert code == 0, said
    return peak


def test_memory_does_not_grow_with_the_input(tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir(), large.mkdir()
    little, much = peak_bytes(small, 1_200_000), peak_bytes(large, 4_800_000)
    print(f"peak resident: {little >> 20} MiB of {os.path.getsize(small / 'landing/a.csv') >> 20} MiB of input, "
          f"{much >> 20} MiB of {os.path.getsize(large / 'landing/a.csv') >> 20} MiB")
    assert much < little * 1.3


# --- whatever comes ---

CSV = """connection: drop
read: { files: "*", format: csv, header: true, delimiter: "," }
contract:
  max_quarantined: 100%
  columns: [ { name: id, type: string }, { name: v, type: bigint } ]
"""
NDJSON = """connection: drop
read: { files: "*", format: ndjson }
contract:
  max_quarantined: 100%
  columns: [ { name: id, type: bigint }, { name: v, type: string } ]
"""


def packed(folder, *parts):
    """A gzip file of several members: (bytes, how often)."""
    with open(folder / "landing/a.gz", "wb") as out:
        for text, times in parts:
            member = gzip.compress(text, 1)
            for _ in range(times):
                out.write(member)


def violations(folder):
    out = subprocess.run([SLUICE, "query", "select line, violations[1].rule as rule, state from quarantine.orders order by all", "--format", "csv"],
                         cwd=folder, capture_output=True, text=True, check=True)
    return out.stdout.splitlines()[1:]


def endless_line(folder):
    make_project(folder, CSV)
    packed(folder, (b"id,v\n1,2\n", 1), (b"x" * (64 * MIB), 32), (b"\n3,4\n", 1))
    return ["3,length,open"]


def unclosed_quote(folder):
    make_project(folder, CSV)
    packed(folder, (b'id,v\n1,2\n"never closed,', 1), (b"a line of text,5\n" * (1 << 20), 32))
    return ["3,quote,open"]


def enormous_json(folder):
    make_project(folder, NDJSON)
    packed(folder, (b'{"id":1}\n{"id":2,"v":[', 1), (b"1," * (16 * MIB), 32), (b'1]}\n{"id":3}\n', 1))
    return ["2,length,open"]


def deep_json(folder):
    make_project(folder, NDJSON)
    with open(folder / "landing/a", "wb") as out:
        out.write(b'{"id":1}\n{"id":2,"v":' + b"[" * 1_500_000 + b"]" * 1_500_000 + b"}\n")
        out.write(b'{"id":2,"v":' + b'{"a":[' * 300_000 + b"\n" + b'{"id":3}\n')
    return ["2,json,open", "3,json,open"]


def all_refused(folder):
    make_project(folder, CSV)
    packed(folder, (b"id,v\n", 1), (b"a,x\n" * (1 << 20), 4))
    return None


@pytest.mark.parametrize("make", [endless_line, unclosed_quote, enormous_json, deep_json, all_refused])
def test_memory_holds_for_any_record(tmp_path, make):
    expected = make(tmp_path)
    code, said, peak = run_within(tmp_path, "64MiB", 120, "-v")
    assert code == 0, said
    print(f"{make.__name__}: {peak // MIB} MiB")
    assert peak < LIMIT
    found = [] if expected is None else violations(tmp_path)
    for wanted in expected or []:
        assert any(line.startswith(wanted) for line in found), found[:5]


def test_memory_holds_for_many_columns(tmp_path):
    make_project(tmp_path, CSV)
    names = ["id", "v"] + [f"c{i}" for i in range(19_998)]
    with open(tmp_path / "landing/a.csv", "w") as out:
        for row in [names] + [[str(i % 7) for i in range(20_000)]] * 50:
            out.write(",".join(row) + "\n")
    code, said, peak = run_within(tmp_path, "64MiB", 120, "-v")
    assert code == 3 and "too-many-columns" in said, said
    assert peak < LIMIT


def test_memory_holds_for_a_record_of_too_many_fields(tmp_path):
    make_project(tmp_path, NDJSON)
    (tmp_path / "landing/a.json").write_text('{"id":1}\n{' + ",".join(f'"k{i}":1' for i in range(200_000)) + "}\n")
    code, said, peak = run_within(tmp_path, "64MiB", 120, "-v")
    assert code == 3 and "too-many-columns" in said, said
    assert peak < LIMIT


def test_memory_holds_for_many_partitions(tmp_path):
    make_project(tmp_path, CSV.replace("contract:", "partition_by: [id]\ncontract:"))
    with open(tmp_path / "landing/a.csv", "w") as out:
        out.write("id,v\n" + "".join(f"k{i * 7919 % 200_000},{i}\n" for i in range(200_000)))
    code, said, peak = run_within(tmp_path, "64MiB", 300, "-v")
    assert code == 3 and "too-many-partitions" in said, said
    assert peak < LIMIT


def test_many_files_are_taken_in_batches(tmp_path):
    make_project(tmp_path, CSV)
    for i in range(20_500):
        (tmp_path / f"landing/{i:06}.csv").write_text(f"id,v\nk{i},{i}\n")
    code, said, peak = run_within(tmp_path, "64MiB", 300, "-v")
    assert code == 0 and "20,500 new files, 20,000 at a time" in said, said
    out = subprocess.run([SLUICE, "query", "select count(*), count(distinct v), count(distinct _file), max(_batch_id) from bronze.orders", "--format", "csv"],
                         cwd=tmp_path, capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[1] == "20500,20500,20500,2"
    assert peak < LIMIT
    code, said, _ = run_within(tmp_path, "64MiB", 120, "-v")
    assert code == 0 and "up to date" in said
