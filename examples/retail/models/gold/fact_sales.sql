-- Each order meets the version of its customer that held at the end of its day.
select
  o.order_id,
  o.order_date,
  c.dim_customers_sk,
  o.customer_id,
  coalesce(c.region, 'Unknown') as region,
  coalesce(c.country_code, '??') as country_code,
  o.channel,
  o.payment_method,
  o.status,
  o.status in ('shipped', 'completed') as is_sale,
  o.currency,
  o.total_amount,
  o.total_amount_usd
from silver.orders o
asof left join gold.dim_customers c
  on o.customer_id = c.customer_id and cast(o.order_date + 1 as timestamptz) > c.valid_from
