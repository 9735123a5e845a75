-- Only what has come in since the last run is read and converted; the merge below puts it into the table.
select
  o.order_id,
  o.customer_id,
  o.customer_name,
  lower(o.email) as email,
  o.order_date,
  o.status,
  o.payment_method,
  o.channel,
  o.currency,
  o.total_amount,
  to_usd(o.total_amount, r.usd_per_unit) as total_amount_usd,
  o.updated_at
from new(bronze.customer_orders) o
-- as of: at weekends the last rate before holds
asof left join silver.fx_rates r on o.currency = r.currency and o.order_date >= r.rate_date
