with plans as (
  select customer_id, max(plan) as plan, sum(monthly_price_usd) as monthly_usd
  from silver.subscriptions
  where cancelled_on is null
  group by customer_id
),
visits as (
  select customer_id, count(*) as sessions, sum(seconds) as seconds, max(started_at) as last_seen_at
  from silver.sessions
  group by customer_id
)
select
  u.user_id,
  u.customer_id,
  u.first_name || ' ' || u.last_name as full_name,
  u.email,
  u.country_code,
  u.region,
  u.registration_date,
  p.plan,
  p.monthly_usd,
  coalesce(v.sessions, 0) as sessions,
  coalesce(v.seconds, 0) as seconds_on_site,
  v.last_seen_at
from silver.users u
left join plans p on p.customer_id = u.customer_id
left join visits v on v.customer_id = u.customer_id
