"""A query by DuckDB's own delta extension: duckdb_delta.py EXTENSION SQL. Prints the first row."""
import sys

import duckdb

db = duckdb.connect()
db.execute(f"SET threads = 2; SET extension_directory = ''; LOAD '{sys.argv[1]}'")
print(*db.execute(sys.argv[2]).fetchone())
