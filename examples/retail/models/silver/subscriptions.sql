select
  s.subscription_id,
  customer_key(s.user_id) as customer_id,
  s.plan,
  s.currency,
  s.monthly_price,
  to_usd(s.monthly_price, r.usd_per_unit) as monthly_price_usd,
  s.started_on,
  s.cancelled_on,
  s.updated_at
from new(bronze.subscriptions) s
asof left join silver.fx_rates r on s.currency = r.currency and s.started_on >= r.rate_date
