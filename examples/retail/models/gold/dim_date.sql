select
  date,
  cast(year(date) as integer) as year,
  cast(quarter(date) as integer) as quarter,
  cast(month(date) as integer) as month,
  strftime(date, '%Y-%m') as year_month,
  cast(isodow(date) as integer) as day_of_week,
  strftime(date, '%A') as day_name,
  isodow(date) >= 6 as is_weekend
from (
  select cast(unnest(generate_series($calendar_start, $calendar_end, interval 1 day)) as date) as date
)
