"""Writes the dirty CSV of order lines, the same for the same arguments: generate.py ROWS FILE [SHARE_OF_BAD_ROWS [DAYS]]."""
import sys

import duckdb

from rows import NAMES, lines

rows, path = int(sys.argv[1]), sys.argv[2]
bad = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
days = int(sys.argv[4]) if len(sys.argv) > 4 else 1000
db = duckdb.connect()
db.execute("SET threads = 2; SET memory_limit = '4GB'; SET preserve_insertion_order = false")
# Each line is one text: no character of it is a delimiter or a quote of this COPY.
db.execute(f"COPY (SELECT '{','.join(NAMES)}' AS line UNION ALL ({lines(rows, bad, days)})) TO '{path}' "
           "(FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '\x02', ESCAPE '\x02')")
