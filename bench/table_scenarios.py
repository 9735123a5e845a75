"""What bench/run measures of tables: merge, appends, OPTIMIZE, queries."""
import glob
import os
import re
import subprocess
import threading
import time

import duckdb

from measure import against, interleaved, show, timed
from setting import BUILD, HERE, RUNS, SLUICE, THREADS, delta_extension, equal, fresh, python, remove


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def merge(folder):
    rows = int(os.environ.get("MERGE_ROWS", 20_000_000))
    subprocess.run(python("merge/generate.py", folder, rows), check=True, stderr=subprocess.DEVNULL)
    for source, what in (("change", "1% of the keys changed, 0.1% new"), ("same", "1% of the rows as they are")):
        path = f"{folder}/{source}.parquet"

        def ours(sequence, mode):
            def run():
                fresh(f"{folder}/table", f"{folder}/ours")
                (_, cpu, peak), printed = timed([os.path.join(BUILD, "merge_bench"), folder, "ours", path, "id", sequence, mode, THREADS])
                return float(printed.split()[0]), cpu, peak
            return run

        def delta_rs():
            (_, cpu, peak), printed = timed(python("merge/delta_rs.py", fresh(f"{folder}/table", f"{folder}/theirs"), path))
            return float(printed.split()[0]), cpu, peak

        def overwrite():
            remove(f"{folder}/out")
            (_, cpu, peak), printed = timed(python("merge/duckdb_overwrite.py", f"{folder}/table", path, f"{folder}/out", THREADS))
            return float(printed.split()[0]), cpu, peak

        by_sequence, compared, rewritten, rs, copied = interleaved(
            RUNS, ours("updated_at", "vectors"), ours("-", "vectors"), ours("-", "rewrite"), delta_rs, overwrite)
        query = "SELECT count(*), sum(hash(id, amount, email, updated_at)::HUGEINT) FROM "
        ours("updated_at", "vectors")()
        delta_rs()
        db = duckdb.connect()
        db.execute(f"SET extension_directory = ''; LOAD '{delta_extension()}'")
        equal("contents", db.sql(f"{query} delta_scan('{folder}/ours')").fetchone(), db.sql(f"{query} delta_scan('{folder}/theirs')").fetchone())
        title = f"merge into {rows:,} rows of 16 columns in 10 files, {what}, {THREADS} threads: "
        for name, measured in (("deletion vectors, sequence_by", by_sequence), ("deletion vectors, all columns compared", compared),
                               ("readers: any, files written anew", rewritten)):
            show(title + name, measured, rs, "delta-rs merge, unchanged rows skipped")
            against("DuckDB join and touched files written anew", measured, copied)


def merges(folder):
    """Twenty merges in a row, then OPTIMIZE: what do readers pay for them?"""
    rows, count = int(os.environ.get("MERGE_ROWS", 20_000_000)), 20
    subprocess.run(python("merge/generate.py", folder, rows, count), check=True, stderr=subprocess.DEVNULL)
    bench = os.path.join(BUILD, "merge_bench")
    fresh(f"{folder}/table", f"{folder}/ours")
    costs = [timed([bench, folder, "ours", f"{folder}/change-{n}.parquet", "id", "-", "vectors", THREADS]) for n in range(count)]
    seconds = [float(printed.split()[0]) for _, printed in costs]
    fresh(f"{folder}/ours", f"{folder}/optimized")
    (_, cpu, peak), printed = timed([bench, folder, "optimized", "-", "id", "-", "optimize", THREADS])
    print(f"{count} merges of 1% into {rows:,} rows, {THREADS} threads: the first {seconds[0]:.2f} s, the last {seconds[-1]:.2f} s; then OPTIMIZE "
          f"{float(printed.split()[0]):.2f} s, {cpu:.2f} s CPU, {peak:.0f} MiB\n", flush=True)
    query = "SELECT sum(hash(COLUMNS(*))::HUGEINT) FROM delta_scan('{}')"

    def read(name):
        return lambda: timed([SLUICE, "query", "--format", "csv", query.format(f"{folder}/{name}")])[0]

    before, merged, after = interleaved(RUNS, read("table"), read("ours"), read("optimized"))
    show("reading the whole of it: after the merges, and before them", merged, before, "the table before the merges")
    show("reading the whole of it: after the merges and OPTIMIZE, and before them", after, before, "the table before the merges")
    equal("contents", *(timed([SLUICE, "query", "--format", "csv", query.format(f"{folder}/{name}")])[1] for name in ("ours", "optimized")))


