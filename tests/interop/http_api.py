"""A real HTTP server for tests: what it answers is a function of the test's own, and what it was asked is kept."""

import dataclasses
import gzip
import http.server
import json
import ssl
import subprocess
import threading
import time
import urllib.parse


@dataclasses.dataclass
class Asked:
    method: str
    path: str
    query: dict
    headers: object  # by name, whatever its case
    body: bytes
    at: float  # monotonic
    number: int  # of the server's requests, from 0
    target: str  # path and query as they were sent

    @property
    def json(self):
        return json.loads(self.body)


@dataclasses.dataclass
class Answer:
    """`body`: bytes, JSON as a text, or what becomes JSON. `cut`: so many bytes of it, and the connection is gone. `length`: False: its end is that of
    the connection. `chunked`: in two chunks. `wait`: seconds before a word is said."""
    body: object = None
    status: int = 200
    headers: dict = dataclasses.field(default_factory=dict)
    gzip: bool = False
    cut: int = None
    length: bool = True
    chunked: bool = False
    wait: float = 0


class Api:
    """On 127.0.0.1. `handle(asked)` gives an Answer, or the body of a good one. `certificate`: (file, key file) for TLS."""

    def __init__(self, handle, certificate=None):
        self.handle, self.asked, self.broken = handle, [], []
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.handle_error = lambda request, peer: None  # of peers that went away
        self.port = self._server.server_address[1]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self):
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        assert not self.broken, self.broken

    def paths(self):
        return [asked.path for asked in self.asked]

    def values(self, name):
        """What each request gave for that query parameter."""
        return [asked.query.get(name) for asked in self.asked]

    def _answer(self, method, target, headers, body):
        url = urllib.parse.urlsplit(target)
        with self._lock:
            asked = Asked(method, url.path, dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)), headers, body, time.monotonic(), len(self.asked), target)
            self.asked.append(asked)
        try:
            answer = self.handle(asked)
        except Exception as error:  # a test's own mistake must not look like the server's failure that it tests
            self.broken.append(repr(error))
            answer = Answer(status=599)
        return answer if isinstance(answer, Answer) else Answer(answer)

    def _handler(api):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = api._answer(self.command, self.path, self.headers, body)
                if answer.wait and api._closing.wait(answer.wait):
                    self.close_connection = True
                    return
                data = answer.body if isinstance(answer.body, bytes) else (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()
                headers = {"Content-Type": "application/json"} | answer.headers
                if answer.gzip:
                    data = gzip.compress(data)
                    headers["Content-Encoding"] = "gzip"
                if answer.chunked:
                    headers["Transfer-Encoding"] = "chunked"
                    half = len(data) // 2
                    data = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (data[:half], data[half:], b""))
                elif answer.length:
                    headers["Content-Length"] = str(len(data))
                else:
                    headers["Connection"] = "close"
                self.send_response(answer.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data[:answer.cut])
                self.close_connection = self.close_connection or answer.cut is not None or not answer.length

            do_POST = do_GET

            def log_message(self, *args):
                pass

        return Handler


def make_certificate(folder):
    """(file, key file) of a server that nobody vouches for but itself."""
    certificate, key = folder / "server.pem", folder / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key
