select
  e.event_id,
  e.customer_id,
  cast(e.occurred_at as date) as event_date,
  e.occurred_at,
  e.event_type,
  e.page_url,
  e.product_id,
  e.device_os
from new(silver.user_events) e
