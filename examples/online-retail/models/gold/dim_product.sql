select
  product_key,
  stock_code,
  description,
  min(unit_price) as lowest_price,
  max(unit_price) as highest_price
from silver.invoice_lines
group by product_key, stock_code, description
