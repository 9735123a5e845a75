select
  session_id,
  customer_key(user_id) as customer_id,
  started_at,
  date_diff('second', started_at, ended_at) as seconds,
  device,
  pages_viewed
from new(bronze.user_sessions)
