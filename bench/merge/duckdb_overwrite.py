"""A merge as people do it with DuckDB: the table joined with the source and written anew where a row changes:
duckdb_overwrite.py TABLE SOURCE OUT THREADS. Prints seconds and rows changed; files without changed rows are left alone."""
import glob
import os
import sys
import time

import duckdb

table, source, out, threads = sys.argv[1:]
os.makedirs(out)
db = duckdb.connect()
db.execute(f"SET threads = {threads}; SET memory_limit = '6GB'; SET preserve_insertion_order = false")
start = time.perf_counter()
db.execute(f"CREATE TABLE source AS FROM '{source}'")
names = [row[0] for row in db.execute("DESCRIBE source").fetchall() if row[0] != "id"]
differs = " OR ".join(f"t.{name} IS DISTINCT FROM s.{name}" for name in names)
touched = db.execute(f"SELECT t.filename, count(*) FROM read_parquet('{table}/*.parquet', filename = true) t JOIN source s USING (id) "
                     f"WHERE {differs} GROUP BY ALL").fetchall()
for i, (file, _) in enumerate(touched):
    chosen = ", ".join(["t.id"] + [f"CASE WHEN s.id IS NULL THEN t.{name} ELSE s.{name} END AS {name}" for name in names])
    db.execute(f"COPY (SELECT {chosen} FROM '{file}' t LEFT JOIN source s ON t.id = s.id) TO '{out}/{i}.parquet' (COMPRESSION snappy)")
new = f"FROM source s ANTI JOIN read_parquet('{table}/*.parquet') t USING (id)"
db.execute(f"COPY ({new}) TO '{out}/new.parquet' (COMPRESSION snappy)")
print(time.perf_counter() - start, sum(count for _, count in touched))
