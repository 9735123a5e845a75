"""The peer of log replay: delta-rs. peer.py FOLDER. Prints the files of the newest version and the wall and CPU seconds of loading the table."""
import sys
import time

import deltalake

start, cpu = time.monotonic(), time.process_time()
files = len(deltalake.DeltaTable(sys.argv[1]).file_uris())
print(files, time.monotonic() - start, time.process_time() - cpu)
