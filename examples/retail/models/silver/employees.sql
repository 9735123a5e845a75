select
  employee_id,
  name as employee_name,
  department,
  hire_date,
  continental_decimal(monthly_salary) as monthly_salary_eur,
  manager_id
from bronze.employees
