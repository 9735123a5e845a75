"""Writes the log of a Delta table of many files (the files themselves are not there): generate.py FOLDER FILES COMMITS"""
import json
import os
import sys

SCHEMA = {"type": "struct", "fields": [{"name": n, "type": t, "nullable": True, "metadata": {}}
                                       for n, t in (("id", "long"), ("name", "string"), ("amount", "double"), ("day", "date"))]}


def add(i):
    stats = {"numRecords": 1000, "minValues": {"id": i * 1000, "name": f"a{i}", "amount": 0.5}, "maxValues": {"id": i * 1000 + 999,
             "name": f"z{i}", "amount": 999.5}, "nullCount": {"id": 0, "name": 3, "amount": 0}}
    day = f"2024-{1 + i % 12:02}-{1 + i % 28:02}"
    return {"add": {"path": f"day={day}/part-{i:08}-c000.snappy.parquet", "partitionValues": {"day": day}, "size": 100000 + i,
                    "modificationTime": 1700000000000 + i, "dataChange": True, "stats": json.dumps(stats, separators=(",", ":"))}}


def main():
    folder, files, commits = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    log = os.path.join(folder, "_delta_log")
    os.makedirs(log)
    for version in range(commits):
        actions = [{"commitInfo": {"timestamp": 1700000000000 + version, "operation": "WRITE"}}]
        if version == 0:
            actions.append({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
            actions.append({"metaData": {"id": "5f1d3e5c-0000-4000-8000-000000000000", "format": {"provider": "parquet", "options": {}},
                                         "schemaString": json.dumps(SCHEMA), "partitionColumns": ["day"], "configuration": {}}})
        actions += [add(i) for i in range(version * files // commits, (version + 1) * files // commits)]
        with open(os.path.join(log, f"{version:020}.json"), "w") as out:
            out.write("".join(json.dumps(a, separators=(",", ":")) + "\n" for a in actions))


main()
