with seen as (
  select
    product_id,
    count(*) filter (where event_type = 'product_view') as views,
    count(*) filter (where event_type = 'add_to_cart') as carts
  from gold.fact_user_events
  where product_id is not null
  group by product_id
),
sold as (
  select product_id, cast(sum(quantity) as bigint) as units, sum(line_amount) as revenue
  from silver.order_items
  group by product_id
)
select
  coalesce(p.product_id, s.product_id) as product_id,
  coalesce(p.product_name, 'not in the catalogue') as product_name,
  p.category,
  p.vendor_name,
  coalesce(n.views, 0) as views,
  coalesce(n.carts, 0) as carts,
  coalesce(s.units, 0) as units_sold,
  coalesce(s.revenue, 0) as revenue,
  coalesce(p.quantity_on_hand, 0) as quantity_on_hand,
  coalesce(p.must_reorder, false) and coalesce(s.units, 0) > 0 as sells_and_runs_out
from gold.dim_products p
-- full: what was sold counts, also where the catalogue does not know it
full join sold s on s.product_id = p.product_id
left join seen n on n.product_id = coalesce(p.product_id, s.product_id)
