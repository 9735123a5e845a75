with sales as (
  select
    strftime(order_date, '%Y-%m') as kpi_month,
    count(*) filter (where is_sale) as sales,
    sum(total_amount_usd) filter (where is_sale) as sales_usd,
    count(distinct customer_id) filter (where is_sale) as buyers,
    avg(case when status = 'cancelled' then 1.0 else 0.0 end) as cancelled_share
  from gold.fact_sales
  group by all
),
money as (
  select
    strftime(transaction_date, '%Y-%m') as kpi_month,
    -sum(amount_usd) filter (where transaction_type = 'refund') as refunds_usd
  from gold.fact_transactions
  group by all
),
visitors as (
  select strftime(event_date, '%Y-%m') as kpi_month, count(distinct customer_id) as visitors
  from gold.fact_user_events
  group by all
)
select
  s.kpi_month,
  s.sales,
  s.sales_usd,
  cast(s.sales_usd / nullif(s.sales, 0) as decimal(14, 2)) as average_sale_usd,
  s.buyers,
  v.visitors,
  round(s.cancelled_share, 4) as cancelled_share,
  coalesce(m.refunds_usd, 0) as refunds_usd
from sales s
left join money m on m.kpi_month = s.kpi_month
left join visitors v on v.kpi_month = s.kpi_month
