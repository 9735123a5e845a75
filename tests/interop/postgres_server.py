"""A real PostgreSQL server for tests: a cluster of its own in a temporary folder, with TLS by an authority of its own."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import threading
import time

BIN = next(iter(sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
USER, PASSWORD, DATABASE = "etl", "s3cret/of+the'tests", "shop"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_certificates(folder):
    """An authority, and a certificate of it for localhost."""

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=tests' authority")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", "server.crt",
            "-extfile", "names")


class Postgres:
    """Started when made. `etl` may read all tables of `public` and comes in by password over TLS (or over loopback without, by 127.0.0.1)."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.port = free_port()
        self.as_other = []
        if os.geteuid() == 0:  # the server refuses to run as root
            other = pwd.getpwnam("postgres")
            self.as_other = ["setpriv", f"--reuid={other.pw_uid}", f"--regid={other.pw_gid}", "--clear-groups"]
            for above in [self.folder, *self.folder.parents]:
                if above != pathlib.Path("/") and not above.stat().st_mode & 0o001:
                    above.chmod(above.stat().st_mode | 0o011)
        make_certificates(self.folder)
        if self.as_other:
            for path in [self.folder, *self.folder.iterdir()]:
                os.chown(path, other.pw_uid, other.pw_gid)
        (self.folder / "server.key").chmod(0o600)
        self._run("initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        with open(self.data / "postgresql.conf", "a") as config:
            config.write(f"""
port = {self.port}
listen_addresses = '127.0.0.1'
unix_socket_directories = '{self.folder}'
wal_level = logical
max_connections = 40
max_prepared_transactions = 4
fsync = off
ssl = on
ssl_cert_file = '{self.folder}/server.crt'
ssl_key_file = '{self.folder}/server.key'
""")
        (self.data / "pg_hba.conf").write_text("local all postgres trust\nlocal replication postgres trust\nhostssl all etl 127.0.0.1/32 scram-sha-256\n"
                                               "hostnossl all plain 127.0.0.1/32 scram-sha-256\n")
        self.process = None
        self.start()
        self.sql(f"create role etl login password '{PASSWORD.replace(chr(39), chr(39) * 2)}'", database="postgres")
        self.sql("create role plain login password 'plain'", database="postgres")
        self.sql("alter role etl set search_path = public", database="postgres")
        self.sql(f"create database {DATABASE}", database="postgres")
        self.sql("alter default privileges in schema public grant select on tables to etl, plain")

    def _run(self, program, *args):
        done = subprocess.run([*self.as_other, str(BIN / program), *map(str, args)], capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        log = open(self.folder / "log", "a")
        self.process = subprocess.Popen([*self.as_other, str(BIN / "postgres"), "-D", str(self.data)], stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + 60
        while self._psql("select 1", "postgres").returncode != 0:
            assert self.process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def replica(self):
        """A physical replica beside it, that follows it and has the same roles."""
        other = object.__new__(Postgres)
        port = free_port()
        other.folder = self.folder / f"replica{port}"
        other.folder.mkdir()
        if self.as_other:
            os.chown(other.folder, *(int(one.split("=")[1]) for one in self.as_other[1:3]))
        other.data, other.port, other.as_other = other.folder / "data", port, self.as_other
        self._run("pg_basebackup", "-h", self.folder, "-p", self.port, "-U", "postgres", "-D", other.data, "-R", "-c", "fast", "-X", "stream")
        with open(other.data / "postgresql.conf", "a") as config:
            config.write(f"\nport = {other.port}\nunix_socket_directories = '{other.folder}'\n")
        other.start()
        return other

    def stop(self, how="fast"):
        self.process.send_signal({"fast": 2, "immediate": 3}[how])
        self.process.wait(timeout=60)

    def _psql(self, sql, database):
        return subprocess.run([str(BIN / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-p", str(self.port),
                               "-U", "postgres", "-d", database], input=sql, capture_output=True, text=True)

    def sql(self, sql, database=DATABASE):
        """Runs statements as the superuser; gives what they print."""
        done = self._psql(sql, database)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def session(self):
        return Session(self)

    @property
    def environment(self):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return clean | {"SHOP_PASSWORD": PASSWORD, "SHOP_PORT": str(self.port)}

    def connection(self, **more):
        """The connection of a project's sluice.yml, in YAML's flow form."""
        keys = {"type": "postgres", "host": "localhost", "port": '"${env:SHOP_PORT}"', "database": DATABASE, "user": USER,
                "password": '"${env:SHOP_PASSWORD}"', "tls_ca": self.folder / "ca.pem"} | more
        return "{ " + ", ".join(f"{key}: {value}" for key, value in keys.items() if value is not None) + " }"


class Session:
    """A transaction that stays open between statements."""

    def __init__(self, server):
        self.process = subprocess.Popen([str(BIN / "psql"), "-X", "-q", "-A", "-t", "-h", str(server.folder), "-p", str(server.port), "-U", "postgres",
                                         "-d", DATABASE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def sql(self, statement):
        self.process.stdin.write(f"{statement}\n;\n\\echo done-with-it\n")
        self.process.stdin.flush()
        said = []
        for line in self.process.stdout:
            if line.strip() == "done-with-it":
                break
            said.append(line.strip())
        return "\n".join(said)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


class Proxy:
    """Passes bytes on to the server, up to `limit` of what it answers; then it breaks the connection."""

    def __init__(self, server_port, limit):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.server_port, self.limit, self.broken = server_port, limit, 0
        self.mute, self.unanswered = False, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.mute:
                self.unanswered.append(client)
                continue
            server = socket.create_connection(("127.0.0.1", self.server_port))
            threading.Thread(target=self._pass, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, self.limit), daemon=True).start()

    def _pass(self, source, to, limit):
        passed = 0
        try:
            while data := source.recv(65536):
                passed += len(data)
                if limit is not None and self.limit is not None and passed > limit:
                    self.broken += 1
                    break
                to.sendall(data)
        except OSError:
            pass
        for one in (source, to):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def close(self):
        self.listener.close()


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
