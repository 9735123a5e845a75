"""Projects made for a run, and what a table then holds."""
import glob
import json
import os

import duckdb

PROJECT = """project: bench
default_environment: dev
timezone: UTC
connections: { drop: { type: files, path: ./landing } }
environments: { dev: { lake: ./lake } }
"""


def delta_files(table):
    """The data files of a table whose log is JSON alone."""
    live = {}
    for commit in sorted(glob.glob(f"{table}/_delta_log/*.json")):
        for line in open(commit):
            action = json.loads(line)
            if "add" in action:
                live[action["add"]["path"]] = True
            if "remove" in action:
                live.pop(action["remove"]["path"], None)
    return [os.path.join(table, path) for path in live]


def content(files, columns):
    """Rows, and a hash of all of them that does not depend on their order."""
    return duckdb.sql(f"SELECT count(*), sum(hash({columns})::HUGEINT) FROM read_parquet({list(files)})").fetchone()


def write_project(folder, file, source, name=None):
    """A project whose landing folder has the file, and whose one source, named as the file is unless told otherwise, reads it."""
    os.makedirs(os.path.join(folder, "landing"))
    os.makedirs(os.path.join(folder, "sources"))
    base = os.path.basename(file)
    os.link(file, os.path.join(folder, "landing", base))
    for path, text in (("sluice.yml", PROJECT), (f"sources/{name or os.path.splitext(base)[0]}.yml", source)):
        with open(os.path.join(folder, path), "w") as out:
            out.write(text)
