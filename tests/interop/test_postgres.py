"""Tables of a real PostgreSQL server into bronze: full, what changed, types, errors, kills."""

import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from postgres_server import BIN, PASSWORD, Postgres, Proxy
from sluice_runs import ask, query, said, sluice, start

pytestmark = pytest.mark.skipif(BIN is None, reason="no PostgreSQL server: run scripts/setup test")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Postgres(tmp_path_factory.mktemp("postgres"))
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(made.environment)
    yield made
    os.environ.clear()
    os.environ.update(before)
    if made.process.poll() is None:
        made.stop("immediate")


def project(folder, server, sources, connection=None):
    """A project with those sources: name → YAML behind `connection`."""
    folder.mkdir(exist_ok=True)
    (folder / "sources").mkdir(exist_ok=True)
    (folder / "sluice.yml").write_text(f"project: shop\nlake: ./lake\nconnections:\n  shop: {connection or server.connection()}\n")
    for name, text in sources.items():
        (folder / "sources" / f"{name}.yml").write_text("connection: shop\n" + text)
    return folder


def count(folder, table):
    return int(ask(folder, f"select count(*) from {table}"))


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.02)


def cursor_of(folder, table):
    records = sorted((folder / "lake/_sluice/batches" / table).glob("*.ready*"))
    return json.loads(records[-1].read_text())["cursor"]


# ---- full


def test_a_table_becomes_bronze_with_each_row_once(server, tmp_path):
    server.sql("""create table items (id int primary key, name text, price numeric(12,2), made timestamptz);
        insert into items select i, 'item ' || i, i * 0.01, '2024-01-01Z'::timestamptz + i * interval '1 s' from generate_series(1, 5000) i""")
    folder = project(tmp_path / "p", server, {"items": "read: { table: public.items }\nload: full\n"})
    assert "in 5,000 = new 5,000" in sluice(folder, "run")
    assert query(folder, "select count(*), count(distinct id), sum(price), min(made), max(made) from bronze.items") == [
        ("5000", "5000", "125025.00", "2024-01-01 00:00:01+00", "2024-01-01 01:23:20+00")]
    assert query(folder, "select distinct _file, _source from bronze.items") == [("public.items", "items")]
    assert query(folder, "select min(_row), max(_row), count(distinct _row) from bronze.items") == [("1", "5000", "5000")]
    server.sql("delete from items where id > 10")
    sluice(folder, "run")  # every batch is a snapshot
    assert query(folder, "select _batch_id, count(*) from bronze.items group by 1 order by 1") == [("1", "5000"), ("2", "10")]


def test_keep_latest_replaces_the_snapshot_before(server, tmp_path):
    server.sql("create table latest as select i as id from generate_series(1, 100) i; grant select on latest to etl")
    folder = project(tmp_path / "p", server, {"latest": "read: { table: latest }\nload: full\nkeep: latest\n"})
    sluice(folder, "run")
    server.sql("delete from latest where id <= 40")
    sluice(folder, "run")
    assert query(folder, "select count(*), min(id) from bronze.latest") == [("60", "41")]


def test_a_large_table_is_read_in_ranges_and_nothing_is_lost_or_twice(server, tmp_path):
    server.sql("create table large as select i as id, repeat('x', 400) || i as filler, i % 7 as g from generate_series(1, 250000) i; grant select on large to etl")
    folder = project(tmp_path / "p", server, {"large": "read: { table: public.large }\nload: full\npartition_by: [g]\n"})
    sluice(folder, "run", "--threads", 2, "--memory", "1GB")
    assert query(folder, "select count(*), count(distinct id), sum(id), count(distinct _row), max(_row) from bronze.large") == [
        ("250000", "250000", "31250125000", "250000", "250000")]
    ready = next((folder / "lake/_sluice/batches/bronze.large").glob("*.ready*")).read_text()
    assert int(re.search(r'"splits":(\d+)', ready)[1]) > 1


def test_all_splits_are_of_one_snapshot_while_others_write(server, tmp_path):
    """Each transaction moves an amount from one row to another: the sum is the same in every snapshot."""
    server.sql("""create table accounts as select i as id, 100 as amount, repeat('x', 600) as filler from generate_series(1, 120000) i;
        alter table accounts add primary key (id); grant select on accounts to etl""")
    folder = project(tmp_path / "p", server, {"accounts": "read: { table: accounts }\nload: full\n"})
    stop = threading.Event()

    def move():
        session = server.session()
        for i in itertools.count():
            if stop.is_set():
                break
            a, b = i * 7919 % 120000 + 1, 120000 - i * 104729 % 120000
            session.sql(f"begin; update accounts set amount = amount - 1 where id = {a}; update accounts set amount = amount + 1 where id = {b}; commit")
        session.close()

    mover = threading.Thread(target=move)
    mover.start()
    try:
        sluice(folder, "run", "--threads", 2)
    finally:
        stop.set()
        mover.join()
    assert query(folder, "select count(*), count(distinct id), sum(amount) from bronze.accounts") == [("120000", "120000", "12000000")]


def test_partitioned_tables_views_and_queries(server, tmp_path):
    server.sql("""create table parts (id int, day date) partition by range (day);
        create table parts_a partition of parts for values from ('2024-01-01') to ('2024-02-01');
        create table parts_b partition of parts for values from ('2024-02-01') to ('2024-03-01');
        insert into parts select i, '2024-01-01'::date + i from generate_series(0, 50) i;
        create view some_parts as select id * 2 as twice from parts where id < 10; grant select on parts, some_parts to etl""")
    folder = project(tmp_path / "p", server, {
        "parts": "read: { table: public.parts }\nload: full\n",
        "some": "read: { table: public.some_parts }\nload: full\n",
        "summed": "read: { query: \"select day, count(*) as n -- of each day\\nfrom parts group by day;\" }\nload: full\n"})
    sluice(folder, "run")
    assert count(folder, "bronze.parts") == 51
    assert ask(folder, "select sum(twice) from bronze.some") == "90"
    assert query(folder, "select count(*), sum(n), any_value(_file) from bronze.summed") == [("51", "51", "query")]


def test_columns_are_left_out_and_hashed_before_they_leave_the_server(server, tmp_path):
    server.sql("create table people (id int, password_hash text, ssn text); insert into people values (1, 'topsecret', '078-05-1120'), (2, 'topsecret', null)")
    folder = project(tmp_path / "p", server, {"many": "defaults: { load: full }\ntables:\n  public.people: { as: persons, exclude: [password_hash], hash: [ssn] }\n"})
    sluice(folder, "run")
    assert query(folder, "select * from bronze.persons order by id") == [
        ("1", hashlib.sha256(b"078-05-1120").hexdigest()), ("2", "")]
    for path in (folder / "lake").rglob("*"):
        if path.is_file():
            assert b"topsecret" not in path.read_bytes() and b"078-05-1120" not in path.read_bytes()


