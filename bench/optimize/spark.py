"""Spark's OPTIMIZE: spark.py WARM TABLE FOLDER. Prints its seconds and CPU seconds, those of Spark's start and of a first
OPTIMIZE (of WARM) aside, and the peak of the JVM's memory in MiB."""
import os
import pathlib
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "spark"))
import judge

warm, table, folder = sys.argv[1:]
# The judge's session is set for tables of some rows: here Spark is as it comes, with memory enough.
for name in [n for n in judge.SETTINGS if n.startswith(("spark.sql.codegen", "spark.sql.adaptive"))]:
    del judge.SETTINGS[name]
judge.SETTINGS["spark.driver.memory"] = "3g"
judge.SETTINGS["spark.databricks.delta.optimize.maxFileSize"] = str(256 << 20)
judge.JAVA = "-Duser.timezone=UTC -XX:+UseParallelGC -Xss4m"
spark = judge.open_session(pathlib.Path(folder))
spark.sql(f"OPTIMIZE {judge.delta(warm)}").collect()
jvm = spark.sparkContext._gateway.proc.pid


def cpu():
    with open(f"/proc/{jvm}/stat") as stat:
        return sum(map(int, stat.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def peak():
    with open(f"/proc/{jvm}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


start, before = time.perf_counter(), cpu()
spark.sql(f"OPTIMIZE {judge.delta(table)}").collect()
print(time.perf_counter() - start, cpu() - before, peak())
spark.stop()
