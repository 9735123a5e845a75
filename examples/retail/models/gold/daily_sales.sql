select
  order_date as sales_date,
  region,
  channel,
  count(*) filter (where is_sale) as sales,
  coalesce(sum(total_amount_usd) filter (where is_sale), 0) as sales_usd,
  count(*) filter (where status = 'cancelled') as cancelled,
  count(*) as orders
from gold.fact_sales
group by order_date, region, channel