# ---- the contract


def test_rows_meet_the_contract_and_refused_ones_can_be_replayed(server, tmp_path):
    server.sql("""create table orders (id int, status text, total numeric(10,2));
        insert into orders values (1, 'paid', 10), (2, 'lost', 20), (3, 'paid', -5), (3, 'paid', -5), (4, null, 1), (5, 'paid', 1), (5, 'paid', 1)""")
    folder = project(tmp_path / "p", server, {"orders": """read: { table: orders }
load: full
contract:
  unique: [id]
  columns:
    - { name: id, type: bigint, not_null: true }
    - { name: status, type: string, not_null: true, values: [paid, open] }
    - { name: total, type: "decimal(10,2)", min: 0 }
"""})
    assert "in 7 = new 2 + quarantined 4 + duplicate 1" in sluice(folder, "run")
    assert sorted(query(folder, "select id, total from bronze.orders")) == [("1", "10.00"), ("5", "1.00")]
    rows = query(folder, "select file, record, violations[1].\"rule\" from quarantine.orders order by \"row\"")
    assert {row[2] for row in rows} == {"values", "min", "not_null"} and {row[0] for row in rows} == {"orders"}
    assert any('"status":"lost"' in row[1] for row in rows)
    (folder / "sources/orders.yml").write_text((folder / "sources/orders.yml").read_text().replace("[paid, open]", "[paid, open, lost]"))
    sluice(folder, "quarantine", "replay", "orders")
    assert sorted(query(folder, "select id from bronze.orders")) == [("1",), ("2",), ("5",)]


def test_deduplicate_keeps_the_newest_of_a_key(server, tmp_path):
    server.sql("create table dups as select i % 10 as id, i as version from generate_series(1, 100) i; grant select on dups to etl")
    folder = project(tmp_path / "p", server, {"dups": "read: { table: dups }\nload: full\ndeduplicate: { key: [id], order_by: [version] }\n"})
    assert "in 100 = new 10 + duplicate 90" in sluice(folder, "run")
    assert query(folder, "select min(version), max(version) from bronze.dups") == [("91", "100")]


def test_a_new_column_evolves_and_a_missing_one_fails(server, tmp_path):
    server.sql("create table evolving (id int); insert into evolving values (1)")
    folder = project(tmp_path / "p", server, {"evolving": "read: { table: evolving }\nload: full\nkeep: latest\ncontract: { columns: [{ name: id, type: integer }] }\n"})
    sluice(folder, "run")
    server.sql("alter table evolving add note text; insert into evolving values (2, 'new')")
    sluice(folder, "run")
    assert query(folder, "select id, note from bronze.evolving order by id") == [("1", ""), ("2", "new")]
    server.sql("alter table evolving drop column id")
    assert "error[missing-column]" in said(folder, "run", expect=3)


# ---- types

TYPES = """create type mood as enum ('sad', 'ok', 'happy');
create type pair as (a int, b text);
create domain positive as numeric(9,3) check (value > 0);
create table types (
  id int, b boolean, i2 smallint, i8 bigint, f4 real, f8 double precision, n numeric(20,4), free numeric, big numeric(50,10), neg numeric(5,-2), dom positive,
  t text, v varchar(10), c char(5), j json, jb jsonb, u uuid, bin bytea, d date, ts timestamp, tz timestamptz, tm time, tmz timetz, iv interval,
  m mood, r int4range, tr tstzrange, mr int4multirange, ints int[], texts text[], moods mood[], nums numeric(6,2)[], ivs interval[], uuids uuid[], p pair, ps pair[],
  ip inet, mac macaddr, pt point, bt bit(4), x xml, money_ money, o oid, ch "char", nm name);
insert into types values (1, true, -32768, 9223372036854775807, 1.5, 0.1, -1234567890123456.7891, 1e-30, 12345678901234567890123456789012345678.0123456789, 12300, 1.5,
  'grün', 'vär', 'ab', '{"a": [1, 2]}', '{"b": null, "a": 1}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\\x00ff10', '2024-02-29', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.789012+02',
  '23:59:59.123456', '10:00:00+02', '1 year 2 mons 3 days 04:05:06.789', 'happy', '[1,5)', '[2024-01-01 00:00:00+00,)', '{[1,3),[7,9)}', '{1,null,3}', '{"a,b",null,""}', '{sad,ok}',
  '{1.50,-2.25}', '{1 day,2 hours}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '(1,x)', '{"(1,x)","(2,y)"}', '10.0.0.1/8', '08:00:2b:01:02:03', '(1,2)', '1010', '<a>b</a>', '$1,234.50', 4294967295, 'z', 'nm'),
  (2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
  null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);"""

