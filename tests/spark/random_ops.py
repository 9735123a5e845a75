"""A random sequence of operations on the tables of one small project, by Sluice, Spark and delta-rs in turn. After each operation all
three read every table that may have changed, and each must give exactly what a model in memory holds.

    .deps/venv/bin/python tests/spark/random_ops.py [--seed N] [--seconds S] [--steps N] [--folder DIR] [--without-spark]

The seed is printed first; with it, a sequence that failed is played again. `--folder` keeps the project for a look.

Sluice's part are runs of the project: an append log, a merge, a history (scd2), windows (interval) and a full rebuild, all of which
read what the run lands; and `sluice table` commands: update, delete, merge, optimize, restore, vacuum. At some time silver.latest gets a
change data feed; from then on what any two versions differ by must be what Sluice and Spark read of the feed between them. Spark and delta-rs write to the same tables as
foreign writers: rows where the store's own rules leave room for that, compaction and vacuum everywhere. `sluice table check` looks at
each table that was written.
"""

import argparse
import collections
import copy
import dataclasses
import datetime
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import judge  # noqa: E402  puts Spark and tests/interop on the path
import pyarrow  # noqa: E402
import pyarrow.parquet  # noqa: E402
from sluice_runs import SLUICE, read_delta  # noqa: E402

FILES = {
    "sluice.yml": "project: random\nlake: ./lake\ntimezone: UTC\nconnections:\n  drop: { type: files, path: ./landing }\n",
    "sources/events.yml": 'connection: drop\nread: { files: "*.ndjson", format: ndjson }\nload: append\ncontract:\n  columns:\n'
                          "    - { name: k, type: bigint, not_null: true }\n    - { name: v, type: string }\n    - { name: n, type: integer }\n"
                          "    - { name: day, type: date }\n    - { name: seq, type: bigint }\n",
    "models/silver/log.sql": "select k, v, n, day, seq from new(bronze.events)\n",
    "models/silver/log.yml": "{ store: append, partition_by: [v] }\n",
    "models/silver/latest.sql": "select k, v, n, day, seq from new(bronze.events)\n",
    "models/silver/latest.yml": "{ store: merge, key: [k], sequence_by: [seq], delete_when: \"v = 'gone'\" }\n",
    "models/silver/history.sql": "select k, v, seq from new(bronze.events)\n",
    "models/silver/history.yml": "{ store: scd2, key: [k], sequence_by: [seq], track: [v] }\n",
    "models/gold/daily.sql": "select day, sum(n) as n from bronze.events where day >= $window_start and day < $window_end group by day\n",
    "models/gold/daily.yml": "{ store: interval, column: day, every: month, start: 2024-01-01 }\n",
    "models/gold/copy.sql": "select k, v, n, day, seq from silver.latest where n >= 0\n",
    "models/gold/copy.yml": "{ store: table, partition_by: [day] }\n",
}
COLUMNS = {"silver/log": ["k", "v", "n", "day", "seq"], "silver/latest": ["k", "v", "n", "day", "seq"], "gold/copy": ["k", "v", "n", "day", "seq"],
           "silver/history": ["k", "v", "valid_from", "valid_to", "is_current"], "gold/daily": ["day", "n"], "bronze/events": ["k", "v", "n", "day", "seq"]}
WORDS = ["a", "b", "ü / %20", "it's", "(c) & [d]: 50%", None]
DAYS = [f"2024-{month:02}-{day:02}" for month in (1, 2, 3) for day in (1, 17)]


@dataclasses.dataclass
class Lake:
    """What the tables hold: lists of tuples in the order of COLUMNS."""
    rows: dict = dataclasses.field(default_factory=lambda: {table: [] for table in COLUMNS})
    due: set = dataclasses.field(default_factory=set)   # months with rows that gold.daily has not computed
    logged: int = 0   # how many rows of bronze.events silver.log has taken


class Unsupported(Exception):
    """A writer refuses the table as it is, by name: no operation took place."""


