select
  cast(occurred_at as date) as date,
  service,
  metric,
  count(*) as samples,
  round(avg(value), 2) as average,
  quantile_cont(value, 0.95) as p95,
  max(value) as slowest
from silver.system_metrics
group by all
