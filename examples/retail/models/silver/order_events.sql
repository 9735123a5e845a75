select event_id, order_id, event_type, occurred_at, items
from bronze.order_events
-- delivered at least once: the first arrival counts
qualify row_number() over (partition by event_id order by _ingested_at, _file, _row) = 1
