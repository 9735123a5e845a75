select
  update_id,
  product_id,
  warehouse_id,
  change_type,
  quantity_change,
  -- update_id makes the order total: the same input always gives the same balances
  sum(quantity_change) over (partition by product_id, warehouse_id order by occurred_at, update_id) as net_change_so_far,
  cast(occurred_at as date) as movement_date,
  occurred_at
from silver.inventory_updates
