"""The online-retail example over a real shop's export: what Sluice says must equal what DuckDB alone computes over the raw file."""

import os
import pathlib
import shutil

import duckdb
import pytest
from sluice_runs import REPO, ask, query, sluice

SHARED = pathlib.Path(os.environ.get("SLUICE_SHARED", REPO.parent / "shared"))
EXPORT = SHARED / "data/online-retail/online_retail_sample.csv"

pytestmark = pytest.mark.skipif(not EXPORT.exists(), reason=f"{EXPORT} is absent: set SLUICE_SHARED to the folder that holds data/online-retail")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("online") / "project"
    shutil.copytree(REPO / "examples/online-retail", folder, ignore=shutil.ignore_patterns("lake", "landing", ".sluice"))
    (folder / "landing").mkdir()
    shutil.copy(EXPORT, folder / "landing")
    sluice(folder, "run")
    return folder


@pytest.fixture(scope="module")
def raw():
    """The same rules, written down a second time in plain SQL: `line` has every record, `kept` those that may stay."""
    db = duckdb.connect()
    db.execute(f"""
        create table line as
        select row_number() over () as n, trim(InvoiceNo) as invoice_no, trim(StockCode) as stock_code, trim(Description) as description,
               cast(Quantity as integer) as quantity, strptime(InvoiceDate, '%m/%d/%Y %H:%M') as invoiced_at,
               cast(UnitPrice as decimal(10, 2)) as unit_price, nullif(trim(CustomerID), '') as customer_id, trim(Country) as country
        from read_csv('{EXPORT}', all_varchar = true, header = true, parallel = false)""")
    db.execute("""
        create table judged as
        with judged as (
          select *, {'a': quantity, 'b': invoiced_at, 'c': unit_price, 'd': customer_id, 'e': country} as rest,
                 row_number() over (partition by invoice_no, stock_code, description order by n) as copy
          from line)
        select *, first_value(rest) over (partition by invoice_no, stock_code, description order by n) as first_rest from judged""")
    db.execute("create table kept as select *, quantity * unit_price as amount from judged where copy = 1")
    return db


def text_rows(db, sql):
    return [tuple("" if value is None else str(value) for value in row) for row in db.execute(sql).fetchall()]


def test_every_line_is_kept_refused_or_a_duplicate(project, raw):
    (refused,) = raw.execute("select count(*) from judged where copy > 1 and rest is distinct from first_rest").fetchone()
    (kept,) = raw.execute("select count(*) from kept").fetchone()
    assert refused > 0, "the sample holds contradicting lines; a test that finds none proves nothing"
    assert ask(project, "select count(*) from bronze.invoice_lines") == str(kept)
    assert ask(project, "select count(*) from quarantine.invoice_lines") == str(refused)


def test_quarantine_names_the_lines(project, raw):
    expected = text_rows(raw, "select n from judged where copy > 1 and rest is distinct from first_rest order by n")
    assert query(project, "select row from quarantine.invoice_lines order by row") == expected


def test_totals_equal_plain_duckdb(project, raw):
    expected = text_rows(raw, """
        select country, count(distinct invoice_no), sum(quantity), sum(amount) from kept where invoice_no not like 'C%' group by all order by all""")
    assert query(project, "select country, invoices, units, sales from gold.sales_by_country order by all") == expected


def test_facts_by_day_and_product(project, raw):
    expected = text_rows(raw, """
        select cast(invoiced_at as date), stock_code, regexp_replace(description, '\\s+', ' ', 'g') as name, count(*), sum(quantity), sum(amount)
        from kept where invoice_no not like 'C%' group by all order by all""")
    found = query(project, """
        select f.invoice_date, p.stock_code, p.description, count(*), sum(f.quantity), sum(f.amount)
        from gold.fact_sales f join gold.dim_product p on p.product_key = f.product_key group by all order by all""")
    assert found == expected


def test_customers_and_cancellations(project, raw):
    expected = text_rows(raw, """
        select coalesce(customer_id, 'GUEST') as customer, count(*), sum(amount) from kept group by all order by all""")
    found = query(project, """
        select c.customer_id, count(*), sum(f.amount) from gold.fact_sales f join gold.dim_customer c on c.customer_id = f.customer_id
        group by all order by all""")
    assert found == expected
    (cancelled,) = raw.execute("select count(*) from kept where invoice_no like 'C%'").fetchone()
    assert ask(project, "select count(*) from gold.fact_cancellations") == str(cancelled)


def test_a_second_run_has_nothing_to_do(project):
    before = ask(project, "select sum(amount) from gold.fact_sales")
    version = sluice(project, "table", "history", "gold.fact_sales")
    sluice(project, "run")
    assert sluice(project, "table", "history", "gold.fact_sales") == version
    assert ask(project, "select sum(amount) from gold.fact_sales") == before
