select * from new(silver.user_history)
