"""CSV files of odd shapes, the same for the same arguments, and how Sluice and DuckDB are to read them."""
import os

import duckdb


def shapes(rows):
    """Of each shape: (what it is, its columns as (name, DuckDB type, contract type, SQL of the text), rows)."""
    def pick(column, values):
        return f"(hash(range * 31 + {column}) % {values})"

    kinds = [("BIGINT", "bigint", lambda c: f"{pick(c, 1_000_000)}::VARCHAR"), ("DECIMAL(12,2)", "decimal(12,2)", lambda c: f"({pick(c, 9_000_000)}::BIGINT / 100)::DECIMAL(12,2)::VARCHAR"),
             ("DATE", "date", lambda c: f"(DATE '2022-01-01' + {pick(c, 1000)}::INTEGER)::VARCHAR"), ("VARCHAR", "string", lambda c: f"'value ' || {pick(c, 5000)}"),
             ("DOUBLE", "double", lambda c: f"({pick(c, 90_000)}::DOUBLE / 64)::VARCHAR")]

    def columns(count, chosen):
        return [(f"c{i}", *chosen[i % len(chosen)][:2], chosen[i % len(chosen)][2](i)) for i in range(count)]

    decimals = [("DECIMAL(18,4)", "decimal(18,4)", lambda c: f"({pick(c, 900_000_000)}::BIGINT / 10000)::DECIMAL(18,4)::VARCHAR")]
    texts = [("VARCHAR", "string", lambda c: f"'text ' || {pick(c, 1_000_000)} || ' of column {c}'")]
    return {"wide": ("500 columns", columns(500, kinds), max(1, rows // 25)),
            "big-fields": ("fields of 1 MB", [("id", "BIGINT", "bigint", "range::VARCHAR"), ("body", "VARCHAR", "string", "repeat('0123456789abcde ', 65536)")], max(1, rows // 10_000)),
            "one-column": ("one column", columns(1, kinds), rows * 10),
            "strings": ("16 strings", columns(16, texts), rows // 2),
            "decimals": ("16 decimals", columns(16, decimals), rows // 2)}


def generate(shape, path, rows):
    _, columns, count = shapes(rows)[shape]
    con = duckdb.connect()
    con.execute("SET threads = 2; SET memory_limit = '6GB'; SET preserve_insertion_order = false")
    line = "concat_ws(',', " + ", ".join(text for *_, text in columns) + ")"
    con.execute(f"COPY (SELECT '{','.join(c[0] for c in columns)}' AS line UNION ALL SELECT {line} FROM range({count})) TO '{path}' "
                "(FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '\x02', ESCAPE '\x02')")
    return os.path.getsize(path)


def contract(columns):
    lines = ["connection: drop", 'read: { files: "*.csv", format: csv, delimiter: ",", header: true }', "contract:", "  columns:"]
    return "\n".join(lines + [f'    - {{ name: {name}, type: "{kind}" }}' for name, _, kind, _ in columns]) + "\n"
