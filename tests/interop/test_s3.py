"""The whole product on lakes and files in S3: a real server, the CLI, and the same tables as on a local disk."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest
from s3_server import KEY, SECRET, VERSITYGW, Gateway, free_port
from sluice_runs import REPO, SLUICE, said, sluice

SCALE = ["--orders", 300, "--events", 200, "--crm", 100, "--seed", 11]

pytestmark = [pytest.mark.s3, pytest.mark.skipif(not VERSITYGW.exists(), reason="no S3 server: run scripts/setup test")]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    server = Gateway(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


def tables_of(lake):
    return sorted(f"{path.parent.parent.name}.{path.parent.name}" for path in lake.glob("*/*/_delta_log"))


def contents(project, tables, env=None):
    """Rows of each table as sorted text. Columns that belong to a run are no part of `*`."""
    parts = [f"select '{table}' as t, cast(x as varchar) as r from (select {'* exclude (resolved_at)' if table.startswith('quarantine') else '*'} from {table}) x" for table in tables]
    return sorted(sluice(project, "query", " union all ".join(parts), "--format", "csv", env=env).splitlines())


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    project = tmp_path_factory.mktemp("local") / "project"
    sluice(project.parent, "init", "--example", "retail", project.name)
    sluice(project, "generate", "retail", *SCALE, "--out", "landing")
    sluice(project, "run")
    return project


def copy_of(local, to, lake):
    """The project with its data, and nothing run."""
    project = shutil.copytree(local, to, ignore=shutil.ignore_patterns("lake", ".sluice"))
    config = project / "sluice.yml"
    text = config.read_text()
    assert "lake: ./lake" in text
    config.write_text(text.replace("lake: ./lake", f"lake: {lake}"))
    return project


def test_retail_on_s3_equals_retail_on_disk(local, gateway, tmp_path):
    env = gateway.environment
    project = copy_of(local, tmp_path / "project", "s3://lake/retail")
    sluice(project, "run", env=env)
    tables = tables_of(gateway.files_of("retail"))
    assert tables == tables_of(local / "lake") and len(tables) > 20
    assert contents(project, tables, env) == contents(local, tables)
    again = said(project, "run", env=env)
    assert " ok" not in again and "up to date" in again
    sluice(project, "check", env=env)
    assert not (project / "lake").exists()
    shown = sluice(project, "table", "show", "s3://lake/retail/gold/fact_sales", env=env)
    assert "s3://lake/retail/gold/fact_sales" in shown
    assert "put-if-absent holds" in sluice(project, "doctor", env=env)


def test_files_come_from_s3(local, gateway, tmp_path):
    boto3 = pytest.importorskip("boto3")
    env = gateway.environment
    client = boto3.client("s3", endpoint_url=gateway.endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="eu-test-1")
    for path in sorted((local / "landing").rglob("*")):
        if path.is_file():
            client.upload_file(str(path), "lake", f"drop/{path.relative_to(local / 'landing')}")
    project = copy_of(local, tmp_path / "project", "s3://lake/dropped")
    shutil.rmtree(project / "landing")
    config = project / "sluice.yml"
    config.write_text(config.read_text().replace("path: ./landing", "path: s3://lake/drop"))
    sluice(project, "run", env=env)
    tables = [table for table in tables_of(local / "lake") if not table.startswith("quarantine")]
    assert contents(project, tables, env) == contents(local, tables)
    again = said(project, "run", env=env)
    assert " ok" not in again and "up to date" in again


# Cases in them write, or name, files of the lake by their paths on a disk.
ON_DISK_ONLY = {"commands.test", "damage.test", "external.test", "external_parquet.test", "read.test", "restore_by_path.test", "running.test", "sql.test", "tables_by_path.test", "testing.test"}


def test_files_on_s3_arrive_by_the_same_rules(gateway, tmp_path):
    boto3 = pytest.importorskip("boto3")
    env = gateway.environment
    client = boto3.client("s3", endpoint_url=gateway.endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="eu-test-1")
    (tmp_path / "sources").mkdir()
    (tmp_path / "sluice.yml").write_text("project: shop\nlake: ./lake\ntimezone: UTC\n"
                                         "connections: { drop: { type: files, path: s3://lake/arrivals } }\n")
    source = tmp_path / "sources/t.yml"
    read = 'files: "t/*.csv", header: true, delimiter: ",", on_changed_file: replace'
    contract = "contract: { columns: [ { name: id, type: bigint } ] }\n"

    def put(name, text):
        client.put_object(Bucket="lake", Key="arrivals/t/" + name, Body=text.encode())

    def rows():
        return sluice(tmp_path, "query", "select id, _file from bronze.t order by all", "--format", "csv", env=env).splitlines()[1:]

    source.write_text(f"connection: drop\nread: {{ {read}, settle: 1h }}\n{contract}")
    put("1.csv", "id\n1\n")
    assert "1 file waits for a later run" in said(tmp_path, "run", env=env)
    source.write_text(f'connection: drop\nread: {{ {read}, done_marker: "{{name}}.done" }}\n{contract}')
    assert "its marker t/1.csv.done is not there" in said(tmp_path, "run", env=env)
    put("1.csv.done", "")
    sluice(tmp_path, "run", env=env)
    assert rows() == ["1,t/1.csv"]

    source.write_text(f"connection: drop\nread: {{ {read} }}\n{contract}")
    client.copy_object(Bucket="lake", Key="arrivals/t/2.csv", CopySource={"Bucket": "lake", "Key": "arrivals/t/1.csv"})
    client.delete_object(Bucket="lake", Key="arrivals/t/1.csv")
    assert "skipped t/2.csv: it has the contents of t/1.csv" in said(tmp_path, "run", env=env)
    put("3.csv", "id\n3\n")
    sluice(tmp_path, "run", env=env)
    put("2.csv", "id\n22\n")
    sluice(tmp_path, "run", env=env)
    assert rows() == ["3,t/3.csv", "22,t/2.csv"]


def test_the_pipeline_suite_passes_on_s3(gateway):
    suite = sorted(str(path) for path in (REPO / "tests/pipelines").glob("*.test") if path.name not in ON_DISK_ONLY)
    assert " 0 failed" in said(REPO, "test", "--lakes", "s3://lake/suite", *suite, env=gateway.environment)


def test_a_wrong_secret_is_told_and_not_shown(gateway, local, tmp_path):
    project = copy_of(local, tmp_path / "project", "s3://lake/wrong")
    env = gateway.environment | {"AWS_SECRET_ACCESS_KEY": "not/the+secret"}
    text = said(project, "query", "select 1 as one from seed.countries", env=env, expect=2)
    assert "bad-credentials" in text and "of the environment" in text and "not/the+secret" not in text, text
    nobody = {name: value for name, value in env.items() if not name.startswith("AWS_ACCESS")} | {"HOME": str(tmp_path)}
    assert "no-credentials" in said(project, "run", env=nobody, expect=1)


def test_a_bucket_that_is_not_there_is_named(gateway, local, tmp_path):
    project = copy_of(local, tmp_path / "project", "s3://no-such-bucket-here/lake")
    assert "no-such-bucket" in said(project, "run", env=gateway.environment, expect=1)


def small_project(folder, lake):
    (folder / "seeds").mkdir(parents=True)
    (folder / "models/gold").mkdir(parents=True)
    (folder / "sluice.yml").write_text(f"project: small\nlake: {lake}\n")
    (folder / "seeds/numbers.csv").write_text("n\n1\n2\n")
    (folder / "models/gold/total.sql").write_text("select sum(n) as total from seed.numbers\n")
    return folder


class Writer(threading.Thread):
    """Runs `sluice table` commands, a process each, until all of them have been committed; each refusal must name what came first."""

    def __init__(self, folder, env, commands):
        super().__init__()
        self.folder, self.env, self.commands, self.refused, self.failed = folder, env, commands, 0, None

    def run(self):
        for command in self.commands:
            while True:
                done = subprocess.run([SLUICE, "table", *command], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=300)
                if done.returncode == 0:
                    break
                if "error[commit-conflict]" not in done.stderr or not re.search(r"UPDATE|MERGE|DELETE|OPTIMIZE", done.stderr):
                    self.failed = done.stdout + done.stderr
                    return
                self.refused += 1


@pytest.mark.parametrize("where", ["local", "s3"])
def test_processes_write_one_table_at_once(gateway, tmp_path, where):
    lake = "s3://lake/at-once" if where == "s3" else tmp_path / "lake"
    env = gateway.environment
    project = small_project(tmp_path / "project", lake)
    (project / "models/gold/counted.sql").write_text("select n::bigint as n, 0::bigint as v, n % 2 as p from range(20) t(n)\n")
    (project / "models/gold/counted.yml").write_text("{ readers: delta, partition_by: [p] }\n")
    sluice(project, "run", env=env)
    table, path, rounds = "gold.counted", f"{lake}/gold/counted", 4
    insert = ["--on", "n", "--when", "NOT MATCHED THEN INSERT (n, v, p) VALUES (source.n, source.v, source.p)"]
    writers = [Writer(project, env, [["update", table, "--set", "v = v + 1", "--where", "n < 10"]] * rounds),
               Writer(project, env, [["update", table, "--set", "v = v + 100", "--where", "n < 10"]] * rounds),
               Writer(project, env, [["delete", table, "--where", f"n = {10 + i}"] for i in range(rounds)]),
               *[Writer(project, env, [["merge", table, "--using", f"select {k * 1000 + i} as n, 0 as v, 1 as p", *insert] for i in range(rounds)]) for k in (1, 2)],
               Writer(project, env, [["optimize", table]] * 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.failed for writer in writers if writer.failed] == []
    rows = sluice(project, "query", f"select n, v from delta_scan('{path}') order by n", "--format", "csv", env=env).splitlines()[1:]
    expected = [(n, rounds * 101 if n < 10 else 0) for n in range(20) if not 10 <= n < 10 + rounds] + [(k * 1000 + i, 0) for k in (1, 2) for i in range(rounds)]
    assert [tuple(map(int, row.split(","))) for row in rows] == sorted(expected)
    sluice(project, "table", "check", path, env=env)


def certificate(folder):
    """A certificate for localhost, signed by an authority of its own: (its file, its key's, the authority's)."""
    def run(*args):
        subprocess.run(["openssl", *map(str, args)], cwd=folder, check=True, capture_output=True)
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test authority")
    run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "names")
    return folder / "server.pem", folder / "server.key", folder / "ca.pem"


def test_certificates_are_verified(tmp_path):
    pem, key, authority = certificate(tmp_path)
    server = Gateway(tmp_path / "tls", (pem, key))
    try:
        project = small_project(tmp_path / "project", "s3://lake/tls")
        text = said(project, "run", env=server.environment, expect=1)
        assert "tls-failed" in text and "AWS_CA_BUNDLE" in text, text
        trusting = server.environment | {"AWS_CA_BUNDLE": str(authority)}
        sluice(project, "run", env=trusting)
        assert "3" in sluice(project, "query", "select total from gold.total", "--format", "csv", env=trusting)
    finally:
        server.stop()


class Moto:
    """moto's STS and S3, with the bucket "lake"."""

    def __init__(self):
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        boto3 = pytest.importorskip("boto3")
        self.s3 = boto3.client("s3", endpoint_url=self.endpoint, aws_access_key_id="AKIABASE", aws_secret_access_key="base", region_name="us-east-1")
        self.s3.create_bucket(Bucket="lake")

    def keys(self, prefix):
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", [])]

    def environment(self, **more):
        """Of a process that has no identity but what `more` gives it."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return clean | {"AWS_ENDPOINT_URL_STS": self.endpoint, "AWS_EC2_METADATA_DISABLED": "true"} | more

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def moto():
    server = Moto()
    yield server
    server.stop()


def run_by_a_role(moto, tmp_path, env):
    """The small project whole, with what STS gives; and what is said where STS cannot be reached."""
    prefix = tmp_path.name
    project = small_project(tmp_path / "project", f"s3://lake/{prefix}")
    sluice(project, "run", env=env)
    assert "3" in sluice(project, "query", "select total from gold.total", "--format", "csv", env=env)
    assert "up to date" in said(project, "run", env=env)
    assert f"{prefix}/gold/total/_delta_log/00000000000000000000.json" in moto.keys(prefix)
    gone = env | {"AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{free_port()}"}
    assert "connect-failed" in said(project, "run", env=gone, expect=1)


def test_a_role_of_sts_reaches_the_lake(moto, tmp_path):
    """A profile's role, taken on with the keys of its source profile."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[profile etl]\nrole_arn = arn:aws:iam::123456789012:role/lake\nsource_profile = base\nregion = us-east-1\n"
                                          f"endpoint_url = {moto.endpoint}\n[profile base]\n")
    (tmp_path / ".aws/credentials").write_text("[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = base\n")
    run_by_a_role(moto, tmp_path, moto.environment(HOME=str(tmp_path), AWS_PROFILE="etl"))


