select
  customer_id,
  customer_id = 'GUEST' as is_guest,
  -- who has moved counts for where they bought last
  max_by(country, (invoiced_at, invoice_no, product_key)) as country,
  min(invoice_date) as first_invoice_date,
  max(invoice_date) as last_invoice_date
from silver.invoice_lines
group by customer_id
