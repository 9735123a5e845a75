select
  cast(occurred_at as date) as activity_date,
  event_type,
  count(*) as events,
  count(distinct customer_id) as customers
from silver.user_events
where occurred_at >= $window_start and occurred_at < $window_end
group by all
