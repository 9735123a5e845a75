"""A Delta table of many small files: generate.py FOLDER ROWS FILES. The columns of the merge benchmark."""
import os
import sys

import duckdb
from deltalake import convert_to_deltalake

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from merge.rows import select

folder, rows, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.makedirs(folder)
db = duckdb.connect()
each = rows // files
for i in range(files):
    db.execute(f"COPY ({select(i * each, (i + 1) * each, 0)}) TO '{folder}/part-{i:05}.parquet' (FORMAT parquet, COMPRESSION snappy)")
convert_to_deltalake(folder)
