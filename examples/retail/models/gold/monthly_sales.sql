select
  strftime(sales_date, '%Y-%m') as sales_month,
  region,
  channel,
  cast(sum(sales) as bigint) as sales,
  sum(sales_usd) as sales_usd,
  cast(sum(orders) as bigint) as orders
from gold.daily_sales
group by all
