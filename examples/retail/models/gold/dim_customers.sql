select customer_id, first_name, last_name, email, city, state, country_code, country_name, region, updated_at
from new(silver.user_history)