def append_all(command, writers):
    """Runs the writers at once. Gives seconds in all and (version, began, milliseconds, milliseconds of the checkpoint) of each commit."""
    start = time.monotonic()
    running = [subprocess.Popen(command(w), stdout=subprocess.PIPE, text=True) for w in range(writers)]
    lines = [None] * writers

    def drain(w):
        lines[w] = running[w].communicate()[0].splitlines()

    threads = [threading.Thread(target=drain, args=(w,)) for w in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if any(p.returncode != 0 for p in running):
        raise SystemExit("a writer failed")
    return time.monotonic() - start, [tuple(float(x) for x in line.split()) for w in lines for line in w]


def rates(commits, parts=5):
    """Commits per second in each part of all commits, in the order in which they ended."""
    ends = sorted(began + ms / 1000 for _, began, ms, _ in commits)
    edges = [min(began for _, began, _, _ in commits)] + [ends[len(ends) * (i + 1) // parts - 1] for i in range(parts)]
    return " ".join(f"{len(ends) / parts / (b - a):.0f}" for a, b in zip(edges, edges[1:]))


def appends(folder):
    writers, count, theirs_count = 4, int(os.environ.get("APPENDS", 10_000)), int(os.environ.get("PEER_APPENDS", 1_000))
    lake = os.path.join(folder, "lake")
    os.makedirs(lake)
    bench = os.path.join(BUILD, "append_bench")
    subprocess.run([bench, lake, "t", "1", "10", str(writers)], check=True, stdout=subprocess.DEVNULL)
    seconds, commits = append_all(lambda w: [bench, lake, "t", str(count // writers), "10", str(w)], writers)
    print(f"{count:,} appends of 10 rows by {writers} processes to one table, load average {os.getloadavg()[0]:.1f}: {count / seconds:.0f} commits/s; "
          f"by fifths {rates(commits)}")
    checkpoints = [(b + ms / 1000, b + (ms + cp) / 1000) for _, b, ms, cp in commits if cp > 0]
    beside, alone = [], []
    for _, began, ms, _ in commits:
        end = began + ms / 1000
        (beside if any(began < stop and start < end for start, stop in checkpoints) else alone).append(ms)
    print(f"  {len(checkpoints):,} checkpoints, the last took {[cp for _, _, _, cp in sorted(commits) if cp > 0][-1]:.0f} ms; a commit while another process "
          f"wrote one: median {quantile(beside, .5):.1f} ms, 99% {quantile(beside, .99):.1f} ms ({len(beside):,}); while none did: "
          f"{quantile(alone, .5):.1f} ms, 99% {quantile(alone, .99):.1f} ms ({len(alone):,})", flush=True)
    theirs = os.path.join(folder, "theirs")
    subprocess.run(python("appends/delta_rs.py", theirs, 1, 10, writers), check=True, stdout=subprocess.DEVNULL)
    their_seconds, their_commits = append_all(lambda w: python("appends/delta_rs.py", theirs, theirs_count // writers, 10, w), writers)
    print(f"  delta-rs, the first {theirs_count:,} of them: {theirs_count / their_seconds:.0f} commits/s; by fifths {rates(their_commits)}")
    first = sorted(b + ms / 1000 for _, b, ms, _ in commits)[theirs_count - 1] - min(b for _, b, _, _ in commits)
    print(f"  Sluice, the first {theirs_count:,}: {theirs_count / first:.0f} commits/s")
    import deltalake
    for name, path, n in (("Sluice", f"{lake}/t", count + 1), ("delta-rs", theirs, theirs_count + 1)):
        equal(f"commits of {name}", deltalake.DeltaTable(path).version() + 1, n)
    equal("rows", timed([SLUICE, "query", "--format", "csv", f"SELECT count(*), count(DISTINCT id) FROM delta_scan('{lake}/t')"])[1].splitlines()[-1],
          f"{10 * (count + 1)},{10 * (count + 1)}")
    print(flush=True)


def optimize(folder):
    rows, files = int(os.environ.get("OPTIMIZE_ROWS", 4_000_000)), int(os.environ.get("OPTIMIZE_FILES", 400))
    table = os.path.join(folder, "table")
    subprocess.run(python("optimize/generate.py", table, rows, files), check=True, stderr=subprocess.DEVNULL)
    subprocess.run(python("optimize/generate.py", f"{folder}/small", 20_000, 20), check=True, stderr=subprocess.DEVNULL)
    size = sum(os.path.getsize(f) for f in glob.glob(f"{table}/*.parquet")) / 1e6

    def ours():
        fresh(table, f"{folder}/ours")
        (_, cpu, peak), printed = timed([os.path.join(BUILD, "merge_bench"), folder, "ours", "-", "id", "-", "optimize", THREADS])
        return float(printed.split()[0]), cpu, peak

    def delta_rs():
        (_, cpu, peak), printed = timed(python("optimize/delta_rs.py", fresh(table, f"{folder}/rs")))
        return float(printed.split()[-1]), cpu, peak

    def spark():
        warm, copy = fresh(f"{folder}/small", f"{folder}/warm"), fresh(table, f"{folder}/spark")
        return tuple(map(float, timed(python("optimize/spark.py", warm, copy, f"{folder}/scratch"))[1].split()[-3:]))

    os.makedirs(f"{folder}/scratch", exist_ok=True)
    sides = [ours, delta_rs]
    if os.path.exists(os.path.join(HERE, "..", ".deps", "spark", "home")):
        sides.append(spark)
    measured = interleaved(RUNS, *sides)
    title = f"OPTIMIZE of {rows:,} rows of 16 columns in {files} files, {size:.0f} MB, {THREADS} threads"
    show(title, measured[0], measured[1], "delta-rs compact", size)
    if len(measured) > 2:
        against("Spark OPTIMIZE, warmed up", measured[0], measured[2], size)
    query = "SELECT count(*), sum(hash(id, email, amount, updated_at)::HUGEINT) FROM delta_scan('{}')"
    contents = [timed([SLUICE, "query", "--format", "csv", query.format(f"{folder}/{name}")])[1] for name in ("ours", "rs")]
    equal("contents", *contents)


def opened(command):
    """How many Parquet files the command opens."""
    log = f"/tmp/sluice-bench-opened-{os.getpid()}"
    subprocess.run(["strace", "-f", "-qq", "-e", "trace=open,openat", "-o", log, *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(log) as lines:
        names = set(re.findall(r'"([^"]+\.parquet)"', "".join(line for line in lines if " = -1" not in line)))
    os.remove(log)
    return len(names)


def query(folder):
    files = int(os.environ.get("QUERY_FILES", 20_000))
    table = os.path.join(folder, "table")
    subprocess.run(python("query/generate.py", table, files), check=True)
    first = files * 100 // 2
    for what, sql in (("count(*)", f"SELECT count(*) FROM delta_scan('{table}')"),
                      ("a filter that three files can match",
                       f"SELECT count(*), sum(amount) FROM delta_scan('{table}') WHERE id BETWEEN {first} AND {first + 299}")):
        ours = [SLUICE, "query", "--format", "csv", sql]
        theirs = python("query/duckdb_delta.py", delta_extension(), sql)
        equal("answers", timed(ours)[1].splitlines()[-1].split(","), timed(theirs)[1].split())
        measured = interleaved(RUNS, lambda: timed(ours)[0], lambda: timed(theirs)[0])
        show(f"{what}, {files:,} files: sluice query, the whole process", *measured, "DuckDB's delta extension, the whole process",
             note=f"data files opened: {opened(ours)} here, {opened(theirs)} by the peer")


SCENARIOS = {"merge": merge, "merges": merges, "appends": appends, "optimize": optimize, "query": query}
