with moves as (
  select country, invoice_no, quantity, amount as sold, 0 as cancelled from gold.fact_sales
  union all
  select country, null, 0, 0, amount from gold.fact_cancellations
)
select
  country,
  count(distinct invoice_no) as invoices,
  cast(sum(quantity) as bigint) as units,
  sum(sold) as sales,
  sum(cancelled) as cancelled,
  sum(sold) - sum(cancelled) as net_sales
from moves
group by country
