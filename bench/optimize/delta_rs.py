"""delta-rs's compaction: delta_rs.py TABLE. Prints its seconds."""
import sys
import time

from deltalake import DeltaTable

table = DeltaTable(sys.argv[1])
start = time.perf_counter()
table.optimize.compact(target_size=256 << 20)
print(time.perf_counter() - start)
