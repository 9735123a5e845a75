select
  e.department as owner_department,
  a.region,
  o.stage,
  count(*) as opportunities,
  sum(o.amount_usd) as amount_usd,
  sum(cast(o.amount_usd * o.probability / 100 as decimal(14, 2))) as expected_usd
from silver.opportunities o
left join silver.accounts a on a.account_id = o.account_id
left join silver.employees e on e.employee_id = a.owner_id
group by all
