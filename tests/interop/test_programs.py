"""Programs as sources: what needs more than a shell."""

import signal
import subprocess
import sys
import time

import pytest
from sluice_runs import SLUICE, query, said, sluice

ARROW = """
import decimal, sys
import pyarrow as pa
kind, rows = sys.argv[1], int(sys.argv[2])
table = pa.table({"id": pa.array(range(rows), pa.uint32()), "price": pa.array([decimal.Decimal("1.50")] * rows, pa.decimal128(9, 2)),
                  "tags": pa.array([["a", None]] * rows), "made": pa.array([i * 1_000_000 for i in range(rows)], pa.timestamp("us", "UTC"))})
write = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
with write(sys.stdout.buffer, table.schema) as writer:
    for batch in table.to_batches(max_chunksize=7000):
        writer.write_batch(batch)
"""


def project(folder, source, program=""):
    (folder / "sources").mkdir(parents=True)
    (folder / "sluice.yml").write_text("project: p\nlake: ./lake\n")
    (folder / "sources/made.yml").write_text(source)
    (folder / "make.py").write_text(program)
    return folder


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_arrow_ipc_keeps_its_types(tmp_path, kind):
    folder = project(tmp_path / "p", f"read: {{ command: ['{sys.executable}', make.py, {kind}, '50000'] }}\n", ARROW)
    assert "in 50,000 = new 50,000" in sluice(folder, "run")
    assert query(folder, "select count(*), sum(id), sum(price), typeof(any_value(id)), typeof(any_value(price)), max(len(tags)), count(distinct _row), max(made) from bronze.made") == [
        ("50000", "1249975000", "75000.00", "BIGINT", "DECIMAL(9,2)", "2", "50000", "1970-01-01 13:53:19+00")]


def test_arrow_ipc_that_is_cut_off_is_refused_whole(tmp_path):
    cut = ARROW.replace("sys.stdout.buffer, table.schema", "sink, table.schema").replace("kind, rows", "import io; sink = io.BytesIO(); kind, rows")
    folder = project(tmp_path / "p", f"read: {{ command: ['{sys.executable}', make.py, stream, '50000'] }}\n",
                     cut + "sys.stdout.buffer.write(sink.getvalue()[:-5000])\n")
    assert "error[command-format]" in said(folder, "run", expect=3)
    assert not list((folder / "lake").rglob("*.parquet"))


def test_ctrl_c_ends_the_program_and_what_it_started(tmp_path):
    folder = project(tmp_path / "p", "read: { command: [sh, -c, 'sleep 987654 & echo $! > child; echo $$ > self; sleep 987654'] }\n")
    process = subprocess.Popen([SLUICE, "run"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not ((folder / "self").exists() and (folder / "self").read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    pids = [int((folder / name).read_text()) for name in ("child", "self")]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15) == 130

    def alive(pid):
        try:
            return open(f"/proc/{pid}/stat").read().split(")")[1].split()[0] != "Z"
        except OSError:
            return False

    deadline = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, pids))
    assert not list((folder / ".sluice/tmp").glob("program-*"))
