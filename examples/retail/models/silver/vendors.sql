select
  vendor_id,
  vendor_name,
  country as country_code,
  contract_start,
  continental_decimal(yearly_volume) as yearly_volume_eur
from bronze.vendors
