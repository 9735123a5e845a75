"""Runs a command and prints what it cost as its last line: wall seconds, CPU seconds, peak MiB. A process of its own because Linux
counts the memory of the process that starts another into the other's peak: this one is small."""
import os
import sys
import time

start = time.monotonic()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(f"\n{time.monotonic() - start} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss / 1024}")
sys.exit(os.waitstatus_to_exitcode(status))
