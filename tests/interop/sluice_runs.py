"""Runs the built binary in a project's folder, and asks it for rows."""

import csv
import io
import os
import pathlib
import signal
import subprocess
import tempfile

import pyarrow.parquet

REPO = pathlib.Path(__file__).resolve().parents[2]
SLUICE = pathlib.Path(os.environ.get("SLUICE", REPO / "build/release/sluice"))


def run_sluice(folder, *args, expect=0, env=None):
    done = subprocess.run([SLUICE, *map(str, args)], cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    said = f"sluice {' '.join(map(str, args))} exited with {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    assert done.returncode == expect, said
    return done


def sluice(folder, *args, expect=0, env=None):
    """Runs `sluice ARGS` in the folder and gives its stdout; another exit code than `expect` fails with all it said."""
    return run_sluice(folder, *args, expect=expect, env=env).stdout


def said(folder, *args, expect=0, env=None):
    """The same, with what it wrote to stderr behind."""
    done = run_sluice(folder, *args, expect=expect, env=env)
    return done.stdout + done.stderr


def start(folder, *args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
    """`sluice ARGS` that goes on beside the test, which may interrupt it: a shell's background job ignores SIGINT and hands that down."""
    return subprocess.Popen([SLUICE, *map(str, args)], cwd=folder, stdout=stdout, stderr=stderr, text=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def query(folder, sql):
    """Rows as tuples of text; NULL is the empty text."""
    rows = list(csv.reader(io.StringIO(sluice(folder, "query", sql, "--format", "csv"))))
    return [tuple(row) for row in rows[1:]]


def ask(folder, sql):
    """The one value of the only row."""
    ((value,),) = query(folder, sql)
    return value


def read_delta(table, columns=None, version=None, where=None):
    """Any Delta table by its folder, as Arrow, through `sluice query` outside of any project."""
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in columns) if columns else "*"
    place = str(table).replace("'", "''")
    sql = f"select {quoted} from delta_scan('{place}'{'' if version is None else f', version => {version}'}){f' where {where}' if where else ''}"
    with tempfile.TemporaryDirectory() as folder:
        sluice(folder, "query", sql, "--format", "parquet", "--out", "rows.parquet")
        return pyarrow.parquet.read_table(pathlib.Path(folder) / "rows.parquet")
