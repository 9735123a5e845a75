"""The peer of ingest: DuckDB's COPY of a CSV of orders to Parquet. duckdb_copy.py FILE OUT THREADS. Prints wall and CPU
seconds of the statements alone, without the start of Python, which is no part of DuckDB."""
import sys
import time

import duckdb

COLUMNS = """{'order_id': 'VARCHAR', 'customer_id': 'BIGINT', 'customer_name': 'VARCHAR', 'email': 'VARCHAR', 'order_date': 'DATE',
  'updated_at': 'TIMESTAMPTZ', 'total_amount': 'DECIMAL(12,2)', 'quantity': 'INTEGER', 'status': 'VARCHAR', 'payment_method': 'VARCHAR'}"""

file, out, threads = sys.argv[1:4]
con = duckdb.connect()
con.execute("SET enable_progress_bar = false")
con.execute(f"SET threads = {threads}")
start, cpu = time.monotonic(), time.process_time()
con.execute(f"""COPY (SELECT * FROM read_csv('{file}', header = true, auto_detect = false, delim = ',', quote = '"',
  columns = {COLUMNS})) TO '{out}' (FORMAT parquet)""")
print(time.monotonic() - start, time.process_time() - cpu)
