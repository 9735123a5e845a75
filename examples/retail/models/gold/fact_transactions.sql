select
  t.transaction_id,
  t.transaction_date,
  t.transaction_type,
  t.payment_method,
  t.order_id,
  o.customer_id,
  t.order_id is null or o.order_id is not null as has_known_order,
  t.currency,
  t.amount,
  t.amount_usd
from silver.transactions t
left join silver.orders o on o.order_id = t.order_id
