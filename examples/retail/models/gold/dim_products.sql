with stock as (
  select
    product_id,
    sum(quantity_on_hand) as quantity_on_hand,
    sum(quantity_on_hand * unit_cost) as stock_value,
    bool_or(must_reorder) as must_reorder
  from silver.inventory
  group by product_id
)
select
  p.product_id,
  p.product_name,
  p.category,
  p.brand,
  p.vendor_name,
  p.unit_price_usd,
  p.is_active,
  coalesce(s.quantity_on_hand, 0) as quantity_on_hand,
  coalesce(s.stock_value, 0) as stock_value,
  coalesce(s.must_reorder, true) as must_reorder
from silver.products p
left join stock s on s.product_id = p.product_id
