"""delta-rs's merge, unchanged rows skipped: delta_rs.py TABLE SOURCE. Prints seconds and rows updated and inserted."""
import sys
import time

import pyarrow.parquet
from deltalake import DeltaTable

table, source = DeltaTable(sys.argv[1]), pyarrow.parquet.read_table(sys.argv[2])
start = time.perf_counter()
differs = " OR ".join(f"(target.{name} IS DISTINCT FROM source.{name})" for name in source.column_names if name != "id")
done = (table.merge(source, "target.id = source.id", source_alias="source", target_alias="target")
        .when_matched_update_all(differs).when_not_matched_insert_all().execute())
print(time.perf_counter() - start, done["num_target_rows_updated"], done["num_target_rows_inserted"])
