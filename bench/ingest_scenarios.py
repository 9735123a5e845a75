"""The scenarios of ingest beyond one clean and one dirty file: many partitions, nested documents, archives, many files, odd shapes."""
import glob
import os
import shutil
import subprocess

from ingest_dirty.rows import CONTRACT
from ingest_ndjson.rows import CONTRACT as ORDERS
from ingest_odd import shapes
from lake import content, delta_files, write_project
from measure import against, interleaved, line, show, timed
from setting import ROWS, RUNS, SLUICE, THREADS, equal, python, remove


def sluice_run(project):
    """A function that runs the project anew, and gives what the process cost."""
    def run():
        remove(os.path.join(project, "lake"), os.path.join(project, ".sluice"))
        return timed([SLUICE, "run", "-q", "-C", project, "--threads", THREADS])[0]
    return run


def statements(out, *command, counted=None, name=""):
    """A function that runs a peer's script, which prints the seconds of its statements (and the rows it counted)."""
    def run():
        remove(out)
        (_, _, peak), printed = timed(python(*command))
        seconds, cpu, *rows = printed.splitlines()[-1].split()
        if counted is not None:
            counted[name] = tuple(map(int, rows))
        return float(seconds), float(cpu), peak
    return run


def days(folder):
    """The dirty order lines into 2,500 partitions, a day each, in no order."""
    csv, project, out = (os.path.join(folder, name) for name in ("lines.csv", "project", "out"))
    subprocess.run(python("ingest_dirty/generate.py", ROWS, csv, 0.01, 2500), check=True)
    size, counted = os.path.getsize(csv) / 1e6, {}
    write_project(project, csv, CONTRACT.replace("month(order_date)", "order_date"))
    measured = interleaved(RUNS, sluice_run(project), statements(out, "ingest_dirty/duckdb_ways.py", "rejects", csv, out, THREADS, "%Y-%m-%d", counted=counted, name="DuckDB"))
    files = delta_files(f"{project}/lake/bronze/lines")
    columns = "line_id, order_id, note, total::VARCHAR"
    found = content(files, columns)
    equal("contents", found, content(glob.glob(f"{out}/good/**/*.parquet", recursive=True), columns))
    equal("good and bad rows", (found[0], content(delta_files(f"{project}/lake/quarantine/lines"), "1")[0]), counted["DuckDB"])
    partitions = len({os.path.dirname(file) for file in files})
    show(f"dirty CSV, {ROWS:,} rows, {size:.0f} MB, into {partitions:,} daily partitions, {THREADS} threads: sluice run, the whole process", *measured,
         "DuckDB, rejects table, COPY by day, statements alone", size, f"equal contents; {len(files):,} data files")


def ndjson(folder):
    """Nested orders of which 1% are bad."""
    file, project, out = (os.path.join(folder, name) for name in ("orders.ndjson", "project", "out"))
    subprocess.run(python("ingest_ndjson/generate.py", ROWS, file, 0.01), check=True)
    size, counted = os.path.getsize(file) / 1e6, {}
    write_project(project, file, ORDERS)
    peers = {"DuckDB, ignore_errors, two COPYs": "duckdb_way.py", "Polars, streaming, ignore_errors": "polars_way.py"}
    contents = {}

    def peer(name, script):
        run = statements(out, f"ingest_ndjson/{script}", file, out, THREADS, counted=counted, name=name)

        def once():
            cost = run()
            contents[name] = content([f"{out}/good.parquet"], columns)
            return cost
        return once

    columns = "id, epoch_us(ordered_at), status, customer::VARCHAR, lines::VARCHAR, total, note"
    measured = interleaved(RUNS, sluice_run(project), *(peer(name, script) for name, script in peers.items()))
    found = content(delta_files(f"{project}/lake/bronze/orders"), columns)
    refused = content(delta_files(f"{project}/lake/quarantine/orders"), "1")[0]
    for name in peers:
        equal(f"contents of {name}", found, contents[name])
        equal(f"good and bad documents of {name}", (found[0], refused), counted[name])
    show(f"dirty NDJSON, {ROWS:,} nested orders, {size:.0f} MB, {THREADS} threads: sluice run, the whole process", measured[0], measured[1],
         next(iter(peers)) + ", statements alone", size, f"equal contents; {refused:,} documents refused by all")
    against(list(peers)[1] + ", statements alone", measured[0], measured[2], size)


