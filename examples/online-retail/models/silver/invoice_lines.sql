select
  invoice_no,
  stock_code,
  regexp_replace(description, '\s+', ' ', 'g') as description,
  md5(stock_code || '|' || regexp_replace(description, '\s+', ' ', 'g')) as product_key,
  coalesce(customer_id, 'GUEST') as customer_id,
  country,
  invoiced_at,
  cast(invoiced_at as date) as invoice_date,
  invoice_no like 'C%' as is_cancellation,
  quantity,
  unit_price,
  cast(quantity * unit_price as decimal(14, 2)) as amount
from new(bronze.invoice_lines)
