with ledger as (
  select
    strftime(transaction_date, '%Y-%m') as month,
    sum(amount_usd) filter (where transaction_type = 'payment') as payments_usd,
    sum(amount_usd) filter (where transaction_type = 'refund') as refunds_usd,
    sum(amount_usd) filter (where transaction_type = 'fee') as fees_usd,
    sum(amount_usd) as net_usd,
    count(*) filter (where not has_known_order) as entries_without_order
  from gold.fact_transactions
  group by all
),
booked as (
  select strftime(order_date, '%Y-%m') as month, sum(total_amount_usd) filter (where is_sale) as sales_usd
  from gold.fact_sales
  group by all
)
select
  l.month,
  coalesce(b.sales_usd, 0) as sales_usd,
  coalesce(l.payments_usd, 0) as payments_usd,
  coalesce(l.refunds_usd, 0) as refunds_usd,
  coalesce(l.fees_usd, 0) as fees_usd,
  l.net_usd,
  coalesce(b.sales_usd, 0) - coalesce(l.payments_usd, 0) as sales_not_yet_paid_usd,
  l.entries_without_order
from ledger l
left join booked b on b.month = l.month
