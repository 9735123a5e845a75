"""Writes the NDJSON of nested orders, the same for the same arguments: generate.py ROWS FILE SHARE_OF_BAD_ROWS."""
import sys

import duckdb

from rows import documents

db = duckdb.connect()
db.execute("SET threads = 2; SET memory_limit = '4GB'; SET preserve_insertion_order = false")
db.execute(f"COPY ({documents(int(sys.argv[1]), float(sys.argv[3]))}) TO '{sys.argv[2]}' (FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '\x02', ESCAPE '\x02')")
