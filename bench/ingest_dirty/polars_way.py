"""The same with Polars, streaming: polars_way.py FILE OUT THREADS. Prints wall and CPU seconds, and good and bad rows."""
import os
import sys

file, out, threads = sys.argv[1:4]
os.environ["POLARS_MAX_THREADS"] = threads

import time  # noqa: E402

import polars as pl  # noqa: E402

from rows import CURRENCIES, NAMES, STATUSES  # noqa: E402

os.makedirs(out)
start, cpu = time.monotonic(), time.process_time()
raw = pl.scan_csv(file, schema={name: pl.String for name in NAMES}, truncate_ragged_lines=True)
c = pl.col
numbers = {"line_id": pl.Int64, "customer_id": pl.Int64, "quantity": pl.Int32, "unit_price": pl.Decimal(12, 2), "discount": pl.Float64, "total": pl.Decimal(14, 2)}
typed = {name: c(name).cast(kind, strict=False) for name, kind in numbers.items()}
typed["order_date"] = c("order_date").str.to_date("%Y-%m-%d", strict=False)
typed["shipped_at"] = c("shipped_at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC", strict=False)
typed["is_gift"] = pl.when(c("is_gift") == "true").then(True).when(c("is_gift") == "false").then(False)
good = pl.all_horizontal(*(typed[name].is_not_null() | c(name).is_null() for name in typed),
                         c("order_id").is_not_null(), c("country").is_not_null(), *(typed[name].is_not_null() for name in ("line_id", "order_date", "quantity", "total")),
                         typed["quantity"].is_between(1, 1000), typed["unit_price"].ge(0).fill_null(True), typed["discount"].is_between(0, 1).fill_null(True),
                         c("currency").is_in(CURRENCIES).fill_null(True), c("status").is_in(STATUSES).fill_null(True),
                         c("sku").str.contains(r"^SKU-[0-9]{6}$").fill_null(True))
marked = raw.with_columns(good.alias("__good"))
sinks = [marked.filter(c("__good")).select(*(typed[name].alias(name) if name in typed else c(name) for name in NAMES),
                                           typed["order_date"].dt.strftime("%Y-%m").alias("part"))
         .sink_parquet(pl.PartitionBy(f"{out}/good", key="part"), compression="snappy", mkdir=True, lazy=True),
         marked.filter(~c("__good")).select(NAMES).sink_parquet(f"{out}/bad.parquet", compression="snappy", lazy=True)]
pl.collect_all(sinks, engine="streaming")
counts = [pl.scan_parquet(f"{out}/{name}").select(pl.len()).collect().item() for name in ("good/**/*.parquet", "bad.parquet")]
print(time.monotonic() - start, time.process_time() - cpu, *counts)
