"""The order lines of the dirty CSV benchmark: 16 columns as an export has them, and the rules that Sluice and its peers hold them to."""

NAMES = ["line_id", "order_id", "customer_id", "sku", "product", "order_date", "shipped_at", "quantity", "unit_price", "discount", "total", "currency",
         "status", "is_gift", "country", "note"]
TYPES = {"line_id": "BIGINT", "order_id": "VARCHAR", "customer_id": "BIGINT", "sku": "VARCHAR", "product": "VARCHAR", "order_date": "DATE",
         "shipped_at": "TIMESTAMP", "quantity": "INTEGER", "unit_price": "DECIMAL(12,2)", "discount": "DOUBLE", "total": "DECIMAL(14,2)",
         "currency": "VARCHAR", "status": "VARCHAR", "is_gift": "BOOLEAN", "country": "VARCHAR", "note": "VARCHAR"}
CURRENCIES = ["EUR", "USD", "GBP", "CHF"]
STATUSES = ["completed", "pending", "cancelled", "returned"]
KINDS = 10   # of bad rows

# What a row must be beyond its types, as SQL over typed columns: one expression, true for a good row.
RULES = ("line_id IS NOT NULL AND order_id IS NOT NULL AND order_date IS NOT NULL AND quantity IS NOT NULL AND total IS NOT NULL AND country IS NOT NULL "
         "AND quantity BETWEEN 1 AND 1000 AND (unit_price IS NULL OR unit_price >= 0) AND (discount IS NULL OR discount BETWEEN 0 AND 1) "
         f"AND (currency IS NULL OR currency IN ({', '.join(map(repr, CURRENCIES))})) AND (status IS NULL OR status IN ({', '.join(map(repr, STATUSES))})) "
         "AND (sku IS NULL OR regexp_full_match(sku, 'SKU-[0-9]{6}'))")

CONTRACT = """connection: drop
read: { files: "*.csv", format: csv }
partition_by: [month(order_date)]
contract:
  columns:
    - { name: line_id, type: bigint, not_null: true }
    - { name: order_id, type: string, not_null: true }
    - { name: customer_id, type: bigint }
    - { name: sku, type: string, pattern: "SKU-[0-9]{6}" }
    - { name: product, type: string }
    - { name: order_date, type: date, not_null: true }
    - { name: shipped_at, type: timestamp }
    - { name: quantity, type: integer, not_null: true, min: 1, max: 1000 }
    - { name: unit_price, type: "decimal(12,2)", min: 0 }
    - { name: discount, type: double, min: 0, max: 1 }
    - { name: total, type: "decimal(14,2)", not_null: true }
    - { name: currency, type: string, values: [EUR, USD, GBP, CHF] }
    - { name: status, type: string, values: [completed, pending, cancelled, returned] }
    - { name: is_gift, type: boolean }
    - { name: country, type: string, not_null: true }
    - { name: note, type: string }
"""


def lines(rows, bad, days=1000, salt=0):
    """SQL for the lines of the file as one text column, `bad` of them (a share) spoiled in one of KINDS ways, over `days` days."""
    def pick(column, values):
        return f"(hash(i * 31 + {column} + {salt * 1000003}) % {values})"

    spoiled = f"CASE WHEN {pick(90, 1_000_000)} < {int(bad * 1_000_000)} THEN {pick(91, KINDS)} + 1 ELSE 0 END"
    rest = ("concat_ws(',', q, price, discount, total, currency, status, gift, country, note)")
    return f"""
SELECT concat_ws(',', i, 'ORD' || lpad((i // 3)::VARCHAR, 9, '0'), {pick(1, 900000)}, sku, product, day, shipped, CASE WHEN kind = 10 THEN q ELSE {rest} END) AS line FROM (
  SELECT i, kind,
    CASE kind WHEN 7 THEN 'sku' || {pick(2, 1000)} ELSE 'SKU-' || lpad({pick(2, 3000)}::VARCHAR, 6, '0') END AS sku,
    CASE WHEN {pick(3, 10)} < 3 THEN '"Chair, oak, ""' || {pick(4, 500)} || '"" series"' ELSE 'Table ' || {pick(4, 500)} || ' of walnut' END AS product,
    CASE kind WHEN 1 THEN '2024-13-45' ELSE (DATE '2022-01-01' + {pick(5, days)}::INTEGER)::VARCHAR END AS day,
    CASE kind WHEN 2 THEN 'soon' ELSE strftime(TIMESTAMP '2022-01-01' + to_seconds({pick(6, 94_000_000)}::BIGINT), '%Y-%m-%dT%H:%M:%SZ') END AS shipped,
    CASE kind WHEN 3 THEN '12x' WHEN 8 THEN '100000' ELSE (1 + {pick(7, 50)})::VARCHAR END AS q,
    CASE kind WHEN 4 THEN '12.3.4' ELSE ({pick(8, 90000)}::BIGINT / 100)::DECIMAL(12, 2)::VARCHAR END AS price,
    CASE kind WHEN 5 THEN 'none' ELSE ({pick(9, 100)}::DOUBLE / 128)::VARCHAR END AS discount,
    ({pick(10, 9_000_000)}::BIGINT / 100)::DECIMAL(14, 2)::VARCHAR AS total,
    CASE kind WHEN 9 THEN 'XXX' ELSE (['EUR', 'USD', 'GBP', 'CHF'])[1 + {pick(11, 4)}::BIGINT] END AS currency,
    (['completed', 'pending', 'cancelled', 'returned'])[1 + {pick(12, 4)}::BIGINT] AS status,
    CASE kind WHEN 6 THEN 'maybe' ELSE (['true', 'false'])[1 + {pick(13, 2)}::BIGINT] END AS gift,
    (['DE', 'FR', 'US', 'GB', 'IT', 'ES', 'CH', 'AT'])[1 + {pick(14, 8)}::BIGINT] AS country,
    CASE WHEN {pick(15, 10)} < 2 THEN '"left at ""door"", ' || {pick(16, 100000)} || '"' WHEN {pick(15, 10)} < 6 THEN '' ELSE 'note ' || {pick(16, 100000)} END AS note
  FROM (SELECT range AS i, {spoiled.replace('i * 31', 'range * 31')} AS kind FROM range({rows})))"""
