-- The same day may be delivered again by a later file: the last one counts.
select rate_date, currency, usd_per_unit
from bronze.fx_rates
qualify row_number() over (partition by currency, rate_date order by _ingested_at desc, _file desc, _row desc) = 1
