"""The same with Polars, streaming: polars_way.py FILE OUT THREADS. Prints wall and CPU seconds, and good and bad rows."""
import os
import sys

file, out, threads = sys.argv[1:4]
os.environ["POLARS_MAX_THREADS"] = threads

import time  # noqa: E402

import polars as pl  # noqa: E402

os.makedirs(out)
start, cpu = time.monotonic(), time.process_time()
line = pl.Struct({"sku": pl.String, "quantity": pl.Int32, "price": pl.Float64})
customer = pl.Struct({"id": pl.Int64, "name": pl.String, "address": pl.Struct({"city": pl.String, "zip": pl.String})})
schema = {"id": pl.Int64, "ordered_at": pl.String, "status": pl.String, "customer": customer, "lines": pl.List(line), "total": pl.Float64, "note": pl.String}
c = pl.col
e = pl.element().struct.field
raw = pl.scan_ndjson(file, schema=schema, ignore_errors=True).with_columns(c("ordered_at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC", strict=False))
whole = c("lines").list.eval(e("quantity").is_not_null() & e("sku").is_not_null() & e("price").is_not_null()).list.all()
good = pl.all_horizontal(c("id").is_not_null(), c("ordered_at").is_not_null(), c("customer").struct.field("id").is_not_null(), c("total").is_not_null(),
                         c("lines").is_not_null(), whole).fill_null(False)
marked = raw.with_columns(good.alias("__good"))
names = list(schema)
sinks = [marked.filter(c("__good")).select(names).sink_parquet(f"{out}/good.parquet", compression="snappy", lazy=True),
         marked.filter(~c("__good")).select(names).sink_parquet(f"{out}/bad.parquet", compression="snappy", lazy=True)]
pl.collect_all(sinks, engine="streaming")
counts = [pl.scan_parquet(f"{out}/{name}.parquet").select(pl.len()).collect().item() for name in ("good", "bad")]
print(time.monotonic() - start, time.process_time() - cpu, *counts)
