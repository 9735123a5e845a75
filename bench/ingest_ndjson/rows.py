"""The nested orders of the NDJSON benchmark, and the rules that Sluice and its peers hold them to."""

LINES = "STRUCT(sku VARCHAR, quantity INTEGER, price DOUBLE)[]"
TYPES = {"id": "BIGINT", "ordered_at": "TIMESTAMP", "status": "VARCHAR",
         "customer": "STRUCT(id BIGINT, name VARCHAR, address STRUCT(city VARCHAR, zip VARCHAR))", "lines": LINES, "total": "DOUBLE", "note": "VARCHAR"}
KINDS = 3   # of bad documents: wrong type at depth, no date, a field missing that must be there; a line that is no JSON ends Polars

# A good row, over typed columns in which what could not be read is NULL.
RULES = ("id IS NOT NULL AND ordered_at IS NOT NULL AND customer.id IS NOT NULL AND total IS NOT NULL AND lines IS NOT NULL "
         "AND len(list_filter(lines, l -> l.quantity IS NULL OR l.sku IS NULL OR l.price IS NULL)) = 0")

CONTRACT = """connection: drop
read: { files: "*.ndjson", format: ndjson }
contract:
  columns:
    - { name: id, type: bigint, not_null: true }
    - { name: ordered_at, type: timestamp, not_null: true }
    - { name: status, type: string }
    - { name: customer, type: "struct<id: bigint, name: string, address: struct<city: string, zip: string>>", not_null: true }
    - { name: lines, type: "list<struct<sku: string, quantity: integer, price: double>>", not_null: true }
    - { name: total, type: double, not_null: true }
    - { name: note, type: string }
"""


def documents(rows, bad):
    """SQL for the lines of the file as one text column."""
    def pick(column, values):
        return f"(hash(i * 31 + {column}) % {values})"

    kind = f"CASE WHEN {pick(90, 1_000_000)} < {int(bad * 1_000_000)} THEN {pick(91, KINDS)} + 1 ELSE 0 END"
    line = ("'{\"sku\":\"SKU-' || lpad((hash(i * 7 + n) % 3000)::VARCHAR, 6, '0') || '\",\"quantity\":' || "
            "CASE WHEN kind = 1 AND n = 1 THEN '\"many\"' ELSE (1 + hash(i * 5 + n) % 50)::VARCHAR END || "
            "',\"price\":' || ((hash(i * 3 + n) % 90000)::DOUBLE / 64)::VARCHAR || '}'")
    return f"""
SELECT doc AS line FROM (
  SELECT '{{"id":' || i || ',"ordered_at":"' || CASE kind WHEN 2 THEN 'soon' ELSE strftime(TIMESTAMP '2022-01-01' + to_seconds({pick(6, 94_000_000)}::BIGINT), '%Y-%m-%dT%H:%M:%SZ') END
    || '","status":"' || (['completed', 'pending', 'cancelled', 'returned'])[1 + {pick(12, 4)}::BIGINT]
    || '","customer":{{"id":' || {pick(1, 900000)} || ',"name":"Customer \\"' || {pick(2, 50000)} || '\\"","address":{{"city":"City ' || {pick(3, 900)} || '","zip":"' || lpad({pick(4, 99999)}::VARCHAR, 5, '0') || '"}}}}'
    || ',"lines":[' || list_aggregate(list_transform(range(1 + {pick(5, 3)}::BIGINT), n -> {line}), 'string_agg', ',') || ']'
    || CASE kind WHEN 3 THEN '' ELSE ',"total":' || ({pick(7, 9_000_000)}::DOUBLE / 64)::VARCHAR END
    || CASE WHEN {pick(15, 10)} < 5 THEN '' ELSE ',"note":"note ' || {pick(16, 100000)} || '"' END || '}}' AS doc
  FROM (SELECT range AS i, {kind.replace('i * 31', 'range * 31')} AS kind FROM range({rows})))"""
