"""What bench/run measures. Every peer does the same work on the same input with as many threads; results are compared after the last
run, and a difference ends the benchmark."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import ingest_scenarios
import source_scenarios
import table_scenarios
from ingest_dirty.rows import CONTRACT, NAMES
from lake import content, delta_files, write_project
from measure import against, interleaved, show, timed
from setting import BUILD, ROWS, RUNS, SLUICE, THREADS, equal, python, remove

COLUMNS = "order_id, customer_id, customer_name, email, order_date, updated_at, total_amount, quantity, status, payment_method"

# Of the dirty lines; a part of a second has no time zone in some peers, so the instant counts.
LINE_COLUMNS = ", ".join("epoch_us(shipped_at)" if name == "shipped_at" else f"{name}::VARCHAR" for name in NAMES)

SOURCE = """connection: drop
read: { files: "*.csv" }
contract:
  columns:
    - { name: order_id, type: string, not_null: true }
    - { name: customer_id, type: bigint }
    - { name: customer_name, type: string }
    - { name: email, type: string }
    - { name: order_date, type: date }
    - { name: updated_at, type: timestamp }
    - { name: total_amount, type: "decimal(12,2)", min: 0 }
    - { name: quantity, type: integer }
    - { name: status, type: string }
    - { name: payment_method, type: string }
"""


def csv_run(folder, csv):
    """One pair of functions: `sluice run` as a whole process, and DuckDB's COPY statement."""
    project, out = os.path.join(folder, "project"), os.path.join(folder, "copy.parquet")
    write_project(project, csv, SOURCE)

    def ours():
        remove(os.path.join(project, "lake"), os.path.join(project, ".sluice"))
        return timed([SLUICE, "run", "-q", "-C", project, "--threads", THREADS])[0]

    def theirs():
        remove(out)
        cost, printed = timed(python("duckdb_copy.py", csv, out, THREADS))
        return *(float(s) for s in printed.split()), cost[2]

    return ours, theirs, os.path.join(project, "lake"), out


def clean_csv(folder):
    csv = os.path.join(folder, "orders.csv")
    subprocess.run(python("ingest_csv/generate.py", ROWS, csv), check=True)
    size = os.path.getsize(csv) / 1e6
    whole, theirs, lake, out = csv_run(folder, csv)
    path_lake = os.path.join(folder, "path")

    def path():
        remove(path_lake)
        cost, printed = timed([os.path.join(BUILD, "ingest_bench"), csv, path_lake, THREADS])
        return float(printed.split()[0]), *cost[1:]

    ours, ingest, copy = interleaved(RUNS, whole, path, theirs)
    expected = content([out], COLUMNS)
    equal("contents", content(delta_files(f"{lake}/bronze/orders"), COLUMNS), expected)
    equal("contents", content(glob.glob(f"{path_lake}/lake/bronze/orders/*.parquet"), COLUMNS), expected)
    title = f"clean CSV, {ROWS:,} rows, {size:.0f} MB, {THREADS} threads"
    show(f"{title}: sluice run, the whole process", ours, copy, "DuckDB COPY TO Parquet, the statement alone", size,
         "equal contents; Sluice's table has seven metadata columns more, statistics, a Delta log and batch records")
    show(f"{title}: the ingest path alone", ingest, copy, "DuckDB COPY TO Parquet, the statement alone", size, "equal contents")


def dirty_csv(folder):
    """Order lines of 16 columns into a table partitioned by month, 1% of them bad in ten ways, against three ways of the peers."""
    csv, project, out = (os.path.join(folder, name) for name in ("lines.csv", "project", "out"))
    subprocess.run(python("ingest_dirty/generate.py", ROWS, csv, 0.01), check=True)
    size = os.path.getsize(csv) / 1e6
    write_project(project, csv, CONTRACT)
    lake, counted = os.path.join(project, "lake"), {}

    def ours():
        remove(lake, os.path.join(project, ".sluice"))
        return timed([SLUICE, "run", "-q", "-C", project, "--threads", THREADS])[0]

    def peer(name, script, *args):
        def run():
            remove(out)
            (_, _, peak), printed = timed(python(f"ingest_dirty/{script}", *args, csv, out, THREADS))
            seconds, cpu, good, bad = printed.splitlines()[-1].split()
            counted[name] = int(good), int(bad)
            if name not in contents:
                contents[name] = content(glob.glob(f"{out}/good/**/*.parquet", recursive=True), LINE_COLUMNS)
            return float(seconds), float(cpu), peak
        return run

    contents = {}
    peers = {"DuckDB, rejects table, COPY by month": ("duckdb_ways.py", "rejects"), "DuckDB, TRY_CAST, two COPYs": ("duckdb_ways.py", "try_cast"),
             "Polars, streaming": ("polars_way.py",)}
    measured = interleaved(RUNS, ours, *(peer(name, *how) for name, how in peers.items()))
    found = content(delta_files(f"{lake}/bronze/lines"), LINE_COLUMNS)
    refused = content(delta_files(f"{lake}/quarantine/lines"), "1")[0]
    for name in peers:
        equal(f"contents of {name}", found, contents[name])
        equal(f"good and bad rows of {name}", (found[0], refused), counted[name])
    show(f"dirty CSV, {ROWS:,} rows of 16 columns of which 1% are bad, {size:.0f} MB, into months, {THREADS} threads: sluice run, the whole process", measured[0],
         measured[1], next(iter(peers)) + ", statements alone", size, f"equal contents; {refused:,} rows refused by all; Sluice says which and why")
    for name, theirs in list(zip(peers, measured[1:]))[1:]:
        against(name + ", statements alone", measured[0], theirs, size)


