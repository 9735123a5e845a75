"""A Delta table of 16 columns in 10 files, and what is merged into it: generate.py FOLDER ROWS. 1% of the keys with other values and
0.1% new ones (change.parquet), 1% of the rows as they are (same.parquet). generate.py FOLDER ROWS CHANGES: also as many changes that
follow each other (change-N.parquet). Keys are spread evenly over all files."""
import os
import sys

import duckdb
from deltalake import convert_to_deltalake

from rows import select

folder, rows, files = sys.argv[1], int(sys.argv[2]), 10
table = os.path.join(folder, "table")
os.makedirs(table)
db = duckdb.connect()
db.execute("SET threads = 2; SET memory_limit = '3GB'")


def write(sql, path):
    db.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 1000000)")


each = rows // files
for i in range(files):
    write(select(i * each, (i + 1) * each, 0), f"{table}/part-{i:05}.parquet")
convert_to_deltalake(table)
chosen = "WHERE hash(id + 99) % 100 = 0"
write(f"SELECT * FROM ({select(0, rows, 1)}) {chosen} UNION ALL {select(rows, rows + rows // 1000, 1)}", f"{folder}/change.parquet")
write(f"SELECT * FROM '{table}/*.parquet' {chosen}", f"{folder}/same.parquet")
for n in range(int(sys.argv[3]) if len(sys.argv) > 3 else 0):
    write(f"SELECT * FROM ({select(0, rows, n + 2)}) WHERE hash(id + {n}) % 100 = 0", f"{folder}/change-{n}.parquet")
