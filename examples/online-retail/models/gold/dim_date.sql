select
  date,
  cast(year(date) as integer) as year,
  cast(month(date) as integer) as month,
  cast(isodow(date) as integer) as day_of_week,
  strftime(date, '%A') as day_name
from (
  select cast(unnest(generate_series(min(invoice_date), max(invoice_date), interval 1 day)) as date) as date
  from silver.invoice_lines
)
