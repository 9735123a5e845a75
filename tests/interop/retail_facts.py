"""What truth.json of the retail example says of silver and gold, as queries over the tables: PATH → SQL giving (key, value) rows.

A path with a trailing dot takes the keys of its rows; one without takes the only row. Money compares as text, to the cent.
"""

FACTS = {
    "orders.distinct": "select '', count(*) from silver.orders",
    "orders.without_customer": "select '', count(*) from silver.orders where customer_id not in (select customer_id from silver.users)",
    "orders.by_status.": "select status, count(*) from silver.orders group by all",
    "orders.sales_usd_by_month.": "select sales_month, sum(sales_usd) from gold.monthly_sales group by all having sum(sales) > 0",
    "orders.sales_usd_by_region_channel.": "select region || '.' || channel, sales_usd from gold.mart_sales_by_region_channel where sales > 0",
    "customers.known": "select '', count(*) from silver.users",
    "customers.versions": "select '', count(*) from gold.dim_customers",
    "customers.by_versions.": """
        select cast(versions as varchar), count(*) from (select count(*) as versions from gold.dim_customers group by customer_id) group by all""",
    "customers.versions_of.": "select customer_id, count(*) from gold.dim_customers group by all having count(*) > 1",
    "products.by_category.": "select category, count(*) from gold.dim_products group by all",
    "sessions.rows": "select '', count(*) from silver.sessions",
    "sessions.pages_viewed": "select '', sum(pages_viewed) from silver.sessions",
    "subscriptions.active": "select '', count(*) from silver.subscriptions where cancelled_on is null",
    "subscriptions.monthly_usd": "select '', sum(monthly_price_usd) from silver.subscriptions where cancelled_on is null",
    "transactions.rows": "select '', count(*) from gold.fact_transactions",
    "transactions.without_order": "select '', count(*) from gold.fact_transactions where not has_known_order",
    "transactions.usd_by_type.": "select transaction_type, sum(amount_usd) from gold.fact_transactions group by all",
    "transactions.net_usd_by_month.": "select month, net_usd from gold.mart_finance",
    "inventory.counted_by_warehouse.": "select warehouse_id, sum(quantity_on_hand) from silver.inventory group by all",
    "inventory.movements": "select '', count(*) from gold.fact_inventory",
    # The running balance at the last movement of each product and warehouse, not the plain sum: it proves the window too.
    "inventory.net_change_by_warehouse.": """
        select warehouse_id, sum(net_change_so_far) from (
          select * from gold.fact_inventory
          qualify row_number() over (partition by product_id, warehouse_id order by occurred_at desc, update_id desc) = 1)
        group by all""",
    "user_events.by_type.": "select event_type, count(*) from gold.fact_user_events group by all",
    "user_events.by_month.": "select strftime(activity_date, '%Y-%m'), sum(events) from gold.daily_user_activity group by all",
    "order_events.by_type.": "select event_type, count(*) from silver.order_events group by all",
    "order_events.items": "select '', count(*) from silver.order_items",
    "order_events.items_quantity": "select '', coalesce(sum(units_sold), 0) from gold.mart_product_performance",
    "order_events.items_revenue": "select '', sum(line_amount) from silver.order_items",
    "system_metrics.samples.": "select service, sum(samples) from gold.mart_system_performance group by all",
    "system_metrics.slowest_ms.": "select service, cast(max(slowest) as decimal(12, 2)) from gold.mart_system_performance group by all",
    "employees.monthly_payroll_eur.": "select department, sum(monthly_salary_eur) from silver.employees group by all",
    "vendors.yearly_volume_eur": "select '', sum(yearly_volume_eur) from silver.vendors",
    "crm.accounts": "select '', count(*) from silver.accounts",
    "crm.contacts": "select '', count(*) from silver.contacts",
    "crm.contacts_without_account": "select '', count(*) from silver.contacts where account_id not in (select account_id from silver.accounts)",
    "crm.opportunities_by_stage.": "select stage, count(*) from silver.opportunities group by all",
    "crm.won_usd": "select '', sum(amount_usd) from silver.opportunities where stage = 'won'",
}


def flatten(facts, prefix=""):
    """{"a": {"b": 1}} → {"a.b": "1"}"""
    flat = {}
    for key, value in facts.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = str(value)
    return flat


def facts_of(query):
    """All facts as the tables have them; `query` takes SQL and gives rows of two values."""
    found = {}
    for path, sql in FACTS.items():
        for key, value in query(sql):
            found[path + (key if path.endswith(".") else "")] = str(value)
    return found
