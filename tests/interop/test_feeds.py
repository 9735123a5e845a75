"""Models that follow a table by new() and changes(), after commits of every kind by Sluice and by delta-rs: they equal what is computed anew."""

import os
import random
import shutil
import time

import pyarrow
import pytest
from deltalake import DeltaTable, write_deltalake
from sluice_runs import ask, query, sluice

FILES = {
    "sluice.yml": "project: feeds\nlake: ./lake\ntimezone: UTC\nconnections:\n  drop: { type: files, path: ./landing }\n",
    "sources/orders.yml": """connection: drop
read: { files: "*.csv", header: true, delimiter: "," }
contract:
  columns:
    - { name: id, type: bigint, not_null: true }
    - { name: seq, type: bigint }
    - { name: country, type: string }
    - { name: amount, type: bigint }
""",
    "models/silver/orders.sql": "select id, seq, country, amount from new(bronze.orders)\n",
    "models/silver/orders.yml": "store: merge\nkey: id\nsequence_by: seq\nreaders: any\n",
    "models/gold/copy.sql": """select id, country, amount, _commit_version as version, _change_type <> 'delete' as alive
from changes(silver.orders) where _change_type <> 'update_preimage'
""",
    "models/gold/copy.yml": "store: merge\nkey: id\nsequence_by: [version, alive]\ndelete_when: not alive\n",
    "models/gold/totals.sql": """with touched as (select distinct country from changes(silver.orders))
select t.country, count(o.id) as orders, coalesce(sum(o.amount), 0) as amount
from touched t left join silver.orders o on o.country = t.country group by all
""",
    "models/gold/totals.yml": "store: merge\nkey: country\nsequence_by: arrival\ndelete_when: orders = 0\n",
    "models/gold/seen.sql": "select id, country, amount from new(silver.orders)\n",
    "models/gold/seen.yml": "store: append\n",
}
ROWS = [(n, 1, "FR DE IT".split()[n % 3], n * 10) for n in range(1, 31)]


