select update_id, product_id, warehouse_id, change_type, quantity_change, occurred_at
from new(bronze.inventory_updates)
