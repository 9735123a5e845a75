"""A real S3 server for tests: versitygw over a folder, in which its objects can also be looked at as files."""

import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

from sluice_runs import REPO

VERSITYGW = REPO / ".deps/bin/versitygw"
KEY, SECRET = "AKIAINTEROPTESTS", "interop/secret+of=tests"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Gateway:
    """Over `folder`, with the bucket "lake". `certificate`: (file, key file) for TLS."""

    def __init__(self, folder, certificate=None):
        self.folder = pathlib.Path(folder)
        (self.folder / "data/lake").mkdir(parents=True)
        self.port = free_port()
        scheme = "https" if certificate else "http"
        self.endpoint = f"{scheme}://localhost:{self.port}"
        tls = ["--cert", certificate[0], "--key", certificate[1]] if certificate else []
        command = [VERSITYGW, "--access", KEY, "--secret", SECRET, "--port", f"127.0.0.1:{self.port}", "--region", "eu-test-1", "--quiet", *tls,
                   "posix", self.folder / "data"]
        with open(self.folder / "log", "w") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._listens():
            assert self.process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

    def _listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def environment(self):
        """For a process that is to find the server and its own identity in the environment, and nothing of this machine's."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return clean | {"AWS_ENDPOINT_URL_S3": self.endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-test-1",
                        "AWS_EC2_METADATA_DISABLED": "true"}

    def files_of(self, prefix):
        return self.folder / "data/lake" / prefix

    def stop(self):
        self.process.kill()
        self.process.wait()
