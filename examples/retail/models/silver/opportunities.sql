select
  o.opportunity_id,
  o.account_id,
  o.stage,
  o.currency,
  o.amount,
  to_usd(o.amount, r.usd_per_unit) as amount_usd,
  o.close_date,
  o.probability
from bronze.crm_opportunities o
asof left join silver.fx_rates r on o.currency = r.currency and o.close_date >= r.rate_date
