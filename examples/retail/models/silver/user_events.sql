-- Delivered at least once. The contract drops repeats within a batch; here go those that an earlier run has already brought.
-- What remains is only ever added, so that readers may in turn read just what is new.
select
  e.event_id,
  customer_key(e.user_id) as customer_id,
  e.event_type,
  e.page_url,
  e.product_id,
  e.device.os as device_os,
  e.device.app_version as app_version,
  e.occurred_at
from new(bronze.user_events) e
where not exists (select 1 from this t where t.event_id = e.event_id)