def test_a_web_identity_reaches_the_lake(moto, tmp_path):
    """A token in a file, as a pod of Kubernetes has it, exchanged for the keys of a role."""
    token = tmp_path / "token"
    token.write_text("eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6ZXRsOnNsdWljZSJ9.")
    env = moto.environment(HOME=str(tmp_path), AWS_WEB_IDENTITY_TOKEN_FILE=str(token), AWS_ROLE_ARN="arn:aws:iam::123456789012:role/lake", AWS_ROLE_SESSION_NAME="etl",
                           AWS_REGION="us-east-1", AWS_ENDPOINT_URL_S3=moto.endpoint)
    run_by_a_role(moto, tmp_path, env)
    project = small_project(tmp_path / "other", "s3://lake/other")
    assert str(tmp_path / "nowhere") in said(project, "run", env=env | {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "nowhere")}, expect=1)


METADATA_SERVER = """
import http.server, json, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def do_PUT(self): self.say("a-token" if self.path == "/latest/api/token" else None)
    def do_GET(self):
        base = "/latest/meta-data/iam/security-credentials/"
        known = self.headers.get("X-aws-ec2-metadata-token") == "a-token"
        keys = {"AccessKeyId": "ASIAINSTANCE", "SecretAccessKey": "secret", "Token": "session", "Expiration": "2099-01-01T00:00:00Z", "Code": "Success"}
        if self.path == "/container" and self.headers.get("Authorization") == "let me in": self.say(json.dumps(keys))
        elif known and self.path == base: self.say("lake-role")
        elif known and self.path == base + "lake-role": self.say(json.dumps(keys))
        elif known and self.path == "/latest/meta-data/placement/region": self.say("us-east-1")
        else: self.say(None)
    def say(self, text):
        self.send_response(200 if text else 401)
        self.end_headers()
        self.wfile.write((text or "").encode())
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answers).serve_forever()
"""


@pytest.fixture(scope="module")
def metadata():
    """The metadata service of a machine, and that of a container beside it."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", METADATA_SERVER, str(port)])
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.mark.parametrize("where", ["instance", "container"])
def test_metadata_servers_give_keys(moto, metadata, tmp_path, where):
    if where == "instance":
        more = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata, "AWS_EC2_METADATA_DISABLED": "false"}
    else:
        more = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{metadata}/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me in"}
    env = moto.environment(HOME=str(tmp_path), AWS_REGION="us-east-1", AWS_ENDPOINT_URL_S3=moto.endpoint, **more)
    project = small_project(tmp_path / "project", f"s3://lake/{tmp_path.name}")
    sluice(project, "run", env=env)
    assert "3" in sluice(project, "query", "select total from gold.total", "--format", "csv", env=env)
    if where == "container":
        assert " 401" in said(project, "run", env=env | {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "wrong"}, expect=1)
