"""Where things are, how often and how large they run, and what every scenario needs."""
import glob
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD", os.path.join(HERE, "..", "build", "release"))
SLUICE = os.path.join(BUILD, "sluice")
RUNS, ROWS, THREADS = int(os.environ.get("RUNS", 5)), int(os.environ.get("ROWS", 1_000_000)), os.environ.get("THREADS", "2")


def python(script, *args):
    return [sys.executable, os.path.join(HERE, script), *map(str, args)]


def remove(*paths):
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
        if os.path.exists(path):
            os.remove(path)


def equal(what, ours, theirs):
    if ours != theirs:
        raise SystemExit(f"{what} differ: {ours} here, {theirs} at the peer")


def fresh(table, copy):
    """The table as it was, at another place: its files are linked, its log is copied."""
    remove(copy)
    shutil.copytree(table, copy, copy_function=lambda source, target: shutil.copy2(source, target) if "_delta_log" in source else os.link(source, target))
    return copy


def delta_extension():
    return glob.glob(os.path.join(HERE, "..", ".deps", "extensions", "**", "delta.duckdb_extension"), recursive=True)[0]