EXPECTED = {
    "b": ("BOOLEAN", "true"), "i2": ("SMALLINT", "-32768"), "i8": ("BIGINT", "9223372036854775807"), "f4": ("FLOAT", "1.5"), "f8": ("DOUBLE", "0.1"),
    "n": ("DECIMAL(20,4)", "-1234567890123456.7891"), "free": ("VARCHAR", "0.000000000000000000000000000001"),
    "big": ("VARCHAR", "12345678901234567890123456789012345678.0123456789"), "neg": ("VARCHAR", "12300"), "dom": ("DECIMAL(9,3)", "1.500"), "t": ("VARCHAR", "grün"), "v": ("VARCHAR", "vär"),
    "c": ("VARCHAR", "ab   "), "j": ("VARCHAR", '{"a": [1, 2]}'), "jb": ("VARCHAR", '{"a": 1, "b": null}'), "u": ("VARCHAR", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "bin": ("BLOB", "\\x00\\xFF\\x10"), "d": ("DATE", "2024-02-29"), "ts": ("TIMESTAMP", "2024-02-29 12:34:56.789012"),
    "tz": ("TIMESTAMP WITH TIME ZONE", "2024-02-29 10:34:56.789012+00"), "tm": ("VARCHAR", "23:59:59.123456"), "tmz": ("VARCHAR", "10:00:00+02"),
    "iv": ("VARCHAR", "P1Y2M3DT4H5M6.789S"), "m": ("VARCHAR", "happy"), "r": ("VARCHAR", "[1,5)"), "tr": ("VARCHAR", '["2024-01-01 00:00:00+00",)'),
    "mr": ("VARCHAR", "{[1,3),[7,9)}"), "ints": ("INTEGER[]", "[1, NULL, 3]"), "texts": ("VARCHAR[]", "['a,b', NULL, '']"), "moods": ("VARCHAR[]", "[sad, ok]"),
    "nums": ("DECIMAL(6,2)[]", "[1.50, -2.25]"), "ivs": ("VARCHAR[]", "[P1D, PT2H]"), "uuids": ("VARCHAR[]", "[a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11]"),
    "p": ("VARCHAR", '{"a":1,"b":"x"}'), "ps": ("VARCHAR", '[{"a":1,"b":"x"},{"a":2,"b":"y"}]'), "ip": ("VARCHAR", "10.0.0.1/8"),
    "mac": ("VARCHAR", "08:00:2b:01:02:03"), "pt": ("VARCHAR", "(1,2)"), "bt": ("VARCHAR", "1010"), "x": ("VARCHAR", "<a>b</a>"), "money_": ("VARCHAR", "$1,234.50"),
    "o": ("BIGINT", "4294967295"), "ch": ("VARCHAR", "z"), "nm": ("VARCHAR", "nm"),
}


def test_every_type_comes_as_the_table_of_mappings_says(server, tmp_path):
    server.sql(TYPES)
    folder = project(tmp_path / "p", server, {"types": "read: { table: types }\nload: full\n"})
    assert "in 2 = new 2" in sluice(folder, "run")
    names = list(EXPECTED)
    (values,) = query(folder, f"select {', '.join(names)} from bronze.types where id = 1")
    (types,) = query(folder, "select " + ", ".join(f"typeof({name})" for name in names) + " from bronze.types where id = 1")
    assert {name: (type_, value) for name, type_, value in zip(names, types, values)} == EXPECTED
    (empty,) = query(folder, "select " + " and ".join(f"{name} is null" for name in names) + " from bronze.types where id = 2")
    assert empty == ("true",)


def test_what_has_no_place_in_a_type_is_refused_never_changed(server, tmp_path):
    server.sql("""create table odd (id int, d date, ts timestamp, tz timestamptz, n numeric(6,2), free numeric, a int[], f real);
        insert into odd values (1, '2024-01-01', '2024-01-01', '2024-01-01Z', 1.5, 7, '{1}', 1), (2, 'infinity', '2024-01-01', '2024-01-01Z', 1, 1, '{1}', 1),
        (3, '2024-01-01', '-infinity', '2024-01-01Z', 1, 1, '{1}', 1), (4, '2024-01-01', '2024-01-01', '20000-01-01Z', 1, 1, '{1}', 1),
        (5, '2024-01-01', '2024-01-01', '2024-01-01Z', 'NaN', 1, '{1}', 1), (6, '2024-01-01', '2024-01-01', '2024-01-01Z', 1, 1.005, '{1}', 1),
        (7, '2024-01-01', '2024-01-01', '2024-01-01Z', 1, 'Infinity', '{1}', 1), (8, '2024-01-01', '2024-01-01', '2024-01-01Z', 1, 1, '{{1,2},{3,4}}', 1),
        (9, '0044-03-15 BC', '2024-01-01', '2024-01-01Z', 1, 1, '{}', 'NaN'), (10, '0001-01-01', '9999-12-31 23:59:59.999999', '0001-01-01Z', -9999.99, 99, '{}', '-Infinity')""")
    folder = project(tmp_path / "p", server, {"odd": """read: { table: odd }
load: full
contract:
  columns:
    - { name: id, type: bigint }
    - { name: d, type: date }
    - { name: ts, type: timestamp_ntz }
    - { name: tz, type: timestamp }
    - { name: n, type: "decimal(6,2)" }
    - { name: free, type: "decimal(10,2)" }
    - { name: a, type: "list<integer>" }
    - { name: f, type: float }
"""})
    assert "in 10 = new 2 + quarantined 8" in sluice(folder, "run")
    assert query(folder, "select id, d, ts, tz, n, free, a, f from bronze.odd order by id") == [
        ("1", "2024-01-01", "2024-01-01 00:00:00", "2024-01-01 00:00:00+00", "1.50", "7.00", "[1]", "1.0"),
        ("10", "0001-01-01", "9999-12-31 23:59:59.999999", "0001-01-01 00:00:00+00", "-9999.99", "99.00", "[]", "-inf")]
    refused = query(folder, "select record->>'id', violations[1].\"column\", violations[1].value from quarantine.odd order by 1")
    assert [(row[0], row[1]) for row in refused] == [("2", "d"), ("3", "ts"), ("4", "tz"), ("5", "n"), ("6", "free"), ("7", "free"), ("8", "a"), ("9", "d")]
    values = {row[0]: row[2] for row in refused}
    assert (values["2"], values["3"], values["5"], values["6"], values["7"], values["8"]) == ("infinity", "-infinity", "NaN", "1.005", "Infinity", "[[1,2],[3,4]]")


def test_names_that_need_quotes_and_text_of_any_kind(server, tmp_path):
    server.sql("""create schema "My ""S"; grant usage on schema "My ""S" to etl; create table "My ""S"."Select" ("Group" int, "a b" text, "é" text);
        insert into "My ""S"."Select" values (1, E'tab\\t new\\nline \\\\ ''quote'' "double"', '');
        insert into "My ""S"."Select" select i, repeat('long ', 200000), null from generate_series(2, 4) i; grant select on "My ""S"."Select" to etl""")
    folder = project(tmp_path / "p", server, {"odd_names": "read: { table: 'My \"S.Select' }\nload: full\n"})
    assert "in 4 = new 4" in sluice(folder, "run")
    assert query(folder, 'select "Group", "a b", "é" = \'\' from bronze.odd_names where "Group" = 1') == [("1", "tab\t new\nline \\ 'quote' \"double\"", "true")]
    assert ask(folder, 'select sum(length("a b")) from bronze.odd_names where "Group" > 1') == "3000000"


def test_an_empty_table_and_one_without_rights(server, tmp_path):
    server.sql("create table empty_one (id int, name text); create table forbidden (id int); revoke all on forbidden from etl")
    folder = project(tmp_path / "p", server, {"empty_one": "read: { table: empty_one }\nload: full\n", "forbidden": "read: { table: forbidden }\nload: full\n"})
    out = said(folder, "run", expect=1)
    assert "error[postgres-forbidden]" in out and "GRANT SELECT" in out
    assert re.search(r"bronze\.empty_one +ok .* in 0 ", out), out
    assert count(folder, "bronze.empty_one") == 0


def test_a_row_that_is_too_long_is_set_aside(server, tmp_path):
    server.sql("create table wide (id int, note text); insert into wide values (1, 'short'), (3, 'short'); insert into wide select 2, repeat('0123456789', 3000000)")
    folder = project(tmp_path / "p", server, {"wide": "read: { table: wide }\nload: full\n"})
    assert "in 3 = new 2 + quarantined 1" in sluice(folder, "run", "--memory", "256MiB")
    assert query(folder, "select record, violations[1].\"rule\" from quarantine.wide") == [('{"id":2,"note":null}', "length")]


def test_a_text_that_is_no_utf8_is_refused_and_the_others_come(server, tmp_path):
    server.sql("create database ascii encoding 'SQL_ASCII' locale 'C' template template0", database="postgres")
    server.sql("create table bytes (id int, t text); insert into bytes values (1, 'fine'), (2, E'\\xff'), (3, 'fine too'); grant select on bytes to etl", database="ascii")
    folder = project(tmp_path / "p", server, {"bytes": "read: { table: bytes }\nload: full\n"}, server.connection(database="ascii"))
    assert "in 3 = new 2 + quarantined 1" in sluice(folder, "run")
    server.sql("create database western encoding 'WIN1252' locale 'C' template template0", database="postgres")
    server.sql("create table bytes (id int, t text); insert into bytes values (1, chr(129)); grant select on bytes to etl", database="western")
    project(folder, server, {"other": "read: { table: bytes }\nload: full\n"}, server.connection(database="western"))
    out = said(folder, "run", "-s", "bronze.other", expect=1)
    assert "error[postgres-encoding]" in out and "sources/other.yml" in out and "exclude" in out


def test_the_text_of_a_time_or_number_does_not_depend_on_its_neighbours(server, tmp_path):
    server.sql("""create table as_text (id int, tz timestamptz, d date, tzs timestamptz[]); create view as_text_alone as select * from as_text where id = 1;
        insert into as_text values (1, '2024-01-01Z', '2024-01-01', '{2024-01-01Z}'), (2, 'infinity', '0044-03-15 BC', '{infinity}'); grant select on as_text_alone to etl""")
    contract = """load: full
contract:
  columns: [{ name: id, type: bigint }, { name: tz, type: string }, { name: d, type: string }, { name: tzs, type: "list<string>" }]
"""
    folder = project(tmp_path / "p", server, {"both": "read: { table: as_text }\n" + contract, "alone": "read: { table: as_text_alone }\n" + contract})
    sluice(folder, "run")
    first = ("2024-01-01 00:00:00+00", "2024-01-01", "[2024-01-01 00:00:00+00]")
    strip = lambda rows: [tuple(value.replace("'", "") for value in row) for row in rows]
    assert strip(query(folder, "select tz, d, tzs from bronze.alone")) == [first]
    assert strip(query(folder, "select tz, d, tzs from bronze.both order by id")) == [first, ("infinity", "0044-03-15 BC", "[infinity]")]


def test_json_in_a_composite_is_as_it_was_written(server, tmp_path):
    server.sql("create type holds_json as (j json); create table in_composite (c holds_json); insert into in_composite values (row('{\"b\": 1.0, \"a\": 2, \"a\": 3}'::json))")
    folder = project(tmp_path / "p", server, {"c": "read: { table: in_composite }\nload: full\n"})
    sluice(folder, "run")
    assert query(folder, "select c from bronze.c") == [('{"j":{"b": 1.0, "a": 2, "a": 3}}',)]


def test_columns_that_a_table_cannot_tell_apart_are_named(server, tmp_path):
    server.sql('create table twins (id int, "ID" int)')
    for name, read in {"table": "table: twins", "query": "query: 'select 1 as id, 2 as id'"}.items():
        folder = project(tmp_path / name, server, {"twins": f"read: {{ {read} }}\nload: full\n"})
        out = said(folder, "run", expect=1)
        assert "error[duplicate-column]" in out and "sources/twins.yml" in out and '"id"' in out, out


# ---- what changed

INCREMENTAL = "load: incremental\ncursor: updated_at\nlookback: 10m\n"


def changing(server, name, rows=100):
    server.sql(f"""create table {name} (id int primary key, v int, updated_at timestamptz);
        insert into {name} select i, 0, now() - interval '1 day' + i * interval '1 s' from generate_series(1, {rows}) i""")


def ids(folder, name):
    return sorted(int(row[0]) for row in query(folder, f"select id from bronze.{name}"))


def test_an_increment_brings_each_version_once_and_nothing_when_nothing_changed(server, tmp_path):
    changing(server, "steps")
    folder = project(tmp_path / "p", server, {"steps": "read: { table: steps }\n" + INCREMENTAL})
    assert "in 100 = new 100" in sluice(folder, "run")
    assert "up to date" in sluice(folder, "run")
    server.sql("update steps set v = 1, updated_at = now() where id <= 3; insert into steps values (101, 0, now())")
    assert "in 4 = new 4" in sluice(folder, "run")
    assert "up to date" in sluice(folder, "run")
    server.sql("create table elsewhere (id int)")  # another transaction, nothing of ours
    assert " in 0 " in sluice(folder, "run")
    assert len(ids(folder, "steps")) == 104
    assert query(folder, "select id, count(*) from bronze.steps group by 1 having count(*) > 1 order by 1") == [("1", "2"), ("2", "2"), ("3", "2")]


def test_a_transaction_that_commits_late_is_never_missed(server, tmp_path):
    """Its rows have an older time than those that were taken meanwhile, by far more than the lookback, and some were written in a savepoint."""
    changing(server, "late")
    folder = project(tmp_path / "p", server, {"late": "read: { table: late }\n" + INCREMENTAL})
    slow = server.session()
    slow.sql("begin; insert into late values (1001, 0, now() - interval '12 hours')")
    slow.sql("savepoint one; insert into late values (1002, 0, now() - interval '12 hours'); release savepoint one")
    assert "in 100 = new 100" in sluice(folder, "run")
    for i in range(5):  # the floor must not pass what is still open
        server.sql(f"insert into late values ({200 + i}, 0, now())")
        assert "in 1 = new 1" in sluice(folder, "run")
    slow.sql("savepoint two; insert into late values (1003, 0, now() - interval '12 hours'); commit")
    slow.close()
    assert "in 3 = new 3" in sluice(folder, "run")
    for i in range(3):
        server.sql(f"insert into late values ({300 + i}, 0, now())")
        assert "in 1 = new 1" in sluice(folder, "run")
    assert ids(folder, "late") == [*range(1, 101), *range(200, 205), *range(300, 303), 1001, 1002, 1003]


def test_a_transaction_that_began_before_and_wrote_after_a_batch_is_not_missed(server, tmp_path):
    """now() is when a transaction began. This one has no number yet when batches come by."""
    changing(server, "sleeper")
    folder = project(tmp_path / "p", server, {"sleeper": "read: { table: sleeper }\nload: incremental\ncursor: updated_at\n"})
    slow = server.session()
    slow.sql("begin; select now()")
    sluice(folder, "run")
    for i in range(4):
        server.sql(f"insert into sleeper values ({200 + i}, 0, clock_timestamp())")
        assert "in 1 = new 1" in sluice(folder, "run")
    slow.sql("insert into sleeper values (1001, 0, now())")
    for i in range(4):
        server.sql(f"insert into sleeper values ({300 + i}, 0, clock_timestamp())")
        assert "in 1 = new 1" in sluice(folder, "run")
    slow.sql("commit")
    slow.close()
    assert "in 1 = new 1" in sluice(folder, "run")
    assert 1001 in ids(folder, "sleeper")


def test_the_floor_rises_so_that_an_index_serves(server, tmp_path):
    changing(server, "floors")
    folder = project(tmp_path / "p", server, {"floors": "read: { table: floors }\n" + INCREMENTAL})
    for i in range(4):
        server.sql(f"insert into floors values ({200 + i}, 0, now())")
        sluice(folder, "run")
    floor = cursor_of(folder, "bronze.floors")["floor"]
    assert floor is not None
    assert server.sql(f"select count(*) from floors where updated_at < '{floor}'") == "103"


def test_a_prepared_transaction_holds_the_floor_and_comes(server, tmp_path):
    changing(server, "prepared")
    folder = project(tmp_path / "p", server, {"prepared": "read: { table: prepared }\n" + INCREMENTAL})
    server.sql("begin; insert into prepared values (1001, 0, now() - interval '5 hours'); prepare transaction 'x'")
    for i in range(4):
        server.sql(f"insert into prepared values ({200 + i}, 0, now())")
        sluice(folder, "run")
    server.sql("commit prepared 'x'")
    assert "in 1 = new 1" in sluice(folder, "run")
    assert 1001 in ids(folder, "prepared")


def test_rows_whose_cursor_is_null_come_when_they_are_written(server, tmp_path):
    changing(server, "nulls", 10)
    folder = project(tmp_path / "p", server, {"nulls": "read: { table: nulls }\n" + INCREMENTAL})
    server.sql("insert into nulls values (50, 0, null)")
    assert "in 11 = new 11" in sluice(folder, "run")
    for i in range(3):
        server.sql(f"insert into nulls values ({60 + i}, 0, now())")
        assert "in 1 = new 1" in sluice(folder, "run")
    server.sql("update nulls set v = 2 where id = 50; insert into nulls values (51, 0, null)")
    assert "in 2 = new 2" in sluice(folder, "run")


def test_cursors_of_numbers_and_none_at_all(server, tmp_path):
    server.sql("create table numbered (id bigserial primary key, v int); insert into numbered (v) select i from generate_series(1, 20) i")
    folder = project(tmp_path / "p", server, {
        "by_number": "read: { table: numbered }\nload: incremental\ncursor: id\nlookback: 5\n", "by_none": "read: { table: numbered }\nload: incremental\n"})
    sluice(folder, "run")
    for _ in range(3):
        server.sql("insert into numbered (v) values (0), (0)")
        out = sluice(folder, "run")
        assert out.count("in 2 = new 2") == 2, out
    server.sql("update numbered set v = -1 where id = 1")  # no cursor tells it, the transaction does
    sluice(folder, "run")
    assert ask(folder, "select count(*) from bronze.by_none where id = 1") == "2"
    assert count(folder, "bronze.by_number") == 26


def test_a_query_takes_the_overlap_again_and_loses_nothing(server, tmp_path):
    changing(server, "behind_query", 10)
    folder = project(tmp_path / "p", server, {"q": "read: { query: 'select id, v, updated_at from behind_query' }\n" + INCREMENTAL})
    sluice(folder, "run")
    for i in range(4):
        server.sql(f"insert into behind_query values ({60 + i}, 0, now())")
        sluice(folder, "run")
    assert sorted(set(ids(folder, "q"))) == [*range(1, 11), *range(60, 64)]


def test_a_replica_serves_snapshots_and_increments(server, tmp_path):
    server.sql("create table replicated as select i as id, repeat('x', 400) as filler from generate_series(1, 200000) i; grant select on replicated to etl")
    changing(server, "followed", 50)
    replica = server.replica()
    try:
        folder = project(tmp_path / "p", server, {"replicated": "read: { table: replicated }\nload: full\nkeep: latest\n", "followed": "read: { table: followed }\n" + INCREMENTAL},
                         server.connection(port=replica.port))
        sluice(folder, "run", "--threads", 2)
        assert query(folder, "select count(*), count(distinct id) from bronze.replicated") == [("200000", "200000")]
        for i in range(3):
            server.sql(f"insert into followed values ({100 + i}, 0, now())")
            while replica.sql(f"select count(*) from followed where id = {100 + i}") == "0":
                time.sleep(0.02)
            assert "in 1 = new 1" in sluice(folder, "run", "-s", "bronze.followed")
        assert ids(folder, "followed") == [*range(1, 51), 100, 101, 102]
    finally:
        replica.stop("immediate")


def test_a_table_that_was_swapped_under_the_cursor_is_refused(server, tmp_path):
    changing(server, "one", 3)
    changing(server, "other", 3)
    folder = project(tmp_path / "p", server, {"t": "read: { table: one }\n" + INCREMENTAL})
    sluice(folder, "run")
    (folder / "sources/t.yml").write_text("connection: shop\nread: { table: other }\n" + INCREMENTAL)
    server.sql("insert into one values (9, 9, now())")
    assert "error[other-cursor]" in said(folder, "run", expect=1)
    sluice(folder, "run", "--full-refresh", "--reload-sources")
    assert count(folder, "bronze.t") == 3


def test_many_writers_at_once_and_nothing_is_lost_or_twice(server, tmp_path):
    """Transactions of different lengths, with savepoints and rollbacks, while increments run one after another."""
    server.sql("create table busy (id bigserial primary key, updated_at timestamptz default now())")
    folder = project(tmp_path / "p", server, {"busy": "read: { table: busy }\nload: incremental\ncursor: updated_at\n"})
    stop = threading.Event()

    def write(n):
        session = server.session()
        for i in itertools.count():
            if stop.is_set():
                break
            session.sql("begin; insert into busy default values")
            time.sleep(0.003 * (n * i % 17))
            session.sql("savepoint s; insert into busy default values; insert into busy default values")
            if i % 5 == 0:
                session.sql("rollback to savepoint s")
            session.sql("rollback" if i % 7 == 0 else "commit")
        session.close()

    writers = [threading.Thread(target=write, args=(n,)) for n in range(1, 5)]
    for writer in writers:
        writer.start()
    for _ in range(15):
        sluice(folder, "run")
    stop.set()
    for writer in writers:
        writer.join()
    sluice(folder, "run")
    there = sorted(int(line) for line in server.sql("select id from busy").split())
    assert len(there) > 100
    assert ids(folder, "busy") == there


@pytest.mark.parametrize("what", ["table", "partition", "view", "query"])
def test_a_table_that_is_emptied_and_filled_while_its_read_begins_is_read_whole(server, tmp_path, what):
    """The snapshot is of before, the lock is got afterwards: what the table had is gone, and what it has is not in the snapshot."""
    name = f"refilled_{what}"
    if what == "partition":
        server.sql(f"create table {name} (id int) partition by range (id); create table {name}_part partition of {name} for values from (0) to (5000)")
    else:
        server.sql(f"create table {name} (id int)")
    server.sql(f"insert into {name} select generate_series(1, 1000); create view {name}_view as select id from {name}")
    read = {"view": f"table: {name}_view", "query": f"query: 'select id from {name}'"}.get(what, f"table: {name}")
    folder = project(tmp_path / "p", server, {"t": f"read: {{ {read} }}\nload: full\nkeep: latest\n"})
    held = f"{name}_part" if what == "partition" else name
    filler = server.session()
    filler.sql(f"begin; truncate {held}; insert into {name} select generate_series(1, 1000)")
    process = start(folder, "run", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until(lambda: server.sql("select count(*) from pg_locks where locktype = 'relation' and not granted") == "1")
    filler.sql("commit")
    filler.close()
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    assert query(folder, "select count(*), count(distinct id) from bronze.t") == [("1000", "1000")]


def test_rows_that_no_transaction_of_the_server_wrote_are_read_again(server, tmp_path):
    """Of foreign tables and functions: nothing is committed here when they change."""
    far = tmp_path / "far.csv"
    far.write_text("1,2024-01-01\n")
    tmp_path.chmod(0o755)
    for above in tmp_path.parents[:3]:
        above.chmod(above.stat().st_mode | 0o011)
    server.sql(f"""create extension file_fdw; create server files foreign data wrapper file_fdw;
        create foreign table far (id int, updated_at timestamptz) server files options (filename '{far}', format 'csv'); grant select on far to etl""")
    folder = project(tmp_path / "p", server, {"far": "read: { table: far }\n" + INCREMENTAL})
    sluice(folder, "run")
    far.write_text("1,2024-01-01\n2,2024-01-02\n")
    sluice(folder, "run")
    assert set(ids(folder, "far")) == {1, 2}


def test_another_database_of_the_same_cluster_is_refused(server, tmp_path):
    changing(server, "two_of_them", 3)
    server.sql("create database shop2", database="postgres")
    server.sql("""create table two_of_them (id int primary key, v int, updated_at timestamptz); grant select on two_of_them to etl;
        insert into two_of_them select i, 0, now() - interval '9 days' from generate_series(101, 105) i""", database="shop2")
    folder = project(tmp_path / "p", server, {"t": "read: { table: two_of_them }\n" + INCREMENTAL})
    sluice(folder, "run")
    project(folder, server, {}, server.connection(database="shop2"))
    assert "error[other-cursor]" in said(folder, "run", expect=1)
    sluice(folder, "run", "--full-refresh", "--reload-sources")
    assert ids(folder, "t") == [*range(101, 106)]


def test_a_promoted_replica_has_another_history_and_is_refused(server, tmp_path):
    changing(server, "promoted", 3)
    replica = server.replica()
    try:
        until(lambda: replica.sql("select count(*) from promoted") == "3")
        folder = project(tmp_path / "p", server, {"t": "read: { table: promoted }\n" + INCREMENTAL})
        sluice(folder, "run")
        project(folder, server, {}, server.connection(port=replica.port))
        sluice(folder, "run")  # the same history
        replica.sql("select pg_promote()")
        replica.sql("insert into promoted values (9, 9, now())")
        out = said(folder, "run", expect=1)
        assert "error[other-cursor]" in out and "timeline 2" in out and "--reload-sources" in out
    finally:
        replica.stop("immediate")
        shutil.rmtree(replica.folder)


def test_lookback_has_a_default_for_clocks_that_differ(server, tmp_path):
    server.sql("create table skewed (id int, at timestamptz, day date); insert into skewed values (1, now() - interval '1 s', current_date - 3)")
    folder = project(tmp_path / "p", server, {"by_time": "read: { table: skewed }\nload: incremental\ncursor: at\n",
                                              "by_day": "read: { table: skewed }\nload: incremental\ncursor: day\n"})
    sluice(folder, "run", "-s", "bronze.by_time")
    sluice(folder, "run", "-s", "bronze.by_day")
    assert cursor_of(folder, "bronze.by_time")["floor"] and cursor_of(folder, "bronze.by_day")["floor"]
    server.sql("insert into skewed values (2, now() - interval '5 minutes', current_date - 4)")
    sluice(folder, "run")
    assert ids(folder, "by_time") == ids(folder, "by_day") == [1, 2]


def test_a_value_that_lies_ahead_hides_nothing(server, tmp_path):
    server.sql("""create table ahead (id int, at timestamptz); insert into ahead values (1, '2099-01-01Z'), (2, now() - interval '1 hour')""")
    folder = project(tmp_path / "p", server, {"ahead": "read: { table: ahead }\nload: incremental\ncursor: at\nlookback: 0\n"})
    sluice(folder, "run")
    server.sql("insert into ahead values (3, date_trunc('second', now()) - interval '1 s')")
    assert "in 1 = new 1" in sluice(folder, "run")


def test_a_numeric_cursor_with_nan_and_infinity_goes_on(server, tmp_path):
    server.sql("create table nans (id int, n numeric); insert into nans values (1, 1.5), (2, 'NaN'), (3, 'Infinity')")
    folder = project(tmp_path / "p", server, {"nans": "read: { table: nans }\nload: incremental\ncursor: n\n"})
    sluice(folder, "run")
    assert cursor_of(folder, "bronze.nans")["floor"] == "1.5"
    server.sql("insert into nans values (4, 7)")
    assert "in 1 = new 1" in sluice(folder, "run")


def test_a_change_of_the_load_is_refused_as_its_rows_are_there_already(server, tmp_path):
    changing(server, "reloaded", 3)
    folder = project(tmp_path / "p", server, {"t": "read: { table: reloaded }\nload: full\n"})
    sluice(folder, "run")
    project(folder, server, {"t": "read: { table: reloaded }\n" + INCREMENTAL})
    out = said(folder, "run", expect=1)
    assert "error[other-cursor]" in out and "--full-refresh --reload-sources" in out
    sluice(folder, "run", "--full-refresh", "--reload-sources")
    assert count(folder, "bronze.t") == 3
    project(folder, server, {"t": "read: { table: reloaded }\nload: full\n"})
    assert "error[other-cursor]" in said(folder, "run", expect=1)


# ---- patterns, inspect


def test_a_pattern_stands_for_every_table_that_matches_and_plan_tells_a_new_one(server, tmp_path):
    server.sql("""create table inv_a (id int); create table inv_b (id int); create table inv_secret (id int); revoke all on inv_secret from etl;
        create table inv_named (id int); create table other_inv (id int); insert into inv_a values (1); insert into inv_b values (2), (3)""")
    folder = project(tmp_path / "p", server, {"many": """defaults: { load: full, keep: latest }
tables:
  "public.inv_*": {}
  public.inv_named: { as: named }
"""})
    sluice(folder, "run")
    nodes = {node["table"] for node in json.loads(sluice(folder, "ls", "--json"))}
    assert nodes == {"bronze.inv_a", "bronze.inv_b", "bronze.named"}
    assert (count(folder, "bronze.inv_a"), count(folder, "bronze.inv_b")) == (1, 2)
    server.sql("create table inv_c (id int)")
    plan = sluice(folder, "plan")
    assert re.search(r'bronze\.inv_c .*\n.*a new table that "public\.inv_\*" matches', plan), plan
    assert plan.count("a new table") == 1
    sluice(folder, "run")
    os.environ["SHOP_PORT"] = "1"  # nobody there: what was loaded is still known
    try:
        assert count(folder, "bronze.inv_b") == 2
        assert "bronze.inv_c" in sluice(folder, "ls")
        assert "postgres-unreachable" in said(folder, "run", expect=1)
    finally:
        os.environ["SHOP_PORT"] = str(server.port)


def test_a_table_of_a_pattern_that_is_gone_or_forbidden_fails_and_is_not_forgotten(server, tmp_path):
    server.sql("create table gone_a (id int); create table gone_b (id int); create table gone_c (id int); insert into gone_a values (1)")
    folder = project(tmp_path / "p", server, {"many": "defaults: { load: full, keep: latest }\ntables:\n  'public.gone_*': {}\n"})
    sluice(folder, "run")
    server.sql("drop table gone_a; revoke all on gone_b from etl")
    out = said(folder, "run", expect=1)
    assert "error[postgres-no-table]" in out and "error[postgres-forbidden]" in out, out
    assert re.search(r"bronze\.gone_c +ok ", out), out


def test_a_table_whose_name_is_taken_is_left_out_and_the_others_go_on(server, tmp_path):
    server.sql("create table twin_a (id int); insert into twin_a values (1)")
    folder = project(tmp_path / "p", server, {"many": "defaults: { load: full, keep: latest }\ntables:\n  'public.twin_*': {}\n"})
    sluice(folder, "run")
    server.sql('create table "twin_A" (id int); insert into "twin_A" values (7)')
    out = said(folder, "run")
    assert "duplicate-table" in out and "public.twin_A" in out and "public.twin_a" in out
    assert query(folder, "select id from bronze.twin_a") == [("1",)]


def test_a_table_of_a_pattern_is_known_after_a_rollback_without_the_database(server, tmp_path, monkeypatch):
    server.sql("create table rolled_a (id int); insert into rolled_a values (1)")
    folder = project(tmp_path / "p", server, {"many": "defaults: { load: full, keep: latest }\ntables:\n  'public.rolled_*': {}\n"})
    sluice(folder, "run")
    server.sql("insert into rolled_a values (2)")
    sluice(folder, "run")
    sluice(folder, "rollback", "bronze.rolled_a")
    monkeypatch.setenv("SHOP_PORT", "1")
    assert "bronze.rolled_a" in sluice(folder, "ls")


def test_inspect_lists_tables_and_proposes_a_source_that_runs(server, tmp_path):
    server.sql("""create type stage as enum ('new', 'won', 'it''s: lost'); create table leads (id bigint primary key, email text not null, "Full Name" text,
        stage stage, worth numeric, price numeric(8,2), updated_at timestamptz not null default now(), tags text[]);
        comment on column leads.worth is 'what: it is worth'; insert into leads values (1, 'a@b.c', 'A', 'new', 1.5, 2, now(), '{a,b}'), (2, 'b@b.c', null, 'it''s: lost', null, 3, now(), null)""")
    folder = project(tmp_path / "p", server, {})
    assert "public.leads" in sluice(folder, "inspect", "shop")
    proposed = sluice(folder, "inspect", "shop.public.leads")
    for line in ["load: incremental", "cursor: updated_at", "its key is [id]", "pii: email", "not_null: true", "type: \"decimal(8,2)\"", "from: Full Name"]:
        assert line in proposed, proposed
    (folder / "sources/leads.yml").write_text(proposed)
    assert "in 2 = new 2" in sluice(folder, "run")
    server.sql("update leads set stage = 'won' where id = 1")
    assert "in 1 = new 1" in sluice(folder, "run")
    as_json = json.loads(sluice(folder, "inspect", "shop.leads", "--json"))
    assert as_json["primary_key"] == ["id"] and as_json["columns"][0] == {"name": "id", "type": "bigint"}
    assert "error[postgres-no-table]" in said(folder, "inspect", "shop.public.leds", expect=2)


# ---- errors


def test_errors_say_what_is_wrong_and_no_secret(server, tmp_path, monkeypatch):
    server.sql("create table fine (id int); grant select on fine to etl, plain")
    source = {"fine": "read: { table: fine }\nload: full\n"}

    def run(name, expect=1, **connection):
        return said(project(tmp_path / name, server, source, server.connection(**connection)), "run", expect=expect)

    assert "error[postgres-no-database]" in run("database", database="nowhere")
    assert "error[postgres-tls]" in run("authority", tls_ca=None)
    assert "error[postgres-tls]" in run("host", host="127.0.0.1")
    run("host-not-looked-at", expect=0, host="127.0.0.1", tls="verify-ca")
    assert "error[postgres-tls]" in run("no-such-file", tls_ca="nowhere.pem")
    assert "unverified-tls" in run("require", expect=0, host="127.0.0.1", tls="require", tls_ca=None)
    assert "error[postgres-login]" in run("no-tls", tls="disable", tls_ca=None)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        out = run("unreachable", expect=1, port=closed.getsockname()[1])
        assert "error[postgres-unreachable]" in out
    out = said(
        project(tmp_path / "table", server, {"fine": "read: { table: public.fein }\nload: full\n"}), "run", expect=1)
    assert "error[postgres-no-table]" in out and 'did you mean "public.fine"?' in out
    out = said(project(tmp_path / "column", server, {"fine": "read: { table: fine }\nload: full\nexclude: [idd]\n"}), "run", expect=1)
    assert "error[unknown-column]" in out and 'did you mean "id"?' in out
    monkeypatch.setenv("SHOP_PASSWORD", "wr0ng-but-secret")
    out = run("password")
    assert "error[postgres-login]" in out and "wr0ng-but-secret" not in out
    monkeypatch.delenv("SHOP_PASSWORD")
    assert "error[unset-variable]" in run("unset")


def test_a_password_that_is_written_out_is_refused(server, tmp_path):
    folder = project(tmp_path / "p", server, {"t": "read: { table: t }\nload: full\n"}, server.connection(password="hunter2"))
    out = said(folder, "validate", expect=2)
    assert "error[plain-secret]" in out and "hunter2" not in out


def test_no_output_record_or_file_has_the_password(server, tmp_path):
    server.sql("create table quiet (id int); insert into quiet values (1)")
    folder = project(tmp_path / "p", server, {"quiet": "read: { table: quiet }\nload: full\n"})
    out = "".join(said(folder, *args) for args in (["validate"], ["plan", "--json"], ["run"], ["plan", "--out", "plan.json"], ["doctor"], ["ls"], ["show", "bronze.quiet"]))
    assert PASSWORD not in out and "s3cret" not in out
    for path in folder.rglob("*"):
        assert not path.is_file() or b"s3cret" not in path.read_bytes()


def test_a_statement_that_takes_too_long_is_cancelled_by_the_server(server, tmp_path):
    folder = project(tmp_path / "p", server, {"slow": "read: { query: 'select pg_sleep(30)::text as s' }\nload: full\n"}, server.connection(statement_timeout="1s"))
    began = time.monotonic()
    out = said(folder, "run", expect=1)
    assert "error[postgres-cancelled]" in out and time.monotonic() - began < 25


def test_ctrl_c_ends_a_read_and_the_statement_on_the_server(server, tmp_path):
    folder = project(tmp_path / "p", server, {"slow": "read: { query: 'select pg_sleep(60)::text as slept_long' }\nload: full\n"})
    process = start(folder, "run")
    running = "select count(*) from pg_stat_activity where query like 'COPY%slept_long%' and state = 'active'"
    deadline = time.monotonic() + 20
    while server.sql(running) == "0" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert server.sql(running) == "1"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130
    deadline = time.monotonic() + 10
    while server.sql(running) != "0" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert server.sql(running) == "0"


def test_an_error_of_a_statement_points_at_the_source_and_says_where(server, tmp_path):
    folder = project(tmp_path / "p", server, {"wrong": "read: { query: 'select lenght(1)' }\nload: full\n"})
    out = said(folder, "run", expect=1)
    assert "sources/wrong.yml:2" in out and "at: lenght(1)" in out and "hint: No function matches" in out, out


def test_a_read_that_is_stuck_ends_when_its_snapshot_is_too_old(server, tmp_path):
    folder = project(tmp_path / "p", server, {"stuck": "read: { query: 'select pg_sleep(300)::text as stuck' }\nload: full\n"}, server.connection(max_snapshot_age="2s"))
    assert "error[postgres-snapshot-age]" in said(folder, "run", expect=1)
    until(lambda: server.sql("select count(*) from pg_stat_activity where query like 'COPY%stuck%' and state = 'active'") == "0")


def test_ctrl_c_ends_a_read_of_a_peer_that_says_nothing_more(server, tmp_path):
    proxy = Proxy(server.port, limit=None)
    folder = project(tmp_path / "p", server, {"mute": "read: { query: 'select pg_sleep(300)::text as mute' }\nload: full\n"}, server.connection(port=proxy.port))
    process = start(folder, "run")
    running = "select count(*) from pg_stat_activity where query like 'COPY%mute%' and state = 'active'"
    until(lambda: server.sql(running) == "1")
    proxy.mute = True  # takes connections, and answers none
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    proxy.close()


# ---- interruptions


def test_a_connection_that_breaks_in_mid_read_is_tried_again(server, tmp_path):
    server.sql("create table broken as select i as id, repeat('x', 200) as filler from generate_series(1, 60000) i; grant select on broken to etl")
    proxy = Proxy(server.port, limit=4_000_000)
    folder = project(tmp_path / "p", server, {"broken": "read: { table: broken }\nload: full\n"}, server.connection(port=proxy.port))
    process = start(folder, "run", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 30
    while proxy.broken == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    proxy.limit = None
    out, _ = process.communicate(timeout=120)
    proxy.close()
    assert proxy.broken > 0 and process.returncode == 0, out
    assert query(folder, "select count(*), count(distinct id) from bronze.broken") == [("60000", "60000")]


def test_a_server_that_restarts_in_mid_read_is_tried_again(server, tmp_path):
    server.sql("create table restarted as select i as id, repeat('x', 400) as filler from generate_series(1, 200000) i; grant select on restarted to etl")
    folder = project(tmp_path / "p", server, {"restarted": "read: { table: restarted }\nload: full\n"})
    process = start(folder, "run", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 20
    while server.sql("select count(*) from pg_stat_activity where query like 'COPY%'") == "0" and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    server.stop("immediate")
    server.start()
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    assert query(folder, "select count(*), count(distinct id) from bronze.restarted") == [("200000", "200000")]


MOMENTS = {"open": "_sluice/batches/*/*.open*", "staged": "bronze/*/*.parquet", "ready": "_sluice/batches/*/*.ready*", "committed": "bronze/*/_delta_log/*.json",
           "done": "_sluice/batches/*/*.done*"}


@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_9_right_after_a_record_or_file_and_the_next_run_brings_the_same(server, tmp_path, moment):
    name = f"step_{moment}"
    changing(server, name, 3000)
    folder = project(tmp_path / "p", server, {name: f"read: {{ table: {name} }}\n" + INCREMENTAL})
    for _ in range(3):  # the first batch, and two increments
        before = set((folder / "lake").glob(MOMENTS[moment])) if (folder / "lake").exists() else set()
        process = start(folder, "run")
        while process.poll() is None and not set((folder / "lake").glob(MOMENTS[moment])) - before:
            pass
        assert process.poll() is None or set((folder / "lake").glob(MOMENTS[moment])) - before, "it ended and came not so far"
        process.kill()
        process.wait()
        server.sql(f"update {name} set v = v + 1, updated_at = now() where id % 100 = 0; insert into {name} select max(id) + 1, 0, now() from {name}")
    sluice(folder, "run")
    # Versions of before a batch that was decided, or never was, may be there or overwritten; those that stand are there, none twice.
    there = [tuple(line.split("|")) for line in server.sql(f"select id, v from {name} order by id").splitlines()]
    assert query(folder, f"select id, max(v) from bronze.{name} group by 1 order by 1") == there
    assert query(folder, f"select id, v, count(*) from bronze.{name} group by all having count(*) > 1") == []


@pytest.mark.parametrize("moment", range(8))
def test_kill_9_anywhere_and_the_next_run_brings_the_same(server, tmp_path, moment):
    name = f"killed{moment}"
    changing(server, name, 20000)
    folder = project(tmp_path / "p", server, {name: f"read: {{ table: {name} }}\n" + INCREMENTAL})
    if moment % 2:
        sluice(folder, "run")
        server.sql(f"update {name} set v = 1, updated_at = now() where id % 3 = 0")
    began = time.monotonic()
    copy = shutil.copytree(folder, tmp_path / "undisturbed")
    sluice(copy, "run")
    took = time.monotonic() - began
    process = start(folder, "run")
    time.sleep(took * (moment + 1) / 8)
    process.kill()
    process.wait()
    server.sql(f"insert into {name} values (90000, 0, now())")  # the source goes on
    sluice(folder, "run")
    sluice(folder, "run")
    sluice(copy, "run")
    same = f"select id, v from bronze.{name} order by all"
    assert query(folder, same) == query(copy, same)
