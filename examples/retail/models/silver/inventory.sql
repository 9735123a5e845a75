select
  product_id,
  warehouse_id,
  quantity_on_hand,
  reorder_level,
  quantity_on_hand < reorder_level as must_reorder,
  unit_cost,
  counted_at
from bronze.product_inventory
