"""The same with DuckDB: good documents into Parquet, bad ones beside: duckdb_way.py FILE OUT THREADS. Prints wall and CPU seconds of the statements, and good
and bad rows."""
import os
import sys
import time

import duckdb

from rows import RULES, TYPES

file, out, threads = sys.argv[1:4]
os.makedirs(out)
con = duckdb.connect()
con.execute(f"SET enable_progress_bar = false; SET threads = {threads}; SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET memory_limit = '6GB'")
columns = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in TYPES.items()) + "}"
start, cpu = time.monotonic(), time.process_time()
con.execute(f"CREATE TEMP TABLE orders AS FROM read_json('{file}', format = 'newline_delimited', ignore_errors = true, columns = {columns})")
good = con.execute(f"COPY (SELECT * FROM orders WHERE {RULES}) TO '{out}/good.parquet' (FORMAT parquet, COMPRESSION snappy)").fetchone()[0]
bad = con.execute(f"COPY (SELECT * FROM orders WHERE ({RULES}) IS NOT TRUE) TO '{out}/bad.parquet' (FORMAT parquet)").fetchone()[0]
print(time.monotonic() - start, time.process_time() - cpu, good, bad)