def archives(folder):
    """The order lines as they are, as gzip and as zstd, beside what decompressing alone takes."""
    csv = os.path.join(folder, "lines.csv")
    subprocess.run(python("ingest_dirty/generate.py", ROWS, csv, 0.01), check=True)
    size = os.path.getsize(csv) / 1e6
    subprocess.run(["gzip", "-k", "-6", csv], check=True)
    subprocess.run(["zstd", "-q", "-3", csv, "-o", csv + ".zst"], check=True)
    tools = {"": None, ".gz": ["gzip", "-dc", csv + ".gz"], ".zst": ["zstd", "-dcq", csv + ".zst"]}
    sides, expected = {}, None
    for ending in tools:
        project = os.path.join(folder, "project" + ending)
        write_project(project, csv + ending, CONTRACT.replace("*.csv", "*.csv*"), "lines")
        sides[ending] = sluice_run(project)

    def alone(command):
        return lambda: timed(["sh", "-c", " ".join(command) + " > /dev/null"])[0]

    measured = interleaved(RUNS, *sides.values(), *(alone(tool) for tool in tools.values() if tool))
    for ending in tools:
        found = content(delta_files(os.path.join(folder, "project" + ending, "lake/bronze/lines")), "line_id, order_id, note, total::VARCHAR")
        expected = expected or found
        equal("contents", found, expected)
    show(f"dirty CSV, {ROWS:,} rows, {size:.0f} MB, {THREADS} threads: sluice run, the file as it is", measured[0], megabytes=size)
    for at, name in enumerate(("gzip", "zstd"), 1):
        print(line(f"Sluice, the file as {name}", measured[at], size))
        against(f"{name} -dc alone", measured[at], measured[at + 2], size)


def files(folder):
    """The same order lines in one file and in ten thousand."""
    csv, one, many = (os.path.join(folder, name) for name in ("lines.csv", "one", "many"))
    count = int(os.environ.get("FILES", 10_000))
    subprocess.run(python("ingest_dirty/generate.py", ROWS, csv, 0.0), check=True)
    size = os.path.getsize(csv) / 1e6
    write_project(one, csv, CONTRACT)
    write_project(many, csv, CONTRACT)
    os.remove(os.path.join(many, "landing", "lines.csv"))
    with open(csv) as text:
        header, *records = text.readlines()
    step = -(-len(records) // count)
    for at in range(0, len(records), step):
        with open(os.path.join(many, "landing", f"lines-{at // step:05}.csv"), "w") as part:
            part.write(header)
            part.writelines(records[at:at + step])
    del records
    measured = interleaved(RUNS, sluice_run(many), sluice_run(one))
    columns = "line_id, order_id, note, total::VARCHAR"
    equal("contents", content(delta_files(f"{many}/lake/bronze/lines"), columns), content(delta_files(f"{one}/lake/bronze/lines"), columns))
    found = len(os.listdir(os.path.join(many, "landing")))
    show(f"clean CSV, {ROWS:,} rows, {size:.0f} MB in {found:,} files, {THREADS} threads: sluice run, the whole process", *measured, "Sluice, the same bytes in one file", size,
         "equal contents")


def odd(folder):
    """Files of odd shapes, against DuckDB's COPY."""
    for shape in shapes.shapes(ROWS):
        what, columns, rows = shapes.shapes(ROWS)[shape]
        inner = os.path.join(folder, shape)
        os.makedirs(inner)
        csv, project, out = (os.path.join(inner, name) for name in ("odd.csv", "project", "copy.parquet"))
        size = shapes.generate(shape, csv, ROWS) / 1e6
        write_project(project, csv, shapes.contract(columns))
        measured = interleaved(RUNS, sluice_run(project), statements(out, "ingest_odd/duckdb_copy.py", csv, out, THREADS, shape))
        names = ", ".join(name for name, *_ in columns)
        equal("contents", content(delta_files(f"{project}/lake/bronze/odd"), names), content([out], names))
        show(f"CSV of {what}, {rows:,} rows, {size:.0f} MB, {THREADS} threads: sluice run, the whole process", *measured, "DuckDB COPY TO Parquet, the statement alone", size,
             "equal contents")
        shutil.rmtree(inner)


SCENARIOS = {"days": days, "ndjson": ndjson, "archives": archives, "files": files, "odd": odd}
