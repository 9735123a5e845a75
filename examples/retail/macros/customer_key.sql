-- The shop's database counts users, the warehouse writes CUST000001: the same people.
create macro customer_key(user_id) as 'CUST' || lpad(cast(user_id as varchar), 6, '0')
