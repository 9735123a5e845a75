"""Scenarios of live sources: a real PostgreSQL server and an HTTP server, on this machine, beside the same processors."""
import glob
import os
import subprocess
import sys
import tempfile

from ingest_scenarios import sluice_run, statements
from lake import content, delta_files
from measure import against, interleaved, show, timed
from setting import HERE, ROWS, RUNS, THREADS, equal, python

TABLE = """create table orders as select i::bigint as id, 'CUST' || lpad((i % 99991)::text, 6, '0') as customer, (i * 37 % 500000 / 100.0)::numeric(12,2) as amount,
(i % 40)::int as quantity, timestamptz '2024-01-01' + i * interval '3 s' as ordered_at, date '2024-01-01' + (i % 900)::int as due, i % 3 = 0 as is_gift,
case when i % 5 = 0 then null else 'as agreed by telephone' end as note from generate_series(1, {}) i"""
CONTRACT = """contract:
  columns:
    - { name: id, type: bigint, not_null: true }
    - { name: customer, type: string }
    - { name: amount, type: "decimal(12,2)", min: 0 }
    - { name: status, type: string, values: [open, paid, sent] }
    - { name: updated_at, type: timestamp }
    - { name: note, type: string }
"""
COLUMNS = "id, customer, amount::VARCHAR, quantity, epoch_us(ordered_at), due::VARCHAR, is_gift, note"


def write(project, top, source):
    os.makedirs(os.path.join(project, "sources"))
    for path, text in (("sluice.yml", f"project: bench\nlake: ./lake\nconnections:\n  peer: {top}\n"), ("sources/orders.yml", "connection: peer\n" + source)):
        with open(os.path.join(project, path), "w") as file:
            file.write(text)


def postgres(folder):
    """A table of 8 columns, whole, over TLS, beside the server's own COPY and the readers that data engineers use."""
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", os.path.join(HERE, "postgres/requirements.txt")], check=True)
    sys.path.insert(0, os.path.join(HERE, "..", "tests", "interop"))
    from postgres_server import BIN, DATABASE, PASSWORD, USER, Postgres
    from urllib.parse import quote
    with tempfile.TemporaryDirectory(prefix="sluice-bench-pg-") as place:
        server = Postgres(place)
        try:
            server.sql(TABLE.format(ROWS) + "; alter table orders add primary key (id);\nvacuum analyze orders")
            os.environ |= {"SHOP_PASSWORD": PASSWORD, "SHOP_PORT": str(server.port)}
            project, out = os.path.join(folder, "project"), os.path.join(folder, "out")
            write(project, server.connection(), "read: { table: public.orders }\nload: full\n")
            url = f"postgresql://{USER}:{quote(PASSWORD, safe='')}@localhost:{server.port}/{DATABASE}"
            tls = f"sslmode=verify-full&sslrootcert={place}/ca.pem"
            copy = [str(BIN / "psql"), "-X", "-q", f"{url}?{tls}", "-c", r"\copy (select * from orders) to '/dev/null' (format binary)"]
            measured = interleaved(RUNS, sluice_run(project), lambda: timed(copy)[0],
                                   statements(out, "postgres/peers.py", "connectorx", f"{url}?sslmode=require", out, THREADS),
                                   statements(out, "postgres/peers.py", "adbc", f"{url}?{tls}", out, THREADS))
            size = int(server.sql("select pg_relation_size('orders')")) / 1e6
            found = content(delta_files(f"{project}/lake/bronze/orders"), COLUMNS)
            equal("contents", found, content(glob.glob(f"{out}/*.parquet"), COLUMNS))
        finally:
            server.stop()
    show(f"PostgreSQL, {ROWS:,} rows of 8 columns, {size:.0f} MB in the server, TLS, {THREADS} threads: sluice run, the whole process", measured[0], measured[1],
         "COPY … (FORMAT binary) by psql, dropped", size, "equal contents (of the last peer); a server's own CPU is not counted")
    against("ConnectorX to Arrow, then Parquet", measured[0], measured[2], size)
    against("ADBC to Parquet, in batches", measured[0], measured[3], size)


def http(folder):
    """Pages of an API into a table, beside the same requests alone."""
    size, pages = 1000, (ROWS + 999) // 1000
    with subprocess.Popen(python("http/server.py", ROWS, size), stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline())
            project = os.path.join(folder, "project")
            write(project, f"{{ type: http, url: \"http://127.0.0.1:{port}\" }}",
                  "read: { request: { path: /orders, records: data, pages: { by: page, total: total } } }\nload: full\n" + CONTRACT)
            ours, alone = interleaved(RUNS, sluice_run(project), statements(os.path.join(folder, "none"), "http/fetch.py", port, pages))
            rows = content(delta_files(f"{project}/lake/bronze/orders"), "id")[0]
            equal("rows", rows, ROWS)
        finally:
            server.terminate()
    show(f"HTTP, {ROWS:,} records on {pages:,} pages: sluice run, the whole process", ours, alone, "the requests alone, dropped")


SCENARIOS = {"postgres": postgres, "http": http}
