select
  t.transaction_id,
  t.order_id,
  t.transaction_type,
  t.payment_method,
  t.transaction_date,
  t.currency,
  t.amount,
  to_usd(t.amount, r.usd_per_unit) as amount_usd,
  t.posted_at
from new(bronze.financial_transactions) t
asof left join silver.fx_rates r on t.currency = r.currency and t.transaction_date >= r.rate_date
