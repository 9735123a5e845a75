"""A table into Parquet, by others: peers.py connectorx|adbc URL OUT THREADS. Prints wall and CPU seconds."""
import os
import sys
import time

import pyarrow.parquet as parquet

how, url, out, threads = sys.argv[1:5]
os.makedirs(out)
start, cpu = time.monotonic(), time.process_time()
if how == "connectorx":
    import connectorx

    # By ranges of the key, one for each thread; all rows are in memory before the first is written.
    table = connectorx.read_sql(url, "select * from orders", return_type="arrow", partition_on="id", partition_num=int(threads))
    parquet.write_table(table, f"{out}/orders.parquet", compression="snappy")
else:
    import adbc_driver_postgresql.dbapi as adbc

    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("select * from orders")
        reader = cursor.fetch_record_batch()
        with parquet.ParquetWriter(f"{out}/orders.parquet", reader.schema, compression="snappy") as writer:
            for batch in reader:
                writer.write_batch(batch)
print(time.monotonic() - start, time.process_time() - cpu)
