with clicks as (
  select
    customer_id,
    count(*) as events,
    count(*) filter (where event_type = 'add_to_cart') as carts,
    max(event_date) as last_event_date
  from gold.fact_user_events
  group by customer_id
),
sales as (
  select customer_id, count(*) as sales, sum(total_amount_usd) as sales_usd, max(order_date) as last_sale_date
  from gold.fact_sales
  where is_sale
  group by customer_id
)
select
  u.customer_id,
  u.full_name,
  u.region,
  u.plan,
  u.sessions,
  coalesce(c.events, 0) as events,
  coalesce(c.carts, 0) as carts,
  c.last_event_date,
  coalesce(s.sales, 0) as sales,
  coalesce(s.sales_usd, 0) as sales_usd,
  s.last_sale_date,
  case
    when s.sales >= 10 then 'loyal'
    when s.sales >= 1 then 'occasional'
    when c.events > 0 then 'browsing'
    else 'silent'
  end as segment
from gold.dim_users u
left join clicks c on c.customer_id = u.customer_id
left join sales s on s.customer_id = u.customer_id
