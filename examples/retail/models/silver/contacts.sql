select contact_id, account_id, first_name, last_name, lower(email) as email, title
from new(bronze.crm_contacts)
