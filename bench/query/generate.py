"""A Delta table of many small files with statistics: generate.py FOLDER FILES. 100 rows each, ids in order."""
import json
import os
import sys

import pyarrow
import pyarrow.parquet

folder, files, rows = sys.argv[1], int(sys.argv[2]), 100
log = os.path.join(folder, "_delta_log")
os.makedirs(log)
schema = {"type": "struct", "fields": [{"name": n, "type": t, "nullable": True, "metadata": {}}
                                       for n, t in (("id", "long"), ("name", "string"), ("amount", "double"))]}
actions = [{"commitInfo": {"timestamp": 1700000000000, "operation": "WRITE"}}, {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
           {"metaData": {"id": "5f1d3e5c-0000-4000-8000-000000000001", "format": {"provider": "parquet", "options": {}},
                         "schemaString": json.dumps(schema), "partitionColumns": [], "configuration": {}}}]
for i in range(files):
    first, name = i * rows, f"part-{i:05}.parquet"
    ids = range(first, first + rows)
    table = pyarrow.table({"id": pyarrow.array(ids, pyarrow.int64()), "name": [f"n{k:08}" for k in ids], "amount": [k / 4 for k in ids]})
    pyarrow.parquet.write_table(table, os.path.join(folder, name))
    stats = {"numRecords": rows, "minValues": {"id": first, "name": f"n{first:08}"},
             "maxValues": {"id": first + rows - 1, "name": f"n{first + rows - 1:08}"}, "nullCount": {"id": 0, "name": 0, "amount": 0}}
    actions.append({"add": {"path": name, "partitionValues": {}, "size": os.path.getsize(os.path.join(folder, name)),
                            "modificationTime": 1700000000000, "dataChange": True, "stats": json.dumps(stats)}})
with open(os.path.join(log, f"{0:020}.json"), "w") as out:
    out.write("".join(json.dumps(a) + "\n" for a in actions))
