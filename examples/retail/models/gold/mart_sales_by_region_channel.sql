select
  region,
  channel,
  sum(sales_usd) as sales_usd,
  cast(sum(sales) as bigint) as sales,
  cast(sum(sales_usd) / nullif(sum(sales), 0) as decimal(14, 2)) as average_sale_usd,
  round(sum(cancelled) / sum(orders), 4) as cancelled_share,
  round(sum(sales_usd) / sum(sum(sales_usd)) over (partition by region), 4) as share_of_region
from gold.daily_sales
group by region, channel
