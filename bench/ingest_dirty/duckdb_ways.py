"""The same with DuckDB: good rows into Parquet partitioned by month, bad ones beside: duckdb_ways.py rejects|try_cast FILE OUT THREADS [UNIT].
Prints wall and CPU seconds of the statements, and good and bad rows."""
import os
import sys
import time

import duckdb

from rows import NAMES, RULES, TYPES

way, file, out, threads = sys.argv[1:5]
unit = sys.argv[5] if len(sys.argv) > 5 else "%Y-%m"
os.makedirs(out)
con = duckdb.connect()
con.execute(f"SET enable_progress_bar = false; SET threads = {threads}; SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET memory_limit = '6GB'")
read = f"read_csv('{file}', header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
to = f"TO '{out}/good' (FORMAT parquet, COMPRESSION snappy, PARTITION_BY (part))"
part = f"strftime(order_date, '{unit}') AS part"
start, cpu = time.monotonic(), time.process_time()
if way == "rejects":
    # Types and structure through the rejects table; the rules are for a second statement, so the rows wait in a table.
    columns = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in TYPES.items()) + "}"
    con.execute(f"CREATE TEMP TABLE lines AS FROM {read} columns = {columns}, store_rejects = true, rejects_limit = 0)")
    good = con.execute(f"COPY (SELECT *, {part} FROM lines WHERE {RULES}) {to}").fetchone()[0]
    bad = con.execute(f"COPY (SELECT * FROM lines WHERE ({RULES}) IS NOT TRUE) TO '{out}/bad.parquet' (FORMAT parquet)").fetchone()[0]
    con.execute(f"COPY (FROM reject_errors) TO '{out}/rejects.parquet' (FORMAT parquet)")
    bad += con.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchone()[0]
else:
    columns = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in NAMES) + "}"
    raw = f"{read} columns = {columns}, null_padding = true)"
    casts = ", ".join(f"TRY_CAST({name} AS {kind}) AS {name}" for name, kind in TYPES.items())
    cast_well = " AND ".join(f"(TRY_CAST({name} AS {kind}) IS NOT NULL OR {name} IS NULL)" for name, kind in TYPES.items() if kind != "VARCHAR")
    typed = f"(SELECT {casts} FROM {raw} WHERE {cast_well})"
    good = con.execute(f"COPY (SELECT *, {part} FROM {typed} WHERE {RULES}) {to}").fetchone()[0]
    rules = f"(SELECT ({RULES}) IS TRUE FROM (SELECT {', '.join(f'TRY_CAST(r.{name} AS {kind}) AS {name}' for name, kind in TYPES.items())}))"
    bad = con.execute(f"COPY (SELECT * FROM {raw} r WHERE NOT ({cast_well}) OR NOT {rules}) TO '{out}/bad.parquet' (FORMAT parquet)").fetchone()[0]
print(time.monotonic() - start, time.process_time() - cpu, good, bad)
