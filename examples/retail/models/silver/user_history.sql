-- Every state that a user was seen in, cleaned. Of the many ways to write a country one remains.
select
  customer_key(u.user_id) as customer_id,
  u.user_id,
  u.first_name,
  u.last_name,
  lower(u.email) as email,
  regexp_replace(u.phone, '[^0-9+]', '', 'g') as phone,
  u.address,
  u.city,
  u.state,
  c.country_code,
  c.country_name,
  c.region,
  u.registration_date,
  u.updated_at
from new(bronze.users) u
left join seed.country_names n on n.spelling = lower(u.country)
left join seed.countries c on c.country_code = n.country_code