class Play:
    def __init__(self, folder, seed, spark):
        self.folder, self.spark = pathlib.Path(folder), spark
        self.draw = random.Random(seed)
        self.lake = Lake()
        self.seq = self.batches = 0
        self.versions = {}   # silver/log: version → its rows and Lake.logged, for RESTORE
        self.fed = None      # silver/latest: version → its rows, since it has a change data feed
        self.done, self.refused, self.doing = {}, {}, ""
        for name, text in FILES.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.folder / "landing").mkdir()

    # The model -------------------------------------------------------------------------------------------------------------------

    def event(self, key=None):
        self.seq += 1
        return (self.draw.randrange(40) if key is None else key, self.draw.choice(WORDS), self.draw.randrange(-5, 100), self.draw.choice(DAYS), self.seq)

    def keep_latest(self, events):
        table = {row[0]: row for row in self.lake.rows["silver/latest"]}
        for row in events:
            table.pop(row[0], None)
            if row[1] != "gone":
                table[row[0]] = row
        self.lake.rows["silver/latest"] = list(table.values())

    def keep_history(self, events):
        versions = self.lake.rows["silver/history"]
        for k, v, _, _, seq in events:
            current = next((i for i, row in enumerate(versions) if row[0] == k and row[4]), None)
            if current is not None and versions[current][1] == v:
                continue
            if current is not None:
                versions[current] = (*versions[current][:3], seq, False)
            versions.append((k, v, seq, None, True))

    def keep_daily(self):
        """Windows with new rows are computed again as a whole, whatever others made of them."""
        kept = [row for row in self.lake.rows["gold/daily"] if row[0][:7] not in self.lake.due]
        sums = {}
        for _, _, n, day, _ in self.lake.rows["bronze/events"]:
            if day[:7] in self.lake.due:
                sums[day] = sums.get(day, 0) + n
        self.lake.rows["gold/daily"] = kept + list(sums.items())
        self.lake.due.clear()

    # Sluice ----------------------------------------------------------------------------------------------------------------------

    def run(self):
        events = [self.event() for _ in range(self.draw.randrange(1, 12))]
        events = list({row[0]: row for row in events}.values())   # a key once in a batch
        if self.draw.random() < 0.3:
            events = [(k, "gone" if self.draw.random() < 0.3 else v, n, day, seq) for k, v, n, day, seq in events]
        self.batches += 1
        lines = [json.dumps(dict(zip(COLUMNS["silver/log"], row)), ensure_ascii=False) for row in events]
        (self.folder / f"landing/{self.batches:04}.ndjson").write_text("\n".join(lines) + "\n")
        self.sluice("run", "-q")
        self.lake.rows["bronze/events"] += events
        self.lake.rows["silver/log"] += self.lake.rows["bronze/events"][self.lake.logged:]
        self.lake.logged = len(self.lake.rows["bronze/events"])
        self.keep_latest(events)
        self.keep_history(events)
        self.lake.due |= {row[3][:7] for row in events}
        self.keep_daily()
        self.lake.rows["gold/copy"] = [row for row in self.lake.rows["silver/latest"] if row[2] >= 0]
        return COLUMNS.keys()

    def sluice(self, *args):
        done = subprocess.run([SLUICE, *map(str, args)], cwd=self.folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr

    def table(self, verb, table, *args):
        """`sluice table VERB` on a node's table."""
        self.sluice("table", verb, table.replace("/", "."), *args)
        return [table]

    def sluice_change(self):
        table = self.draw.choice(["silver/log", "silver/latest"])
        return self.change(table, lambda verb, where: self.table(verb, table, *(["--set", "n = n + 1"] if verb == "update" else []), "--where", where))

    def sluice_merge(self):
        rows = self.upserts()
        source = self.folder / "upserts.parquet"
        pyarrow.parquet.write_table(self.arrow("silver/latest", rows).select(COLUMNS["silver/latest"]), source)
        names = COLUMNS["silver/latest"]
        self.table("merge", "silver/latest", "--using", source, "--on", "k", "--when", "MATCHED THEN UPDATE SET " + ", ".join(f"{name} = source.{name}" for name in names[1:]),
                   "--when", f"NOT MATCHED THEN INSERT ({', '.join(names)}) VALUES ({', '.join('source.' + name for name in names)})")
        return self.merged(rows)

    def sluice_optimize(self):
        table = self.any_table()
        return self.table("optimize", table, *(["--z-order", "k"] if "k" in COLUMNS[table] and self.draw.random() < 0.5 else []), *(["--purge"] if self.draw.random() < 0.5 else []))

    def sluice_vacuum(self):
        table = self.any_table()
        self.sluice("table", "vacuum", table.replace("/", "."), "--retention", "0d", "--max-hold", "0d", "--force")
        return self.vacuumed(table)

    def vacuumed(self, table):
        if table == "silver/log":
            self.versions.clear()
        if table == "silver/latest" and self.fed:
            self.fed.clear()
        return [table]

    def sluice_restore(self):
        """A batch of the model: what it had taken since that version comes again with the next run."""
        if not self.versions:
            raise Unsupported("no version of before to go back to")
        version = self.draw.choice(sorted(self.versions))
        self.sluice("table", "restore", "silver.log", "--to", version)
        rows, self.lake.logged = self.versions[version]
        self.lake.rows["silver/log"] = list(rows)
        return ["silver/log"]

    def sluice_feed(self):
        """Turns the change data feed on, and holds it against what the versions since then hold."""
        table = "silver/latest"
        if self.fed is None:
            self.table("alter", table, "--set", "delta.enableChangeDataFeed=true")
            self.fed = {}
            return [table]
        if len(self.fed) < 2:
            raise Unsupported("nothing has changed since there is a feed")
        before, after = sorted(self.draw.sample(sorted(self.fed), 2))
        names = COLUMNS[table]
        done = subprocess.run([SLUICE, "table", "changes", self.path(table), "--from", str(before + 1), "--to", str(after), "--format", "json"],
                              cwd=self.folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        feeds = {"Sluice": [json.loads(line) for line in done.stdout.splitlines()]}
        if self.spark:
            feeds["Spark"] = [row.asDict() for row in self.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", before + 1)
                              .option("endingVersion", after).load(str(self.path(table))).collect()]
        for reader, feed in feeds.items():
            rows = collections.Counter(self.fed[before])
            for change in sorted(feed, key=lambda change: (change["_commit_version"], change["_change_type"] in ("insert", "update_postimage"))):
                row = tuple(str(change[name]) if name == "day" else change[name] for name in names)
                rows[row] += 1 if change["_change_type"] in ("insert", "update_postimage") else -1
            assert +rows == collections.Counter(self.fed[after]) and not -rows, f"{reader}'s changes of {table} from {before} to {after} do not lead from one to the other"
        return []

    # Foreign writers -------------------------------------------------------------------------------------------------------------

    def path(self, table):
        return self.folder / "lake" / table

    def place(self, table):
        return judge.delta(self.path(table))

    def columns_of(self, table):
        """The table's fields that a foreign writer must fill too: metadata columns stay NULL."""
        import deltalake
        return pyarrow.schema(deltalake.DeltaTable(str(self.path(table))).schema().to_arrow())

    def arrow(self, table, rows):
        schema = self.columns_of(table)
        dicts = [dict(zip(COLUMNS[table], row)) for row in rows]
        for row in dicts:
            row["day"] = datetime.date.fromisoformat(row["day"])
        return pyarrow.Table.from_pylist(dicts, schema=schema)

    def values(self, rows):
        def text(value):
            return "null" if value is None else str(value) if isinstance(value, int) else "'" + value.replace("'", "\\'") + "'"
        return "select cast(k as bigint) k, cast(v as string) v, cast(n as int) n, cast(day as date) day, cast(seq as bigint) seq from values " + ", ".join(
            "(" + ", ".join(text(value) for value in row) + ")" for row in rows) + " t(k, v, n, day, seq)"

    def spark_append(self):
        rows = [self.event() for _ in range(self.draw.randrange(1, 5))]
        self.spark.sql(f"insert into {self.place('silver/log')} by name {self.values(rows)}")
        self.lake.rows["silver/log"] += rows
        return ["silver/log"]

    def delta_rs_append(self):
        import deltalake
        rows = [self.event() for _ in range(self.draw.randrange(1, 5))]
        self.by_delta_rs("silver/log", lambda table: deltalake.write_deltalake(table, self.arrow("silver/log", rows), mode="append"), removes=False)
        self.lake.rows["silver/log"] += rows
        return ["silver/log"]

    def a_condition(self):
        """A predicate in SQL that both engines know, and the same in Python."""
        kind, n = self.draw.randrange(4), self.draw.randrange(40)
        if kind == 0:
            return f"k = {n}", lambda row: row[0] == n
        if kind == 1:
            return f"n > {60 + n}", lambda row: row[2] > 60 + n
        if kind == 2:
            return "v is null", lambda row: row[1] is None
        return f"v = 'b' and n < {n}", lambda row: row[1] == "b" and row[2] < n

    def change(self, table, execute):
        """DELETE or UPDATE of what a condition says."""
        sql, holds = self.a_condition()
        if self.draw.random() < 0.5:
            execute("delete", sql)
            self.lake.rows[table] = [row for row in self.lake.rows[table] if not holds(row)]
        else:
            execute("update", sql)
            self.lake.rows[table] = [(row[0], row[1], row[2] + 1, *row[3:]) if holds(row) else row for row in self.lake.rows[table]]
        return [table]

    def spark_change(self):
        table = self.draw.choice(["silver/log", "silver/latest"])
        return self.change(table, lambda verb, where: self.spark.sql(
            f"delete from {self.place(table)} where {where}" if verb == "delete" else f"update {self.place(table)} set n = n + 1 where {where}"))

    def delta_rs_change(self):
        table = self.draw.choice(["silver/log", "silver/latest"])

        def execute(verb, where):
            self.by_delta_rs(table, lambda opened: opened.delete(where) if verb == "delete" else opened.update(updates={"n": "n + 1"}, predicate=where))
        return self.change(table, execute)

    def merged(self, rows):
        table = {row[0]: row for row in self.lake.rows["silver/latest"]}
        self.lake.rows["silver/latest"] = list((table | {row[0]: row for row in rows}).values())
        return ["silver/latest"]

    def upserts(self):
        return list({row[0]: row for row in (self.event() for _ in range(self.draw.randrange(1, 8)))}.values())

    def spark_merge(self):
        rows = self.upserts()
        names = ", ".join(COLUMNS["silver/latest"])
        self.spark.sql(f"merge into {self.place('silver/latest')} t using ({self.values(rows)}) s on t.k = s.k when matched then update set "
                       + ", ".join(f"{name} = s.{name}" for name in COLUMNS["silver/latest"])
                       + f" when not matched then insert ({names}) values ({', '.join('s.' + name for name in COLUMNS['silver/latest'])})")
        return self.merged(rows)

    def delta_rs_merge(self):
        rows = self.upserts()
        updates = {name: f"s.{name}" for name in COLUMNS["silver/latest"]}
        self.by_delta_rs("silver/latest", lambda table: table.merge(
            self.arrow("silver/latest", rows).select(COLUMNS["silver/latest"]), "t.k = s.k", source_alias="s", target_alias="t")
            .when_matched_update(updates).when_not_matched_insert(updates).execute())
        return self.merged(rows)

    def spark_daily(self):
        """A window of gold.daily altered by hand stays so until new rows make it due."""
        month = self.draw.choice(["2024-01", "2024-02", "2024-03"])
        self.spark.sql(f"update {self.place('gold/daily')} set n = n + 1000 where date_format(day, 'yyyy-MM') = '{month}'")
        self.lake.rows["gold/daily"] = [(day, n + 1000) if day.startswith(month) else (day, n) for day, n in self.lake.rows["gold/daily"]]
        return ["gold/daily"]

    def spark_restore(self):
        if not self.versions:
            raise Unsupported("no version of before to go back to")
        version = self.draw.choice(sorted(self.versions))
        self.spark.sql(f"restore table {self.place('silver/log')} to version as of {version}")
        self.lake.rows["silver/log"] = list(self.versions[version][0])
        return ["silver/log"]

    def any_table(self):
        return self.draw.choice([table for table in COLUMNS if self.path(table).exists()])

    def spark_optimize(self):
        table = self.any_table()
        self.spark.sql(f"optimize {self.place(table)}" + (" zorder by (k)" if "k" in COLUMNS[table] and self.draw.random() < 0.5 else ""))
        return [table]

    def spark_vacuum(self):
        table = self.any_table()
        self.spark.sql(f"vacuum {self.place(table)} retain 0 hours")
        return self.vacuumed(table)

    def spark_deletion_vectors(self):
        table, value = self.draw.choice(["silver/latest", "silver/log"]), self.draw.choice(["true", "false"])
        self.spark.sql(f"alter table {self.place(table)} set tblproperties ('delta.enableDeletionVectors' = '{value}')")
        return [table]

    def delta_rs_compact(self):
        table = self.any_table()
        self.by_delta_rs(table, lambda opened: opened.optimize.compact())
        return [table]

    def delta_rs_vacuum(self):
        table = self.any_table()
        self.by_delta_rs(table, lambda opened: opened.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False))
        return self.vacuumed(table)

    def delta_rs_checkpoint(self):
        table = self.any_table()
        self.by_delta_rs(table, lambda opened: opened.create_checkpoint(), removes=False)
        return [table]

    def by_delta_rs(self, table, work, removes=True):
        """What delta-rs refuses by a feature's name did not happen. Spark leaves letters like ü as they are in a file's path; delta-rs 1.6
        writes the same file's `remove` with %C3%BC and then takes the two for two files, reading both: it removes none of those here."""
        import deltalake
        opened = deltalake.DeltaTable(str(self.path(table)))
        if removes and not all(path.isascii() for path in pyarrow.table(opened.get_add_actions()).column("path").to_pylist()):
            raise Unsupported("delta-rs does not find again the paths that Spark leaves unescaped")
        try:
            work(opened)
        except Exception as error:
            text = str(error)
            if any(name in text for name in ("DeletionVectors", "deletion vector", "Deletion vector", "generatedColumns", "GeneratedColumns", "Unsupported table feature")):
                raise Unsupported(text[:120]) from error
            raise

    # The judges ------------------------------------------------------------------------------------------------------------------

    def found(self, table, rows):
        rows = [tuple(value.isoformat() if isinstance(value, datetime.date) else value for value in row.values()) for row in rows.to_pylist()]
        return sorted(rows, key=repr)

    def check(self, tables):
        import deltalake
        for table in sorted(set(tables)):
            expected = sorted(self.lake.rows[table], key=repr)
            columns = COLUMNS[table]
            readers = {"Sluice": lambda: read_delta(self.path(table), columns),
                       "delta-rs": lambda: pyarrow.table(deltalake.QueryBuilder().register("t", deltalake.DeltaTable(str(self.path(table)))).execute(
                           f"select {', '.join(columns)} from t").read_all())}
            if self.spark:
                readers["Spark"] = lambda: self.spark.sql(f"select {', '.join(columns)} from {self.place(table)}").toArrow()
            for reader, read in readers.items():
                found = self.found(table, read())
                assert found == expected, f"{reader} reads of {table}: {[r for r in found if r not in expected]} too many, {[r for r in expected if r not in found]} missing " \
                                          f"({len(found)} rows, {len(expected)} expected)"
            self.sluice("table", "check", self.path(table))
        if "silver/latest" in tables and self.fed is not None:
            self.fed[deltalake.DeltaTable(str(self.path("silver/latest"))).version()] = list(self.lake.rows["silver/latest"])
        if "silver/log" in tables:
            self.versions[deltalake.DeltaTable(str(self.path("silver/log"))).version()] = list(self.lake.rows["silver/log"]), self.lake.logged

    def operations(self):
        kinds = ["run"] * 5 + ["sluice_change"] * 3 + ["sluice_merge"] * 2 + ["sluice_optimize"] * 2 + ["sluice_vacuum", "sluice_restore"] + ["sluice_feed"] * 2 + ["delta_rs_append", "delta_rs_change", "delta_rs_merge", "delta_rs_compact", "delta_rs_vacuum", "delta_rs_checkpoint"]
        if self.spark:
            kinds += ["spark_append", "spark_change", "spark_change", "spark_merge", "spark_merge", "spark_daily", "spark_restore", "spark_optimize", "spark_vacuum",
                      "spark_deletion_vectors"]
        return kinds

    def step(self, number):
        self.doing = name = "run" if number == 0 else self.draw.choice(self.operations())
        before = copy.deepcopy(self.lake)
        try:
            touched = getattr(self, name)()
        except Unsupported as why:
            self.lake = before
            self.refused[name] = self.refused.get(name, 0) + 1
            return f"{name}: refused, {why}"
        self.check(touched)
        self.done[name] = self.done.get(name, 0) + 1
        return f"{name}: {', '.join(sorted(touched)) if len(touched) < 4 else 'all tables'}"


def play(folder, seed, spark, seconds=None, steps=None, least=1, say=print):
    """Plays until the time is over, after `least` steps, or the steps are done; raises what went wrong, with the seed and the steps so far."""
    game, until, trail = Play(folder, seed, spark), time.monotonic() + (seconds or 10 ** 9), []
    number = 0
    while (steps is None or number < steps) and (number < least or time.monotonic() < until):
        try:
            trail.append(game.step(number))
        except Exception as error:
            raise AssertionError(f"seed {seed}, step {number} ({game.doing}), in {folder}: {error}\nsteps before:\n" + "\n".join(trail[-20:])) from error
        say(f"{number:4} {trail[-1]}")
        number += 1
    return game


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=None)
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--folder", type=pathlib.Path, default=None)
    parser.add_argument("--without-spark", action="store_true")
    args = parser.parse_args()
    seed = random.SystemRandom().randrange(10 ** 6) if args.seed is None else args.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as own:
        spark = None if args.without_spark else judge.open_session(pathlib.Path(own))
        folder = args.folder or pathlib.Path(own) / "project"
        folder.mkdir(parents=True, exist_ok=True)
        game = play(folder, seed, spark, args.seconds, args.steps, say=lambda line: print(line, flush=True))
    print(f"seed {seed}: {sum(game.done.values())} operations {game.done}, refused {game.refused}")


if __name__ == "__main__":
    main()