def land(folder, name, rows):
    (folder / f"landing/{name}.csv").write_text("id,seq,country,amount\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))


@pytest.fixture(name="project")
def fixture_project(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "landing").mkdir()
    land(tmp_path, "1", ROWS)
    sluice(tmp_path, "run")
    return tmp_path


def silver(folder):
    return DeltaTable(str(folder / "lake/silver/orders"))


def batch(rows):
    return pyarrow.table({"id": pyarrow.array([r[0] for r in rows], pyarrow.int64()), "seq": pyarrow.array([r[1] for r in rows], pyarrow.int64()),
                          "country": [r[2] for r in rows], "amount": pyarrow.array([r[3] for r in rows], pyarrow.int64()),
                          "_run_id": pyarrow.array([None] * len(rows), pyarrow.string()),
                          "_batch_id": pyarrow.array([None] * len(rows), pyarrow.int64())})


def both(a, b):
    return f"(({a}) except all ({b})) union all (({b}) except all ({a}))"


def check_followers(folder):
    """What follows silver.orders equals what is computed from it anew."""
    assert query(folder, both("select id, country, amount from silver.orders", "select id, country, amount from gold.copy")) == []
    assert query(folder, both("select country, count(*) as orders, cast(sum(amount) as bigint) as amount from silver.orders group by all",
                              "select country, orders, cast(amount as bigint) as amount from gold.totals")) == []
    assert ask(folder, "select count(*) from silver.orders o where not exists (from gold.seen s where s.id = o.id and s.amount = o.amount)") == "0"


def follow(folder, whole=False):
    said = sluice(folder, "run")
    assert ("reads the whole table" in said) == whole, said
    check_followers(folder)
    return said


def append(folder, rng):
    write_deltalake(silver(folder), batch([(rng.randrange(1000, 10**9), 1, "ES", 7)]), mode="append")


def merge(folder, rng):
    rows = [(n, 50, rng.choice(["FR", "PT"]), rng.randrange(1000)) for n in rng.sample(range(1, 40), 5)]
    (silver(folder).merge(batch(rows), "s.id = t.id", source_alias="s", target_alias="t")
     .when_matched_delete("s.amount < 200").when_matched_update_all().when_not_matched_insert_all().execute())


def update(folder, rng):
    silver(folder).update(updates={"amount": f"amount + {rng.randrange(1, 9)}"}, predicate=f"id % 7 = {rng.randrange(7)}")


def delete(folder, rng):
    silver(folder).delete(f"id % 11 = {rng.randrange(11)}")


def overwrite(folder, rng):
    rows = [(int(i), int(s), c, int(a) + (rng.random() < 0.2)) for i, s, c, a in query(folder, "select id, seq, country, amount from silver.orders")]
    if rows:
        write_deltalake(silver(folder), batch(rows), mode="overwrite")


def optimize(folder, rng):
    silver(folder).optimize.compact()


def restore(folder, rng):
    newest = silver(folder).version()
    if newest > 0:
        silver(folder).restore(rng.randrange(max(newest - 3, 0), newest))


def ours(folder, rng):
    rows = [(n, rng.randrange(100), rng.choice(["FR", "GB"]), rng.randrange(500)) for n in rng.sample(range(1, 60), 6)]
    land(folder, f"{len(list((folder / 'landing').iterdir())) + 1}", rows)
    sluice(folder, "run", "-s", "silver.orders", "source:orders")


@pytest.mark.parametrize("operation", [append, merge, update, delete, overwrite, optimize, restore, ours], ids=lambda f: f.__name__)
def test_a_foreign_commit_of_each_kind_is_followed_row_by_row(project, operation):
    update(project, random.Random(1))  # so that RESTORE has something to bring back
    follow(project)
    operation(project, random.Random(2))
    follow(project)
    assert "up to date" in sluice(project, "run")


def test_what_is_rearranged_or_stands_again_is_no_change(project):
    before = ask(project, "select count(*) from gold.seen")
    append(project, random.Random(1))
    follow(project)
    optimize(project, random.Random(1))
    rows = [(int(i), int(s), c, int(a)) for i, s, c, a in query(project, "select id, seq, country, amount from silver.orders")]
    write_deltalake(silver(project), batch(rows), mode="overwrite")
    silver(project).restore(1)
    follow(project)
    assert ask(project, "select count(*) from gold.seen") == str(int(before) + 1)


def test_a_cleaned_log_is_a_full_read(project):
    rng = random.Random(3)
    for _ in range(3):
        update(project, rng)
    table = silver(project)
    table.create_checkpoint()
    update(project, rng)
    long_ago = time.time() - 60 * 86400
    for commit in (project / "lake/silver/orders/_delta_log").glob("*.json"):
        if int(commit.name[:20]) < table.version():
            os.utime(commit, (long_ago, long_ago))
    silver(project).cleanup_metadata()
    assert not (project / "lake/silver/orders/_delta_log/00000000000000000001.json").exists()
    plan = sluice(project, "plan")
    assert "changes(silver.orders) reads the whole table: its log after version 0 was cleaned" in plan and "gold.copy is built anew from it" in plan
    follow(project, whole=True)
    update(project, rng)
    follow(project)


def test_vacuumed_change_data_is_a_full_read(project):
    update(project, random.Random(4))
    shutil.rmtree(project / "lake/silver/orders/_change_data")
    assert "(VACUUM)" in follow(project, whole=True)


def test_a_feed_that_others_turned_off_is_a_full_read_and_comes_on_again(project):
    silver(project).alter.set_table_properties({"delta.enableChangeDataFeed": "false"})
    update(project, random.Random(5))
    assert "the table kept no change data" in follow(project, whole=True)
    ours(project, random.Random(6))
    assert silver(project).metadata().configuration["delta.enableChangeDataFeed"] == "true"
    follow(project)


def test_readers_need_to_know_nothing_of_it(project):
    ours(project, random.Random(7))
    protocol = silver(project).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 4)
    assert silver(project).to_pyarrow_table().num_rows == int(ask(project, "select count(*) from silver.orders"))


def test_our_change_data_is_what_delta_rs_reads(project):
    (project / "models/gold/log.sql").write_text("select id, amount, _change_type as change, _commit_version as version from changes(silver.orders)\n")
    (project / "models/gold/log.yml").write_text("store: append\n")
    sluice(project, "run")
    ours(project, random.Random(7))
    sluice(project, "run")
    version = silver(project).version()
    told = pyarrow.table(silver(project).load_cdf(starting_version=version, ending_version=version).read_all()).to_pylist()
    mine = query(project, f"select id, amount, change from gold.log where version = {version}")
    assert told and sorted((int(i), int(a), c) for i, a, c in mine) == sorted((r["id"], r["amount"], r["_change_type"]) for r in told)


def test_any_sequence_of_writers_is_followed(project):
    seed = int(os.environ.get("SLUICE_SEED", random.randrange(10**6)))
    print("SLUICE_SEED =", seed)
    rng = random.Random(seed)
    for _ in range(int(os.environ.get("SLUICE_STEPS", "8"))):
        for _ in range(rng.randrange(1, 4)):
            operation = rng.choice([append, merge, update, delete, overwrite, optimize, restore, ours])
            print(operation.__name__)
            operation(project, rng)
        follow(project)
