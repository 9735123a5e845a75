select invoice_no, product_key, customer_id, country, invoice_date, invoiced_at, quantity, unit_price, amount
from silver.invoice_lines
where not is_cancellation
