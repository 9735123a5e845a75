"""DuckDB reads a CSV of one of the odd shapes and writes Parquet: duckdb_copy.py FILE OUT THREADS SHAPE. Prints wall and CPU seconds of the statement."""
import sys
import time

import duckdb

from shapes import shapes

file, out, threads, shape = sys.argv[1:5]
columns = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind, *_ in shapes(1)[shape][1]) + "}"
con = duckdb.connect()
con.execute(f"SET enable_progress_bar = false; SET threads = {threads}; SET preserve_insertion_order = false; SET memory_limit = '6GB'")
start, cpu = time.monotonic(), time.process_time()
con.execute(f"COPY (FROM read_csv('{file}', header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', columns = {columns}, max_line_size = 8000000, "
            f"buffer_size = 64000000)) TO '{out}' (FORMAT parquet, COMPRESSION snappy)")
print(time.monotonic() - start, time.process_time() - cpu)
