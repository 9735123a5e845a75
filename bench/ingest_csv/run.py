"""CSV → Parquet, Sluice's ingest (typed, checked, with metadata columns and statistics) against DuckDB's COPY of the same clean
file: medians of several runs, interleaved. run.py BENCH_BINARY [ROWS] [RUNS] [THREADS]"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

COPY = """
import duckdb, resource, sys, time
con = duckdb.connect()
con.execute("SET enable_progress_bar = false")
con.execute("SET threads = " + sys.argv[3])
start = time.time()
con.execute(f'''COPY (SELECT * FROM read_csv('{sys.argv[1]}', header = true, auto_detect = false, delim = ',', quote = '"', columns = {{
  'order_id': 'VARCHAR', 'customer_id': 'BIGINT', 'customer_name': 'VARCHAR', 'email': 'VARCHAR', 'order_date': 'DATE',
  'updated_at': 'TIMESTAMPTZ', 'total_amount': 'DECIMAL(12,2)', 'quantity': 'INTEGER', 'status': 'VARCHAR',
  'payment_method': 'VARCHAR'}})) TO '{sys.argv[2]}' (FORMAT parquet)''')
wall = time.time() - start
usage = resource.getrusage(resource.RUSAGE_SELF)
print(f"{wall:.3f} {usage.ru_maxrss // 1024} {usage.ru_utime + usage.ru_stime:.3f}")
"""


def measure(command):
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return [float(x) for x in out]


def main():
    binary = sys.argv[1]
    rows, runs, threads = (int(a) for a in (sys.argv[2:] + ["3000000", "5", "2"][len(sys.argv) - 2:])[:3])
    here = os.path.dirname(os.path.abspath(__file__))
    folder = tempfile.mkdtemp(prefix="sluice-bench-")
    try:
        csv = os.path.join(folder, "orders.csv")
        subprocess.run([sys.executable, os.path.join(here, "generate.py"), str(rows), csv], check=True)
        ours, theirs = [], []
        for _ in range(runs):
            ours.append(measure([binary, csv, os.path.join(folder, "out"), str(threads)]))
            shutil.rmtree(os.path.join(folder, "out"))
            theirs.append(measure([sys.executable, "-c", COPY, csv, os.path.join(folder, "copy.parquet"), str(threads)]))
        size = os.path.getsize(csv) / 1e6
        print(f"{rows} rows, {size:.0f} MB, {threads} threads, medians of {runs}")
        for name, measured in (("sluice ingest", ours), ("duckdb copy", theirs)):
            wall, rss, cpu = (statistics.median(column) for column in zip(*measured))
            print(f"{name:14} {wall:7.3f} s  {size / wall:6.0f} MB/s  {cpu:7.3f} s CPU  {rss:6.0f} MiB peak")
        ratio = statistics.median(t[0] for t in theirs) / statistics.median(o[0] for o in ours)
        cpu = statistics.median(t[2] for t in theirs) / statistics.median(o[2] for o in ours)
        print(f"sluice is {ratio:.2f}x DuckDB's speed; {cpu:.2f}x by CPU time")
    finally:
        shutil.rmtree(folder)


main()
