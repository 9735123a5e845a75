select
  a.account_id,
  a.account_name,
  a.industry,
  c.country_code,
  c.region,
  a.owner_id,
  a.created_on
from bronze.crm_accounts a
left join seed.country_names n on n.spelling = lower(a.country)
left join seed.countries c on c.country_code = n.country_code
