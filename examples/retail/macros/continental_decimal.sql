-- 1.234,56 → 1234.56
create macro continental_decimal(amount) as cast(replace(replace(amount, '.', ''), ',', '.') as decimal(14, 2))
