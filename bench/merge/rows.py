"""The rows of the benchmarks of tables: 16 columns of usual kinds."""


def select(first, last, salt):
    def pick(column, values):
        return f"(hash(id * 17 + {column} + {salt}) % {values})"

    return f"""SELECT id, {pick(1, 500000)}::BIGINT AS customer_id, {pick(2, 2000)}::INTEGER AS product_id,
        'user' || {pick(3, 900000)} || '@example.com' AS email, DATE '2020-01-01' + {pick(4, 1500)}::INTEGER AS order_date,
        TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds({pick(5, 8000000)}::BIGINT + {salt} * 10000000) AS updated_at,
        ({pick(6, 100000)}::BIGINT / 100)::DECIMAL(12, 2) AS amount, {pick(7, 20)}::INTEGER AS quantity,
        (['completed', 'pending', 'cancelled', 'returned'])[1 + {pick(8, 4)}::BIGINT] AS status,
        (['card', 'cash', 'transfer'])[1 + {pick(9, 3)}::BIGINT] AS payment,
        (['DE', 'FR', 'US', 'GB', 'IT', 'ES'])[1 + {pick(10, 6)}::BIGINT] AS country, {pick(11, 1000000)}::DOUBLE / 7 AS score,
        {pick(12, 100)}::INTEGER AS discount, 'note ' || {pick(13, 10000)} AS note, {pick(14, 2)} = 0 AS active,
        {pick(15, 1000000000)}::BIGINT AS reference FROM (SELECT range AS id FROM range({first}, {last}))"""
