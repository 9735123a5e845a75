select
  event_id,
  order_id,
  occurred_at,
  item.product_id as product_id,
  item.quantity as quantity,
  item.unit_price as unit_price,
  cast(item.quantity * item.unit_price as decimal(14, 2)) as line_amount
from (
  select event_id, order_id, occurred_at, unnest(items) as item
  from silver.order_events
  where event_type = 'placed'
)
