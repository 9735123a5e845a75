"""Programs as sources: what needs more than a shell."""

import signal
import sys
import time

import pytest
from sluice_runs import query, said, sluice, start

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


BATCHES = """
import io, sys
import pyarrow as pa
sink = io.BytesIO()
batch = pa.record_batch({"id": pa.array(range(1000))})
options = pa.ipc.IpcWriteOptions(compression=sys.argv[2] if len(sys.argv) > 2 else None)
ends = []
with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
    for _ in range(5):
        writer.write_batch(batch)
        ends.append(sink.tell())
whole = sink.getvalue()
sys.stdout.buffer.write({"cut": whole[:ends[2]], "whole": whole, "two": whole + whole}[sys.argv[1]])
"""


def test_arrow_ipc_must_have_its_end(tmp_path):
    for kind, expect in (("cut", "its end is missing"), ("two", "bytes follow its end")):
        folder = project(tmp_path / kind, f"read: {{ command: ['{sys.executable}', make.py, {kind}] }}\n", BATCHES)
        assert expect in said(folder, "run", expect=3)
        assert not list((folder / "lake").rglob("*.parquet"))
    folder = project(tmp_path / "whole", f"read: {{ command: ['{sys.executable}', make.py, whole, zstd] }}\n", BATCHES)
    assert "in 5,000 = new 5,000" in sluice(folder, "run")


def test_a_batch_takes_no_more_than_its_share(tmp_path):
    program = """
import sys
import pyarrow as pa
batch = pa.record_batch({"zeros": pa.array([0] * 20_000_000)})
with pa.ipc.new_stream(sys.stdout.buffer, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
    writer.write_batch(batch)
"""
    folder = project(tmp_path / "p", f"read: {{ command: ['{sys.executable}', make.py] }}\n", program)
    assert "error[command-batch]" in said(folder, "run", "--memory", "256MiB", expect=3)
    assert "in 20,000,000 = new 20,000,000" in sluice(folder, "run", "--memory", "4GiB")


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(true, seconds=20):
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()


def test_a_killed_run_leaves_neither_its_program_nor_its_cursor(tmp_path):
    """The folder of a killed run is there, whatever process number the next one has: nothing in it counts."""
    program = """
import os, sys, time
if os.path.exists("again"):
    sys.exit(0)
print('{"id": 1}', flush=True)
open(os.environ["SLUICE_CURSOR_FILE"], "w").write("after-1")
open("again", "w").close()
open("self", "w").write(str(os.getpid()))
time.sleep(1000)
"""
    folder = project(tmp_path / "p", f"read: {{ command: ['{sys.executable}', make.py] }}\ncontract: {{ columns: [ {{ name: id, type: bigint }} ] }}\n", program)
    process = start(folder, "run")
    wait_until(lambda: (folder / "self").exists() and (folder / "self").read_text())
    pid = int((folder / "self").read_text())
    process.kill()
    process.wait()
    wait_until(lambda: not alive(pid))
    left = list((folder / ".sluice/tmp").glob("program-*"))
    assert len(left) == 1
    sluice(folder, "run")
    assert not list((folder / ".sluice/tmp").glob("program-*"))
    assert "after-1" not in "".join(path.read_text() for path in (folder / "lake/_sluice/batches/bronze.made").glob("*.ready*"))


def test_what_a_program_leaves_behind_holds_nobody_up(tmp_path):
    program = "sleep 987653 &\necho $! > child\necho '{\"id\": 1}'\n"
    folder = project(tmp_path / "p", "read: { command: [sh, make.py] }\n", program)
    assert "in 1 = new 1" in sluice(folder, "run")
    wait_until(lambda: not alive(int((folder / "child").read_text())))


def test_the_end_of_stderr_is_told_though_it_is_cut_within_a_character(tmp_path):
    program = "import sys\nsys.stderr.buffer.write(('x' + 'ü' * 3000).encode() + b' bad \\xff byte, the reason')\nsys.exit(3)\n"
    folder = project(tmp_path / "p", f"read: {{ command: ['{sys.executable}', make.py] }}\n", program)
    said_of_it = said(folder, "run", expect=1)
    assert "ended with code 3" in said_of_it and "ü bad ? byte, the reason" in said_of_it


def test_ctrl_c_ends_the_program_and_what_it_started(tmp_path):
    folder = project(tmp_path / "p", "read: { command: [sh, -c, 'sleep 987654 & echo $! > child; echo $$ > self; sleep 987654'] }\n")
    process = start(folder, "run")
    deadline = time.monotonic() + 20
    while not ((folder / "self").exists() and (folder / "self").read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    pids = [int((folder / name).read_text()) for name in ("child", "self")]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15) == 130

    deadline = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, pids))
    assert not list((folder / ".sluice/tmp").glob("program-*"))
