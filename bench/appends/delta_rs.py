"""The same by delta-rs: delta_rs.py TABLE COUNT ROWS WRITER. Prints a line for each commit as append_bench does, without the checkpoint."""
import sys
import time

import pyarrow
from deltalake import DeltaTable, write_deltalake

table, count, rows, writer = sys.argv[1], *map(int, sys.argv[2:])
for n in range(count):
    first = (writer * 1_000_000 + n) * rows
    batch = pyarrow.table({"id": range(first, first + rows), "name": [f"name {first + i}" for i in range(rows)]})
    begin = time.monotonic()
    write_deltalake(table, batch, mode="append")
    print(n, begin, 1000 * (time.monotonic() - begin), 0, flush=True)
