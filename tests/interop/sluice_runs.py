"""Runs the built binary in a project's folder, and asks it for rows."""

import csv
import io
import os
import pathlib
import subprocess

REPO = pathlib.Path(__file__).resolve().parents[2]
SLUICE = pathlib.Path(os.environ.get("SLUICE", REPO / "build/release/sluice"))


def sluice(folder, *args, expect=0):
    """Runs `sluice ARGS` in the folder and gives its stdout; another exit code than `expect` fails with all it said."""
    done = subprocess.run([SLUICE, *map(str, args)], cwd=folder, capture_output=True, text=True, timeout=300)
    said = f"sluice {' '.join(map(str, args))} exited with {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    assert done.returncode == expect, said
    return done.stdout


def query(folder, sql):
    """Rows as tuples of text; NULL is the empty text."""
    rows = list(csv.reader(io.StringIO(sluice(folder, "query", sql, "--format", "csv"))))
    return [tuple(row) for row in rows[1:]]


def ask(folder, sql):
    """The one value of the only row."""
    ((value,),) = query(folder, sql)
    return value
