select
  p.product_id,
  p.product_name,
  p.category,
  p.brand,
  v.vendor_id,
  v.vendor_name,
  p.currency,
  p.unit_price,
  to_usd(p.unit_price, r.usd_per_unit) as unit_price_usd,
  p.is_active,
  p.updated_at
from bronze.product_catalog p
left join silver.vendors v on v.vendor_id = p.vendor_id
asof left join silver.fx_rates r on p.currency = r.currency and cast(p.updated_at as date) >= r.rate_date
