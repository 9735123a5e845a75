select
  substring(invoice_no, 2) as cancellation_no,
  product_key,
  customer_id,
  country,
  invoice_date,
  -quantity as quantity,
  unit_price,
  -amount as amount
from silver.invoice_lines
where is_cancellation