def start_up(folder):
    ours, = interleaved(4 * RUNS, lambda: timed([SLUICE, "--version"])[0])
    show("sluice --version", ours)
    project = os.path.join(folder, "retail")
    timed([SLUICE, "init", "--example", "retail", project])
    timed([SLUICE, "generate", "retail", "--out", os.path.join(project, "landing")])
    seconds, _, peak = timed([SLUICE, "run", "-q", "-C", project])[0]
    nodes = len(json.loads(timed([SLUICE, "ls", "--json", "-C", project])[1]))
    ours, = interleaved(RUNS, lambda: timed([SLUICE, "run", "-q", "-C", project])[0])
    show("sluice run with nothing to do, the retail example", ours,
         note=f"{nodes} nodes; the first run took {seconds:.2f} s and {peak:.0f} MiB")


def replay(folder):
    count, commits = 300_000, 100
    for name in ("commits", "checkpoint"):
        subprocess.run(python("replay/generate.py", os.path.join(folder, name), count, commits), check=True)
    import deltalake
    deltalake.DeltaTable(os.path.join(folder, "checkpoint")).create_checkpoint()
    for name in ("commits", "checkpoint"):
        table, seen = os.path.join(folder, name), {}

        def whole():
            cost, seen["ours"] = timed([SLUICE, "table", "show", table])
            return cost

        def theirs():
            cost, printed = timed(python("replay/peer.py", table))
            seen["theirs"], seconds, cpu = printed.split()
            return float(seconds), float(cpu), cost[2]

        measured = interleaved(RUNS, whole, theirs)
        files = int(re.search(r"^files +([0-9,]+)", seen["ours"], re.M)[1].replace(",", ""))
        equal("files", files, int(seen["theirs"]))
        what = f"{commits} JSON commits" if name == "commits" else "one checkpoint"
        show(f"replay of a log of {count:,} files in {what}: sluice table show, the whole process", *measured,
             "delta-rs, loading and listing alone", note=f"equal: {count:,} files")
        _, printed = timed([os.path.join(BUILD, "replay_bench"), table, str(RUNS)])
        files, load, refresh, peak = printed.split()
        equal("files", int(files), int(seen["theirs"]))
        print(f"  loading alone {float(load):.3f} s of one core; a held snapshot after one more commit {float(refresh):.2f} ms; peak {peak} MiB\n",
              flush=True)


def data_files(folder):
    for partitions in (0, 2500):
        out = os.path.join(folder, f"data-{partitions}")
        (_, _, peak), printed = timed([os.path.join(BUILD, "data_files_bench"), out, str(ROWS), str(partitions), str(RUNS)])
        columns = "order_id, customer_id, email, order_date, amount, status, score" + (", part::INTEGER" if partitions else "")
        copy = [f"{out}/copy/**/*.parquet"] if partitions else [f"{out}/copy"]
        equal("contents", content([f"{out}/lake/**/*.parquet"], columns), content(copy, columns))
        ours, theirs = (float(s) for s in re.findall(r"([0-9.]+) s\b", printed))
        print(f"data files, {ROWS:,} rows in {max(1, partitions):,} partition(s), one thread   [medians of {RUNS}, load average "
              f"{os.getloadavg()[0]:.1f}]\n  {'Sluice: DataFileWriter and commit':44} {ours:8.3f} s\n  {'DuckDB COPY TO Parquet':44} {theirs:8.3f} s\n"
              f"  {'Sluice / peer (below 1: Sluice is faster)':44} {ours / theirs:8.2f}\n"
              f"  equal contents; both in one process, peak {peak:.0f} MiB with the rows\n", flush=True)


SCENARIOS = {"clean": clean_csv, "dirty": dirty_csv, "start-up": start_up, "replay": replay, "data-files": data_files,
             **ingest_scenarios.SCENARIOS, **table_scenarios.SCENARIOS, **source_scenarios.SCENARIOS}


def main():
    chosen = sys.argv[1:] or list(SCENARIOS)
    for name in chosen:
        if name not in SCENARIOS:
            raise SystemExit(f"no scenario {name}: there are {', '.join(SCENARIOS)}")
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
            SCENARIOS[name](folder)


main()
