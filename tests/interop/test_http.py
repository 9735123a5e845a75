"""HTTP APIs as sources: a server in this process answers as each test says, and tells what it was asked."""

import base64
import datetime
import json
import random
import re
import shutil
import signal
import socket
import threading
import time
import urllib.parse

import pytest
from http_api import Answer, Api, make_certificate
from sluice_runs import ask, query, said, sluice, start


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def serve():
    apis = []

    def one(handle, certificate=None):
        apis.append(Api(handle, certificate))
        return apis[-1]

    yield one
    for api in apis:
        api.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def project(folder, api, source, connection=""):
    """With the source `things` of the API; `source` is its YAML, `connection` what stands behind the url."""
    (folder / "sources").mkdir(parents=True, exist_ok=True)
    url = api if isinstance(api, str) else api.url
    (folder / "sluice.yml").write_text(f'project: p\nlake: ./lake\nconnections:\n  api: {{ type: http, url: "{url}"{connection and ", " + connection} }}\n')
    (folder / "sources/things.yml").write_text("connection: api\n" + source)
    return folder


def request(text="", load="load: full\n"):
    return f"read:\n  request: {{ path: /things, records: data{text and ', ' + text} }}\n{load}"


def ids(folder):
    return [int(row[0]) for row in query(folder, "select id from bronze.things order by _batch_id, _row")]


def things(*numbers):
    return [{"id": number} for number in numbers]


def versions(folder):
    return len(list((folder / "lake/bronze/things/_delta_log").glob("*.json")))


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.01)


# ---- pages

ALL = things(*range(25))


def page_of(asked, size=10, first=1):
    page = int(asked.query["page"]) - first
    return ALL[page * size:(page + 1) * size]


def offset_of(asked):
    """Fewer than it is asked for."""
    offset = int(asked.query["offset"])
    assert asked.query["limit"] == "10"
    return ALL[offset:offset + 7]


def after(asked, name="after"):
    at = int(asked.query.get(name, 0))
    return ALL[at:at + 10], at + 10 if at + 10 < len(ALL) else None


def by_cursor(asked):
    data, following = after(asked)
    return {"data": data, "meta": {"next": following and str(following)}}


def by_link(asked):
    data, following = after(asked)
    links = ['</things?after=0>; rel="first"'] + ([f'</things?after={following}&x=a,b>; rel="next last"; title="a, b"'] if following else [])
    return Answer({"data": data}, headers={"Link": ", ".join(links)})


def by_url(asked, before=""):
    data, following = after(asked)
    return {"data": data, "next": f"{before}?after={following}" if following else None}


PAGES = {
    "page": ("{ by: page }", lambda asked: {"data": page_of(asked)}, "page", ["1", "2", "3", "4"]),
    "page and total": ("{ by: page, total: meta.pages }", lambda asked: {"data": page_of(asked), "meta": {"pages": 3}}, "page", ["1", "2", "3"]),
    "page from 0, by a name": ("{ by: page, parameter: p, start: 0, total: pages }", lambda asked: {"data": ALL[int(asked.query["p"]) * 10:][:10], "pages": "3"}, "p", ["0", "1", "2"]),
    "page and more": ("{ by: page, more: more }", lambda asked: {"data": page_of(asked), "more": asked.query["page"] != "3"}, "page", ["1", "2", "3"]),
    "offset": ("{ by: offset, size: 10 }", lambda asked: {"data": offset_of(asked)}, "offset", ["0", "7", "14", "21", "25"]),
    "offset and total": ("{ by: offset, size: 10, total: count }", lambda asked: {"data": offset_of(asked), "count": 25}, "offset", ["0", "7", "14", "21"]),
    "cursor": ("{ by: cursor, parameter: after, from: meta.next }", by_cursor, "after", [None, "10", "20"]),
    "link": ("{ by: link }", by_link, "after", [None, "10", "20"]),
    "next_url, relative": ("{ by: next_url, from: next }", lambda asked: by_url(asked, "/things"), "after", [None, "10", "20"]),
    "next_url, a query": ("{ by: next_url, from: next }", by_url, "after", [None, "10", "20"]),
}


@pytest.mark.parametrize("name", PAGES)
def test_pages(serve, tmp_path, name):
    pages, handle, parameter, expected = PAGES[name]
    api = serve(handle)
    folder = project(tmp_path, api, request("pages: " + pages))
    assert "in 25 = new 25" in sluice(folder, "run")
    assert ids(folder) == list(range(25))
    assert api.values(parameter) == expected


def test_next_url_absolute(serve, tmp_path):
    """The request's own parameters are in it or not, as the API likes; those of the connection are always given, once."""
    api = serve(lambda asked: by_url(asked, f"{api.url}/things"))
    folder = project(tmp_path, api, request("parameters: { kind: big }, pages: { by: next_url, from: next }"), "parameters: { version: 2 }")
    sluice(folder, "run")
    assert ids(folder) == list(range(25))
    assert api.values("kind") == ["big", None, None] and api.values("version") == ["2", "2", "2"]


def test_next_url_that_has_the_connections_parameters_has_them_once(serve, tmp_path):
    def handle(asked):
        data, following = after(asked)
        return {"data": data, "next": f"{api.url}/things?after={following}&version=2" if following else None}

    api = serve(handle)
    sluice(project(tmp_path, api, request("pages: { by: next_url, from: next }"), "parameters: { version: 2 }"), "run")
    assert [asked.target.count("version=2") for asked in api.asked] == [1, 1, 1]


def test_a_cursor_in_a_body(serve, tmp_path):
    def handle(asked):
        assert asked.method == "POST" and asked.headers["Content-Type"] == "application/json"
        at = int(asked.json["after"] or 0)
        return {"data": ALL[at:at + 10], "next": str(at + 10) if at < 20 else None}

    api = serve(handle)
    folder = project(tmp_path, api, request("""method: POST, body: '{"after": "{next}", "kind": {"of": "all"}}', pages: { by: cursor, parameter: "", from: next }"""))
    sluice(folder, "run")
    assert ids(folder) == list(range(25))
    assert [asked.json for asked in api.asked] == [{"after": at, "kind": {"of": "all"}} for at in (None, "10", "20")]
    assert [asked.query for asked in api.asked] == [{}, {}, {}]


ENDLESS = {
    "page that is ignored": ("{ by: page, most: 500 }", lambda asked: {"data": ALL}),
    "page that is ignored, each answer with a number of its own": ("{ by: page, most: 500 }", lambda asked: {"request": asked.number, "data": ALL}),
    "offset that is ignored": ("{ by: offset, size: 25, most: 500 }", lambda asked: {"data": ALL}),
    "cursor that repeats": ("{ by: cursor, from: next, most: 500 }", lambda asked: {"data": things(asked.number), "next": "again"}),
    "cursors in a circle": ("{ by: cursor, from: next, most: 500 }", lambda asked: {"data": things(asked.number % 3), "next": "abc"[asked.number % 3]}),
    "more than most": ("{ by: page, most: 5 }", lambda asked: {"data": things(asked.number)}),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_list_without_end_is_refused_soon(serve, tmp_path, name):
    pages, handle = ENDLESS[name]
    api = serve(handle)
    folder = project(tmp_path, api, request("pages: " + pages))
    out = said(folder, "run", expect=3)
    assert "error[http-endless]" in out and re.search(r"sources/things\.yml:\d+:\d+", out)
    assert not list((folder / "lake").rglob("*.parquet"))
    assert len(api.asked) <= 10


@pytest.mark.parametrize("pages", ["{ by: page, total: pages }", "{ by: page, more: more }"])
def test_an_empty_page_is_not_the_end_where_the_api_says_that_there_are_more(serve, tmp_path, pages):
    """APIs that filter a page after they have cut it out give such."""
    def handle(asked):
        page = int(asked.query["page"])
        return {"data": [] if page == 2 else things(page), "pages": 4, "more": page < 4}

    folder = project(tmp_path, serve(handle), request("pages: " + pages))
    sluice(folder, "run")
    assert ids(folder) == [1, 3, 4]


def test_more_without_a_next_page_is_not_the_end(serve, tmp_path):
    folder = project(tmp_path, serve(lambda asked: {"data": ALL[:10], "more": True, "next": None}), request("pages: { by: cursor, from: next, more: more }"))
    assert "error[http-answer]" in said(folder, "run", expect=3)


def test_a_page_behind_the_last_one_may_be_missing(serve, tmp_path):
    handle = lambda asked: {"data": page_of(asked)} if asked.query["page"] < "4" else Answer({"detail": "Invalid page."}, 404)
    folder = project(tmp_path, serve(handle), request("on_missing: empty, pages: { by: page }"))
    sluice(folder, "run")
    assert ids(folder) == list(range(25))


# ---- who asks

SECRET = "s3cret/of+these=tests &c"
FORMS = [SECRET, urllib.parse.quote(SECRET, safe=""), urllib.parse.quote_plus(SECRET), base64.b64encode(f"etl:{SECRET}".encode()).decode()]
AUTH = {
    "basic": ("{ type: basic, user: etl, password: \"${env:API_SECRET}\" }", lambda asked: asked.headers["Authorization"] == "Basic " + FORMS[3]),
    "bearer": ("{ type: bearer, token: \"${env:API_SECRET}\" }", lambda asked: asked.headers["Authorization"] == "Bearer " + SECRET),
    "header": ("{ type: header, name: X-Api-Key, value: \"${env:API_SECRET}\" }", lambda asked: asked.headers["x-api-key"] == SECRET),
    "parameter": ("{ type: parameter, name: key, value: \"${env:API_SECRET}\" }", lambda asked: asked.query["key"] == SECRET),
}


def nowhere(folder, *outputs, secrets=FORMS):
    """No form of a secret in what was said, or in any file of the project."""
    found = [(name, secret) for secret in secrets for name, text in enumerate(outputs) if secret in text]
    for path in folder.rglob("*"):
        if path.is_file():
            found += [(path, secret) for secret in secrets if secret.encode() in path.read_bytes()]
    assert not found


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setenv("API_SECRET", SECRET)


@pytest.mark.parametrize("kind", AUTH)
def test_auth(serve, tmp_path, secret, kind):
    auth, is_right = AUTH[kind]
    api = serve(lambda asked: {"data": page_of(asked)} if is_right(asked) else Answer({"error": "who?"}, 401))
    folder = project(tmp_path, api, request("pages: { by: page }", "load: incremental\ncursor: id\n"), f"auth: {auth}")
    outputs = [said(folder, "plan"), said(folder, "-v", "--log-format", "json", "run"), said(folder, "-v", "run"), said(folder, "--json", "plan"), said(folder, "show", "bronze.things")]
    assert ids(folder) == list(range(25))
    nowhere(folder, *outputs)


def test_a_secret_from_a_file_without_the_line_break_behind_it(serve, tmp_path):
    api = serve(lambda asked: {"data": ALL} if asked.headers["Authorization"] == f"Bearer {SECRET}" else Answer("who?", 401))
    folder = project(tmp_path, api, request(), 'auth: { type: bearer, token: "${file:token.txt}" }')
    (folder / "token.txt").write_text(SECRET + "\n")
    sluice(folder, "run")
    assert len(ids(folder)) == 25


@pytest.mark.parametrize("connection", ['auth: { type: bearer, token: "${env:API_SECRET}" }', 'headers: { X-Key: "${env:API_SECRET}" }'])
def test_a_line_break_in_a_header_is_refused(serve, tmp_path, monkeypatch, connection):
    monkeypatch.setenv("API_SECRET", "two\nX-Other: lines")
    api = serve(lambda asked: {"data": ALL})
    out = said(project(tmp_path, api, request(), connection), "run", expect=1)
    assert "error[bad-header]" in out and "X-Other" not in out and api.asked == []



ECHOES = {
    "as it was meant": lambda asked: f"no: {SECRET}!",
    "as it was sent": lambda asked: f"no: {asked.headers['Authorization']} {asked.headers['X-Api-Key']} {urllib.parse.urlencode(asked.query, quote_via=urllib.parse.quote)}",
}


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("kind", AUTH)
def test_a_secret_that_an_error_repeats_is_not_shown(serve, tmp_path, secret, kind, echo):
    api = serve(lambda asked: Answer(ECHOES[echo](asked), 400))
    folder = project(tmp_path, api, request(), f"auth: {AUTH[kind][0]}")
    out = said(folder, "-v", "run", expect=1)
    assert "error[http-refused]" in out and "***" in out
    nowhere(folder, out, said(folder, "plan"), said(folder, "show", "bronze.things"))


def test_a_secret_in_the_connections_headers_and_parameters_is_not_shown(serve, tmp_path, secret):
    api = serve(lambda asked: Answer(f"{asked.headers['X-Team']} and {asked.query['team']}", 403))
    folder = project(tmp_path, api, request(), "headers: { X-Team: \"${env:API_SECRET}\" }, parameters: { team: \"${env:API_SECRET}\" }")
    out = said(folder, "run", expect=1)
    assert "error[http-unauthorized]" in out and api.asked[0].headers["X-Team"] == SECRET
    nowhere(folder, out)


def test_a_part_of_a_secret_is_not_shown(serve, tmp_path, secret):
    """Where a long message is cut off."""
    for before in (285, 295):
        api = serve(lambda asked: Answer("x" * before + SECRET + " is wrong", 400))
        out = said(project(tmp_path / str(before), api, request(), f"auth: {AUTH['bearer'][0]}"), "run", expect=1)
        assert SECRET[:5] not in out


@pytest.mark.parametrize("text", ["", "for_each"])
def test_a_secret_in_an_answer_without_records_is_not_shown(serve, tmp_path, secret, text):
    source = "read:\n  for_each: { path: /parents }\n  request: { path: \"/{parent.id}\" }\nload: full\n" if text else request()
    folder = project(tmp_path, serve(lambda asked: {"sent": dict(asked.headers)["Authorization"], "url": f"/?key={SECRET}"}), source, f"auth: {AUTH['bearer'][0]}")
    out = said(folder, "run", expect=3)
    assert "error[http-answer]" in out
    nowhere(folder, out)


OAUTH = 'auth: {{ type: oauth2, token_url: "{url}/token", client_id: "an etl", client_secret: "${{env:API_SECRET}}", scope: read{more} }}'


class Tokens:
    """A server of tokens, and of 25 things for those who show the last one. `ends`: the number of requests after which a token is no longer good."""

    def __init__(self, ends=None, expires=3600):
        self.given, self.used, self.ends, self.expires, self.forms = 0, 0, ends, expires, []

    def __call__(self, asked):
        if asked.path == "/token":
            form = dict(urllib.parse.parse_qsl(asked.body.decode()))
            self.forms.append(form)
            user, _, password = base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
            if (urllib.parse.unquote_plus(user), urllib.parse.unquote_plus(password)) != ("an etl", SECRET) or form.get("refresh_token") == "stale":
                return Answer({"error": "invalid_client", "error_description": f"wrong: {password} {form.get('refresh_token')}"}, 401)
            self.given, self.used = self.given + 1, 0
            return {"access_token": f"token-of-tests-{self.given}", "token_type": "Bearer", "expires_in": self.expires}
        self.used += 1
        if asked.headers["Authorization"] != f"Bearer token-of-tests-{self.given}" or (self.ends and self.used > self.ends):
            return Answer({"error": f"expired: {asked.headers['Authorization']}"}, 401)
        return {"data": page_of(asked, 2)}


def test_oauth2_asks_for_a_token_once(serve, tmp_path, secret):
    tokens = Tokens()
    api = serve(tokens)
    folder = project(tmp_path, api, request("pages: { by: page }"), OAUTH.format(url=api.url, more=", audience: things"))
    outputs = [said(folder, "plan"), said(folder, "-v", "run")]
    assert ids(folder) == list(range(25))
    assert tokens.forms == [{"grant_type": "client_credentials", "scope": "read", "audience": "things"}]
    nowhere(folder, *outputs, secrets=[*FORMS, "token-of-tests"])


@pytest.mark.parametrize("expires", [3600, 1, 0])
def test_oauth2_goes_on_with_a_new_token_in_the_middle_of_a_list(serve, tmp_path, secret, expires):
    tokens = Tokens(ends=4, expires=expires)
    api = serve(tokens)
    folder = project(tmp_path, api, request("pages: { by: page }"), OAUTH.format(url=api.url, more=""))
    out = said(folder, "-v", "run")
    assert ids(folder) == list(range(25)) and tokens.given >= 4
    nowhere(folder, out, secrets=[*FORMS, "token-of-tests"])


def test_oauth2_that_stays_unauthorized_ends(serve, tmp_path, secret):
    api = serve(lambda asked: {"access_token": "token-of-tests"} if asked.path == "/token" else Answer(f"no {asked.headers['Authorization']}", 401))
    folder = project(tmp_path, api, request(), OAUTH.format(url=api.url, more=""))
    out = said(folder, "run", expect=1)
    assert "error[http-unauthorized]" in out and len(api.asked) <= 4
    nowhere(folder, out, secrets=[*FORMS, "token-of-tests"])


def test_oauth2_whose_token_is_withdrawn_while_several_requests_are_under_way(serve, tmp_path, secret):
    """Only the newest token is good: those that find theirs refused must not take each other's away."""
    lock, good, given, seen = threading.Lock(), [""], [0], [0]

    def handle(asked):
        with lock:
            if asked.path == "/token":
                given[0] += 1
                good[0] = f"token-of-tests-{given[0]}"
                return Answer({"access_token": good[0], "expires_in": 3600}, wait=0.02)
            if asked.path == "/parents":
                return things(*range(60))
            seen[0] += 1
            if seen[0] == 20:
                good[0] = "none"
            right = asked.headers["Authorization"] == f"Bearer {good[0]}"
        time.sleep(0.01)
        return things(1) if right else Answer({"error": "expired"}, 401)

    api = serve(handle)
    folder = project(tmp_path, api, "read: { for_each: { path: /parents }, request: { path: \"/{parent.id}\" } }\nload: full\n", OAUTH.format(url=api.url, more="") + ", max_connections: 8")
    sluice(folder, "run")
    assert len(ids(folder)) == 60 and given[0] == 2


def test_oauth2_with_a_refresh_token(serve, tmp_path, secret, monkeypatch):
    monkeypatch.setenv("REFRESH", "refresh/of tests")
    tokens = Tokens()
    api = serve(tokens)
    folder = project(tmp_path, api, request("pages: { by: page }"), OAUTH.format(url=api.url, more=', refresh_token: "${env:REFRESH}"'))
    sluice(folder, "run")
    assert tokens.forms == [{"grant_type": "refresh_token", "refresh_token": "refresh/of tests", "scope": "read"}]
    assert len(ids(folder)) == 25
    nowhere(folder, secrets=["refresh/of tests", *FORMS])


@pytest.mark.parametrize("more", ["", ', refresh_token: "${env:REFRESH}"'])
def test_oauth2_that_is_refused(serve, tmp_path, secret, monkeypatch, more):
    monkeypatch.setenv("API_SECRET", SECRET if more else "another/secret of tests")
    monkeypatch.setenv("REFRESH", "stale")
    api = serve(Tokens())
    folder = project(tmp_path, api, request("pages: { by: page }"), OAUTH.format(url=api.url, more=more))
    out = said(folder, "run", expect=1)
    assert "error[http-unauthorized]" in out and "invalid_client" in out and re.search(r"sluice\.yml:4:\d+", out) and api.paths() == ["/token"]
    nowhere(folder, out, secrets=[*FORMS, "another/secret of tests", urllib.parse.quote("another/secret of tests", safe=""), "stale" if more else SECRET])


# ---- peers that fail


def failing(*firsts):
    """Those answers first, then a good one."""
    return lambda asked: firsts[asked.number] if asked.number < len(firsts) else {"data": ALL}


@pytest.mark.parametrize("status", [408, 429, 500, 503, 520, 529])
def test_what_may_pass_is_tried_again(serve, tmp_path, status):
    """That request, not the list from its beginning."""
    api = serve(lambda asked: Answer("busy", status) if asked.number in (1, 2) else {"data": page_of(asked)})
    folder = project(tmp_path, api, request("pages: { by: page }"))
    assert "in 25 = new 25" in sluice(folder, "run")
    assert ids(folder) == list(range(25)) and api.values("page") == ["1", "2", "2", "2", "3", "4"]


def test_retry_after_is_waited_for(serve, tmp_path):
    api = serve(failing(Answer("slow down", 429, {"Retry-After": "1"})))
    folder = project(tmp_path, api, request())
    sluice(folder, "run")
    first, second = api.asked
    assert second.at - first.at >= 0.95 and len(ids(folder)) == 25


def test_retry_after_a_date(serve, tmp_path):
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    api = serve(failing(Answer("slow down", 429, {"Retry-After": then.strftime("%a, %d %b %Y %H:%M:%S GMT")})))
    sluice(project(tmp_path, api, request()), "run")
    first, second = api.asked
    assert second.at - first.at >= 1


@pytest.mark.parametrize("status", [500, 429])
def test_what_does_not_pass_fails_after_all_tries(serve, tmp_path, status):
    api = serve(lambda asked: Answer("out of order today", status))
    out = said(project(tmp_path, api, request(), "tries: 2"), "run", expect=1)
    assert "error[http-failed]" in out and f"status {status}" in out and "out of order today" in out
    assert len(api.asked) % 2 == 0  # the run tries the node again, too


@pytest.mark.parametrize("how", [{"cut": 100}, {"cut": 0}, {"cut": 30, "gzip": True}, {"cut": 100, "chunked": True}, {"cut": 30, "chunked": True, "gzip": True}])
def test_a_connection_that_is_dropped_in_mid_body_is_tried_again(serve, tmp_path, how):
    api = serve(lambda asked: Answer({"data": page_of(asked)}, **how if asked.number in (0, 1, 3) else {}))
    folder = project(tmp_path, api, request("pages: { by: page, total: none }"))
    assert "in 25 = new 25" in sluice(folder, "run")
    assert ids(folder) == list(range(25)) and api.values("page") == ["1", "1", "1", "2", "2", "3", "4"]


def test_a_body_is_whole_in_each_try(serve, tmp_path):
    api = serve(failing(Answer("busy", 503), Answer({"data": []}, cut=5)))
    sluice(project(tmp_path, api, request("method: POST, body: '{\"all\": true}'")), "run")
    assert [asked.body for asked in api.asked] == [b'{"all": true}'] * 3


def test_a_connection_that_is_always_dropped(serve, tmp_path):
    folder = project(tmp_path, serve(lambda asked: Answer({"data": ALL}, cut=100)), request(), "tries: 2")
    assert "error[connection-lost]" in said(folder, "run", expect=1)
    assert not list((folder / "lake").rglob("*.parquet"))


def test_a_peer_that_says_nothing(serve, tmp_path):
    api = serve(lambda asked: Answer({"data": ALL}, wait=60))
    assert "error[timed-out]" in said(project(tmp_path, api, request(), "timeout: 1s, tries: 1"), "run", expect=1)


def test_nobody_at_the_port(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        out = said(project(tmp_path, f"http://127.0.0.1:{unused.getsockname()[1]}", request(), "tries: 2"), "run", expect=1)
    assert "error[connect-failed]" in out


@pytest.mark.parametrize("status,code", [(400, "http-refused"), (401, "http-unauthorized"), (403, "http-unauthorized"), (404, "http-not-found"), (410, "http-not-found"), (422, "http-refused")])
def test_what_will_not_pass_is_not_tried_again(serve, tmp_path, status, code):
    api = serve(lambda asked: Answer({"error": "because"}, status))
    out = said(project(tmp_path, api, request()), "run", expect=1)
    assert f"error[{code}]" in out and f"status {status}" in out and re.search(r"(sluice|sources/things)\.yml:\d+:\d+", out)
    assert len(api.asked) == 1


@pytest.mark.parametrize("answer", [Answer("gone", 404), Answer("gone", 410), Answer({"other": 1}), Answer({"data": None}), Answer(b"", 204)], ids=["404", "410", "no data", "null", "204"])
def test_nothing_there_is_no_records_where_that_is_said(serve, tmp_path, answer):
    api = serve(lambda asked: answer)
    folder = project(tmp_path, api, request("on_missing: empty", "load: full\ncontract: { columns: [ { name: id, type: bigint } ] }\n"))
    assert "in 0" in sluice(folder, "run")
    assert ids(folder) == [] and len(api.asked) == 1


BROKEN = {
    "HTML": Answer("<!doctype html><html><body>Please log in</body></html>", headers={"Content-Type": "text/html"}),
    "cut off": Answer('{"data": [{"id": 1}, {"id": 2}', length=False),
    "cut off behind the records": Answer('{"data": [{"id": 1}, {"id": 2}], "next": "ab', length=False),
    "cut off in a list": Answer('{"data": [{"id": 1}, ', length=False),
    "nothing": Answer(b"", length=False),
    "two": Answer('{"data": [{"id": 1}]}{"data": [{"id": 2}]}'),
    "bad inside": Answer('{"data": [{"id": 1},, {"id": 2}]}'),
    "no UTF-8": Answer(b'{"data": [{"id": 1, "name": "\xff"}]}'),
    "a text": Answer('"data"'),
    "no records": Answer({"items": []}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_answer_that_is_none(serve, tmp_path, name):
    folder = project(tmp_path, serve(lambda asked: BROKEN[name]), request())
    out = said(folder, "run", expect=3)
    assert "error[http-answer]" in out and "/things" in out and re.search(r"sources/things\.yml:\d+:\d+", out)
    assert not list((folder / "lake").rglob("*.parquet"))


def test_a_byte_order_mark_is_no_part_of_an_answer(serve, tmp_path):
    folder = project(tmp_path, serve(lambda asked: b"\xef\xbb\xbf" + b'{"data": [{"id": 1}]}'), request())
    sluice(folder, "run")
    assert ids(folder) == [1]


@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_that_is_too_large(serve, tmp_path, compressed):
    api = serve(lambda asked: Answer({"data": [{"id": 1, "text": "x" * 1_200_000}]}, gzip=compressed))
    assert "error[http-too-large]" in said(project(tmp_path, api, request(), "max_body: 1MiB"), "run", expect=3)
    assert len(api.asked) == 1


def test_a_compressed_answer(serve, tmp_path):
    api = serve(lambda asked: Answer({"data": ALL}, gzip=True))
    folder = project(tmp_path, api, request())
    sluice(folder, "run")
    assert "gzip" in api.asked[0].headers["Accept-Encoding"] and len(ids(folder)) == 25


@pytest.mark.parametrize("status,absolute", [(301, True), (302, False), (303, True), (307, False), (308, True)])
def test_a_redirect_on_the_same_host_is_followed(serve, tmp_path, secret, status, absolute):
    api = serve(lambda asked: {"data": ALL} if asked.path == "/moved/things" else Answer(b"", status, {"Location": (api.url if absolute else "") + "/moved/things?x=1"}))
    folder = project(tmp_path, api, request(), f"auth: {AUTH['bearer'][0]}")
    sluice(folder, "run")
    assert api.paths() == ["/things", "/moved/things"] and api.values("x") == [None, "1"] and len(ids(folder)) == 25
    assert api.asked[1].headers["Authorization"] == f"Bearer {SECRET}"


def test_redirects_in_a_circle_end(serve, tmp_path):
    api = serve(lambda asked: Answer(b"", 302, {"Location": "/things"}))
    assert "error[http-refused]" in said(project(tmp_path, api, request()), "run", expect=1)
    assert len(api.asked) < 30


@pytest.mark.parametrize("kind,how", [("bearer", "redirect"), ("parameter", "redirect"), ("bearer", "next_url"), ("parameter", "next_url"), ("bearer", "link"), ("bearer", "next_url without scheme")])
def test_another_host_never_hears_of_it(serve, tmp_path, secret, kind, how):
    other = serve(lambda asked: {"data": ALL})
    answers = {
        "redirect": Answer(b"", 302, {"Location": other.url + "/things"}),
        "next_url": Answer({"data": ALL, "next": other.url + "/things"}),
        "next_url without scheme": Answer({"data": ALL, "next": other.url.removeprefix("http:") + "/things"}),
        "link": Answer({"data": ALL}, headers={"Link": f'<{other.url}/things>; rel="next"'}),
    }
    api = serve(lambda asked: answers[how])
    pages = {"redirect": "", "link": "pages: { by: link }"}.get(how, "pages: { by: next_url, from: next }")
    folder = project(tmp_path, api, request(pages), f"auth: {AUTH[kind][0]}")
    out = said(folder, "run", expect=1)
    assert "error[http-other-host]" in out and str(other.port) in out and other.asked == []
    nowhere(folder, out)


def test_a_certificate_that_nobody_vouches_for(serve, tmp_path, certificate, secret):
    api = serve(lambda asked: {"data": ALL}, certificate)
    folder = project(tmp_path, api, request(), f"auth: {AUTH['bearer'][0]}")
    out = said(folder, "run", expect=1)
    assert "error[tls-failed]" in out and api.asked == []
    (folder / "ca.pem").write_bytes(certificate[0].read_bytes())
    project(folder, api, request(), f"auth: {AUTH['bearer'][0]}, tls_ca: ca.pem")
    sluice(folder, "run")
    assert len(ids(folder)) == 25
    assert "tls_ca" in out, "the hint names the key that helps"


def test_a_certificate_of_another_host(serve, tmp_path, certificate):
    api = serve(lambda asked: {"data": ALL}, certificate)
    folder = project(tmp_path, api.url.replace("127.0.0.1", "localhost"), request(), f"tls_ca: {certificate[0]}")
    assert "error[tls-failed]" in said(folder, "run", expect=1)


# ---- records

RECORDS = {
    "nested": ("records: data.items", {"data": {"items": things(1, 2)}}, [1, 2]),
    "nested, in a list": ("records: results.0.items", {"results": [{"items": things(1, 2)}]}, [1, 2]),
    "with $": ("records: $.data.items", {"data": {"items": things(1, 2)}}, [1, 2]),
    "list at top": ("", things(3, 4), [3, 4]),
    "one object": ("records: thing", {"thing": {"id": 5}}, [5]),
    "the answer is the record": ("", {"id": 6, "more": [1]}, [6]),
    "an empty list": ("records: data", {"data": []}, []),
    "values": ("records: data, value: id", {"data": [7, 8]}, [7, 8]),
    "map of records": ("records: data, keys: [name]", {"data": {"a": {"id": 1}, "b": {"id": 2}}}, [1, 2]),
    "list of maps": ("records: data, keys: [name], value: id", {"data": [{"a": 1, "b": 2}, {"a": 3}]}, [1, 2, 3]),
}


@pytest.mark.parametrize("name", RECORDS)
def test_where_records_are(serve, tmp_path, name):
    text, body, expected = RECORDS[name]
    folder = project(tmp_path, serve(lambda asked: body), f"read: {{ request: {{ path: \"\", {text} }} }}\nload: full\ncontract: {{ columns: [ {{ name: id, type: bigint }} ] }}\n")
    sluice(folder, "run")
    assert ids(folder) == expected


def test_keys_value_and_carry(serve, tmp_path):
    api = serve(lambda asked: '{"base": "EUR", "meta": {"as_of": "2024-01-05T00:00:00Z"}, "rates": {"2024-01-02": {"USD": 1.0912345678901234567, "GBP": 0.86}, "2024-01-03": {"US\\"D": 1e-5}, "2024-01-04": {}}}')
    folder = project(tmp_path, api, """read:
  request: { path: "", records: rates, keys: [date, currency], value: rate, carry: { base: base, as_of: meta.as_of, none: meta.none } }
load: full
contract:
  columns:
    - { name: date, type: date }
    - { name: currency, type: string }
    - { name: base, type: string }
    - { name: as_of, type: timestamp }
    - { name: none, type: string }
    - { name: rate, type: "decimal(38,20)" }
""")
    sluice(folder, "run")
    assert query(folder, "select date, currency, base, as_of, none, rate from bronze.things order by _row") == [
        ("2024-01-02", "USD", "EUR", "2024-01-05 00:00:00+00", "", "1.09123456789012345670"), ("2024-01-02", "GBP", "EUR", "2024-01-05 00:00:00+00", "", "0.86000000000000000000"),
        ("2024-01-03", 'US"D', "EUR", "2024-01-05 00:00:00+00", "", "0.00001000000000000000")]


def test_what_is_carried_keeps_its_type(serve, tmp_path):
    """Without a contract: as the answer has it, a list and a map included."""
    api = serve(lambda asked: {"n": 7, "price": 1.5, "ok": True, "list": [1, 2], "data": things(1)})
    folder = project(tmp_path, api, request("carry: { n: n, price: price, ok: ok, list: list }"))
    sluice(folder, "run")
    assert query(folder, "select n, typeof(n), price, ok, typeof(ok), list from bronze.things") == [("7", "BIGINT", "1.5", "true", "BOOLEAN", "[1, 2]")]


def test_numbers_are_exact(serve, tmp_path):
    values = ["9223372036854775807", "-9223372036854775808", "1", "0"]
    big = ["12345678901234567890123456789012345678", "18446744073709551616", "-99999999999999999999999999999999999999", "1e3"]
    data = ",".join(f'{{"id": {i}, "whole": {whole}, "big": {huge}}}' for i, (whole, huge) in enumerate(zip(values, big)))
    folder = project(tmp_path, serve(lambda asked: f'{{"data": [{data}]}}'), request("", """load: full
contract: { columns: [ { name: id, type: bigint }, { name: whole, type: bigint }, { name: big, type: "decimal(38,0)" } ] }
"""))
    sluice(folder, "run")
    assert query(folder, "select whole, big from bronze.things order by id") == list(zip(values, [*big[:3], "1000"]))


def test_records_that_break_the_contract_are_set_aside(serve, tmp_path):
    data = [{"id": 1, "price": "1.50"}, {"id": None, "price": "1"}, {"id": 3, "price": "many"}, {"id": 4, "price": "-1"}, 5, [6], "seven", None, {"id": 8, "price": "2"}]
    folder = project(tmp_path, serve(lambda asked: {"data": data}), request("", """load: full
contract:
  columns:
    - { name: id, type: bigint, not_null: true }
    - { name: price, type: "decimal(10,2)", min: 0 }
"""))
    assert "in 9 = new 2 + quarantined 7" in sluice(folder, "run")
    assert query(folder, "select id, price from bronze.things order by 1") == [("1", "1.50"), ("8", "2.00")]
    refused = query(folder, "select record from quarantine.things order by \"row\"")
    assert [row[0] for row in refused][1:] == ['{"id":3,"price":"many"}', '{"id":4,"price":"-1"}', "5", "[6]", '"seven"', "null"]


def test_texts_of_any_kind(serve, tmp_path):
    texts = ["line\nbreak \u2028 \"quoted\" \\ tab\t", "grün 😀", "", "{not: json}", "\u0000" + "nul"]
    folder = project(tmp_path, serve(lambda asked: {"data": [{"id": i, "t": text} for i, text in enumerate(texts)]}), request())
    out = sluice(folder, "run")
    assert "in 5 = new 5" in out
    assert [row[0] for row in query(folder, "select t from bronze.things where id < 4 order by id")] == texts[:4]


def test_parameters_and_headers_are_sent_as_they_are_meant(serve, tmp_path):
    api = serve(lambda asked: {"data": ALL})
    sluice(project(tmp_path, api, request("parameters: { q: \"a b&c=ü+%\", \"filter[kind]\": 7, on: true }, headers: { X-Kind: big, Accept: application/vnd.api+json }"), "headers: { X-Version: v2, X-Kind: small }"), "run")
    assert api.asked[0].query == {"q": "a b&c=ü+%", "filter[kind]": "7", "on": "true"}
    headers = api.asked[0].headers
    assert (headers["X-Kind"], headers["X-Version"], headers["Accept"]) == ("big", "v2", "application/vnd.api+json")


# ---- for each parent


@pytest.mark.parametrize("pages", ["", "pages: { by: page, total: pages }"])
def test_children_of_300_parents(serve, tmp_path, pages):
    """Answers come in any order; records do not."""
    parents = [{"id": i, "name": f"n{i}"} for i in range(300)]

    def handle(asked):
        if asked.path == "/parents":
            page = int(asked.query.get("page", 0))
            return {"items": parents[page * 100 - 100:page * 100] if page else parents, "pages": 3}
        parent = int(asked.path.split("/")[2])
        time.sleep(random.random() / 200)
        at = int(asked.query.get("after", 0))
        return {"data": [{"n": at + i} for i in range(2)], "next": "2" if at == 0 and parent % 3 == 0 else None}

    api = serve(handle)
    folder = project(tmp_path, api, f"""read:
  for_each: {{ path: /parents, records: items{pages and ', ' + pages} }}
  request: {{ path: "/parents/{{parent.id}}/children", records: data, pages: {{ by: cursor, parameter: after, from: next }}, carry: {{ parent_id: parent.id, parent: parent.name }} }}
load: full
""", "max_connections: 4")
    sluice(folder, "run")
    expected = [(str(i), f"n{i}", str(n)) for i in range(300) for n in range(4 if i % 3 == 0 else 2)]
    assert query(folder, "select parent_id, parent, n from bronze.things order by _row") == expected
    assert ask(folder, "select typeof(any_value(parent_id)) from bronze.things") == "BIGINT", "as the parent has it"
    assert len([path for path in api.paths() if path != "/parents"]) == 400


def test_no_more_requests_at_a_time_than_max_connections(serve, tmp_path):
    lock, now, most = threading.Lock(), [0], [0]

    def handle(asked):
        if asked.path == "/parents":
            return things(*range(24))
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return things(1)

    sluice(project(tmp_path, serve(handle), "read: { for_each: { path: /parents }, request: { path: \"/{parent.id}\" } }\nload: full\n", "max_connections: 3"), "run")
    assert most[0] == 3


def test_a_long_list_of_a_child_is_kept_aside(serve, tmp_path):
    """Longer than what is held in memory of one list, while the lists before it are still on their way."""
    def handle(asked):
        if asked.path == "/parents":
            return [{"id": "slow"}, {"id": "a/b c?"}, {"id": "ü"}]
        if asked.path == "/slow":
            time.sleep(0.2)
            return things(0)
        return [{"id": i, "text": "x" * 1000} for i in range(2000)]

    api = serve(handle)
    folder = project(tmp_path, api, "read: { for_each: { path: /parents }, request: { path: \"/{parent.id}\", carry: { of: parent.id } } }\nload: full\n")
    sluice(folder, "run")
    assert sorted(api.paths()) == sorted(["/parents", "/slow", "/a%2Fb%20c%3F", "/%C3%BC"])
    assert query(folder, "select of, count(*), min(_row), max(_row) from bronze.things group by 1 order by 3") == [("slow", "1", "1", "1"), ("a/b c?", "2000", "2", "2001"), ("ü", "2000", "2002", "4001")]
    assert ids(folder) == [0, *range(2000), *range(2000)]


def test_a_child_that_fails_fails_all(serve, tmp_path):
    handle = lambda asked: things(*range(50)) if asked.path == "/parents" else Answer("no", 404) if asked.path == "/33" else things(1)
    folder = project(tmp_path, serve(handle), "read: { for_each: { path: /parents }, request: { path: \"/{parent.id}\" } }\nload: full\n")
    out = said(folder, "run", expect=1)
    assert "error[http-not-found]" in out and "/33" in out
    assert not list((folder / "lake").rglob("*.parquet"))


def test_a_parent_without_the_field(serve, tmp_path):
    folder = project(tmp_path, serve(lambda asked: [{"name": "x"}]), "read: { for_each: { path: /parents }, request: { path: \"/{parent.id}\" } }\nload: full\n")
    out = said(folder, "run", expect=3)
    assert "error[http-answer]" in out and '"id"' in out


# ---- what is new


class Growing:
    """Records from `since` on (>=, or > where it is exclusive), on pages of 10."""

    def __init__(self, records, field="at", exclusive=False, compare=None):
        self.records, self.field, self.exclusive = list(records), field, exclusive
        self.key = compare or (lambda value: value)

    def __call__(self, asked):
        since = asked.query.get("since")
        key = self.key

        def fits(record):
            value = record.get(self.field)
            if since is None or value is None:
                return True
            return key(value) > key(since) if self.exclusive else key(value) >= key(since)

        page = int(asked.query["page"])
        found = [record for record in self.records if fits(record)]
        return {"data": found[page * 10 - 10:page * 10], "pages": max(1, -(-len(found) // 10))}


SINCE = request('parameters: { since: "{cursor}" }, pages: { by: page, total: pages }', "load: incremental\ncursor: at\n")


def at(hour, id=None, **more):
    return {"id": hour if id is None else id, "at": f"2024-01-01T{hour:02d}:00:00Z"} | more


@pytest.mark.parametrize("exclusive", [False, True])
def test_what_is_new_comes_once(serve, tmp_path, exclusive):
    grows = Growing([at(hour) for hour in range(15)] + [at(14, 100), at(14, 101)], exclusive=exclusive)
    api = serve(grows)
    folder = project(tmp_path, api, SINCE)
    assert "in 17 = new 17" in sluice(folder, "run")
    assert api.values("since") == [None, None]
    assert " in 0 " in sluice(folder, "run")
    assert api.values("since")[2:] == ["2024-01-01T14:00:00Z"]
    grows.records += [at(15), at(16)] if exclusive else [at(14, 102), at(15), at(16)]
    sluice(folder, "run")
    sluice(folder, "run")
    expected = [*range(17), 100, 101] + ([] if exclusive else [102])
    assert sorted(ids(folder)) == sorted(expected)
    assert api.values("since")[-1] == "2024-01-01T16:00:00Z"


def test_nothing_new_makes_no_version(serve, tmp_path):
    folder = project(tmp_path, serve(Growing([at(1), at(2)])), SINCE)
    sluice(folder, "run")
    before = versions(folder)
    for _ in range(3):
        assert " in 0 " in sluice(folder, "run")
    assert versions(folder) == before


def test_the_first_cursor_is_start(serve, tmp_path):
    api = serve(Growing([at(hour) for hour in range(10)]))
    folder = project(tmp_path, api, SINCE.replace("read:\n", 'read:\n  start: "2024-01-01T05:00:00Z"\n'))
    sluice(folder, "run")
    sluice(folder, "run")
    assert api.values("since") == ["2024-01-01T05:00:00Z", "2024-01-01T09:00:00Z"]
    assert ids(folder) == [5, 6, 7, 8, 9]


def test_an_api_that_ignores_the_cursor_brings_each_record_once(serve, tmp_path):
    records = [at(hour) for hour in range(10)]
    folder = project(tmp_path, serve(lambda asked: {"data": records}), request("", "load: incremental\ncursor: at\n"))
    sluice(folder, "run")
    records.insert(0, at(11))
    sluice(folder, "run")
    sluice(folder, "run")
    assert ids(folder) == [*range(10), 11]


def test_a_changed_record_comes_again(serve, tmp_path):
    grows = Growing([at(1), at(2, v=1)])
    folder = project(tmp_path, serve(grows), SINCE)
    sluice(folder, "run")
    grows.records[1] = at(2, v=2)
    sluice(folder, "run")
    sluice(folder, "run")
    assert query(folder, "select id, v from bronze.things order by _batch_id, _row") == [("1", ""), ("2", "1"), ("2", "2")]


def test_what_an_answer_says_of_itself_makes_no_record_new(serve, tmp_path):
    """A time of the answer, carried into each record."""
    grows = Growing([at(1), at(2)])
    folder = project(tmp_path, serve(lambda asked: grows(asked) | {"served": asked.number}), SINCE.replace("records: data", "records: data, carry: { served: served }"))
    sluice(folder, "run")
    sluice(folder, "run")
    assert ids(folder) == [1, 2]


def test_records_without_a_cursor_come_once(serve, tmp_path):
    grows = Growing([at(1), {"id": 50, "at": None}, {"id": 51}])
    folder = project(tmp_path, serve(grows), SINCE)
    sluice(folder, "run")
    sluice(folder, "run")
    grows.records += [at(2), {"id": 52, "at": None}]
    for _ in range(3):
        sluice(folder, "run")
    assert sorted(ids(folder)) == [1, 2, 50, 51, 52]


def test_records_without_a_cursor_that_are_gone_for_one_run_come_once(serve, tmp_path):
    grows = Growing([at(1), {"id": 50, "at": None}])
    folder = project(tmp_path, serve(grows), SINCE)
    sluice(folder, "run")
    kept = grows.records.pop()
    grows.records.append(at(2))
    sluice(folder, "run")
    grows.records.append(kept)
    sluice(folder, "run")
    assert sorted(ids(folder)) == [1, 2, 50]


def test_a_cursor_that_is_a_number(serve, tmp_path):
    grows = Growing([{"id": i, "at": i} for i in (7, 8, 9, 10, 100)], compare=int)
    api = serve(grows)
    folder = project(tmp_path, api, SINCE)
    sluice(folder, "run")
    grows.records += [{"id": i, "at": i} for i in (1000, 9007199254740993, 9007199254740992)]
    sluice(folder, "run")
    sluice(folder, "run")
    assert api.values("since") == [None, "100", "9007199254740993"]
    assert sorted(ids(folder)) == [7, 8, 9, 10, 100, 1000, 9007199254740992, 9007199254740993]


def test_a_cursor_that_is_no_whole_number(serve, tmp_path):
    grows = Growing([{"id": 1, "at": 1.5}, {"id": 2, "at": 1704067200.25}], compare=float)
    api = serve(grows)
    folder = project(tmp_path, api, SINCE)
    sluice(folder, "run")
    grows.records.append({"id": 3, "at": 1704067200.75})
    sluice(folder, "run")
    assert api.values("since") == [None, "1704067200.25"] and ids(folder) == [1, 2, 3]


def test_numbers_in_quotes_are_not_lost(serve, tmp_path):
    """As texts "1000" is less than "999"."""
    grows = Growing([{"id": 1, "at": "998"}, {"id": 2, "at": "999"}], compare=int)
    folder = project(tmp_path, serve(grows), SINCE)
    sluice(folder, "run")
    grows.records.append({"id": 3, "at": "1000"})
    sluice(folder, "run")
    assert ids(folder) == [1, 2, 3]


@pytest.mark.parametrize("first,then", [("2024-01-01T10:00:00Z", "2024-01-01T10:00:00.000Z"), ("2024-01-01T12:00:00+02:00", "2024-01-01T10:00:00Z"), ("2024-01-01T10:00:00.5Z", "2024-01-01T10:00:00.500001Z")])
def test_one_instant_in_two_forms_is_not_lost(serve, tmp_path, first, then):
    instant = lambda text: datetime.datetime.fromisoformat(text.replace(" ", "+").replace("Z", "+00:00"))
    grows = Growing([{"id": 1, "at": first}], compare=instant)
    folder = project(tmp_path, serve(grows), SINCE)
    sluice(folder, "run")
    grows.records.append({"id": 2, "at": then})
    sluice(folder, "run")
    assert ids(folder) == [1, 2]


def test_a_cursor_is_sent_as_it_is_meant(serve, tmp_path):
    """Some write JSON with a backslash before each slash."""
    api = serve(lambda asked: '{"pages": 1, "data": [{"id": 1, "at": "2024\\/01\\/02 10:00\\u003a00+01"}]}')
    folder = project(tmp_path, api, SINCE)
    sluice(folder, "run")
    sluice(folder, "run")
    assert api.values("since") == [None, "2024/01/02 10:00:00+01"] and ids(folder) == [1]


@pytest.mark.parametrize("lookback,records,since", [
    ("2h", [at(5), at(9)], "2024-01-01T07:00:00Z"),
    ("3d", [{"id": 5, "at": "2024-01-05"}, {"id": 9, "at": "2024-01-09"}], "2024-01-06"),
    ("3", [{"id": 5, "at": 5}, {"id": 9, "at": 9}], "6"),
])
def test_lookback(serve, tmp_path, lookback, records, since):
    """What comes late, within it, comes; nothing comes twice."""
    grows = Growing(records, compare=(lambda value: int(value)) if lookback == "3" else None)
    api = serve(grows)
    folder = project(tmp_path, api, SINCE + f"lookback: {lookback}\n")
    sluice(folder, "run")
    late = records[-1] | {"id": 8, "at": since if lookback != "3" else 6}
    grows.records.append(late)
    sluice(folder, "run")
    sluice(folder, "run")
    assert api.values("since") == [None, since, since]
    assert ids(folder) == [5, 9, 8]


@pytest.mark.parametrize("lookback,value", [("2h", 5), ("3", "2024-01-01T00:00:00Z")])
def test_a_lookback_of_another_kind(serve, tmp_path, lookback, value):
    folder = project(tmp_path, serve(lambda asked: {"data": [{"id": 1, "at": value}], "pages": 1}), SINCE + f"lookback: {lookback}\n")
    out = said(folder, "run", expect=1)
    assert "error[http-cursor]" in out and re.search(r"sources/things\.yml:\d+:\d+", out)


def test_a_cursor_that_no_record_has_is_told(serve, tmp_path):
    """A slip of the pen: nothing would ever be left out."""
    folder = project(tmp_path, serve(lambda asked: {"data": things(1, 2)}), request("", "load: incremental\ncursor: updated_at\n"))
    assert "error[http-cursor]" in said(folder, "run", expect=3)


def test_more_records_at_the_end_than_can_be_told_apart(serve, tmp_path):
    folder = project(tmp_path, serve(lambda asked: {"data": [{"id": i, "at": 1} for i in range(10_001)], "pages": 1}), SINCE)
    out = said(folder, "run", expect=3)
    assert "error[http-cursor]" in out and "10,001" in out


def test_a_rollback_takes_the_cursor_back(serve, tmp_path):
    grows = Growing([at(1)])
    api = serve(grows)
    folder = project(tmp_path, api, SINCE)
    sluice(folder, "run")
    grows.records.append(at(2))
    sluice(folder, "run")
    sluice(folder, "rollback", "bronze.things", "--to-batch", "1")
    assert ids(folder) == [1]
    sluice(folder, "run")
    assert ids(folder) == [1, 2] and api.values("since")[-1] == "2024-01-01T01:00:00Z"


def test_another_path_does_not_go_on_with_the_cursor(serve, tmp_path):
    api = serve(Growing([at(1)]))
    folder = project(tmp_path, api, SINCE)
    sluice(folder, "run")
    project(folder, api, SINCE.replace("/things", "/others"))
    out = said(folder, "run", expect=1)
    assert "error[other-cursor]" in out and re.search(r"sources/things\.yml:\d+:\d+", out)
    options = re.search(r"sluice run ([^;\n]+)", out)[1].split()
    sluice(folder, "run", *options)  # what the hint says
    assert api.values("since")[-1] is None and ids(folder) == [1]


def test_cursors_of_two_kinds(serve, tmp_path):
    folder = project(tmp_path, serve(lambda asked: {"data": [{"id": 1, "at": 5}, {"id": 2, "at": "x"}], "pages": 1}), SINCE)
    assert "error[http-cursor]" in said(folder, "run", expect=3)


def test_full_keep_latest(serve, tmp_path):
    api = serve(lambda asked: {"data": ALL if asked.number == 0 else things(3, 4)})
    folder = project(tmp_path, api, request("", "load: full\nkeep: latest\n"))
    sluice(folder, "run")
    sluice(folder, "run")
    assert ids(folder) == [3, 4]


def test_full_keeps_each_snapshot(serve, tmp_path):
    folder = project(tmp_path, serve(lambda asked: {"data": things(1, 2)}), request())
    sluice(folder, "run")
    sluice(folder, "run")
    assert query(folder, "select _batch_id, count(*) from bronze.things group by 1 order by 1") == [("1", "2"), ("2", "2")]


# ---- windows


def windows(text, columns="[ { name: id, type: bigint }, { name: start, type: string } ]"):
    return f"""read:
  request: {{ path: "/days/{{window.start}}", parameters: {{ to: "{{window.end}}", last: "{{window.last}}" }}, carry: {{ start: window.start }} }}
  windows: {{ {text} }}
load: append
contract: {{ columns: {columns} }}
"""


def ago(**how):
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) - datetime.timedelta(**how)


def test_each_day_is_asked_for_once(serve, tmp_path):
    today = ago().date()
    days = [str(today - datetime.timedelta(days=n)) for n in (4, 3, 2, 1, 0)]
    api = serve(lambda asked: things(asked.number))
    folder = project(tmp_path, api, windows(f"every: 1d, start: {days[0]}, form: date"))
    sluice(folder, "run")
    for _ in range(2):
        assert "up to date" in sluice(folder, "run")
    if ago().date() == today:  # not over midnight
        assert sorted(api.paths()) == [f"/days/{day}" for day in days[:-1]]
        assert sorted(api.values("to")) == days[1:] and sorted(api.values("last")) == days[:-1]
        assert query(folder, "select start from bronze.things order by _row") == [(day,) for day in days[:-1]]


def test_windows_go_on_where_the_last_batch_ended(serve, tmp_path):
    api = serve(lambda asked: things(asked.number))
    first = ago(seconds=20)
    folder = project(tmp_path, api, windows(f'every: 2s, start: "{first.isoformat()}", form: unix'))
    sluice(folder, "run")
    time.sleep(2.1)
    sluice(folder, "run")
    asked = sorted(int(path.removeprefix("/days/")) for path in api.paths())
    assert asked == list(range(asked[0], asked[0] + 2 * len(asked), 2)) and asked[0] == int(first.timestamp()) and len(asked) >= 11
    assert [int(row[0]) for row in query(folder, "select start from bronze.things order by _batch_id, _row")] == asked
    assert all(int(one.query["to"]) == int(one.path.removeprefix("/days/")) + 2 for one in api.asked)


def test_a_window_is_asked_for_when_it_has_been_over_for_the_delay(serve, tmp_path):
    api = serve(lambda asked: things(asked.number))
    start_ = ago(hours=5, minutes=30).strftime("%Y-%m-%dT%H:%M:%SZ")
    folder = project(tmp_path, api, windows(f'every: 1h, start: "{start_}", delay: 2h, form: timestamp'))
    sluice(folder, "run")
    asked = sorted(urllib.parse.unquote(path.removeprefix("/days/")) for path in api.paths())
    assert len(asked) == 3 and asked[0] == start_


def test_no_window_has_ended(serve, tmp_path):
    api = serve(lambda asked: things(1))
    folder = project(tmp_path, api, windows(f'every: 1d, start: "{ago(hours=1).isoformat()}"'))
    assert "no window has ended" in said(folder, "plan") + said(folder, "-v", "run")
    assert api.asked == [] and not list((folder / "lake").rglob("*.parquet"))


def test_one_window_up_to_now(serve, tmp_path):
    api = serve(lambda asked: things(asked.number))
    folder = project(tmp_path, api, windows('start: "2024-01-01T00:00:00Z", form: unix'))
    sluice(folder, "run")
    time.sleep(1.1)
    sluice(folder, "run")
    first, second = api.asked
    assert first.path == "/days/1704067200" and second.path == f"/days/{first.query['to']}"
    assert abs(int(second.query["to"]) - time.time()) < 60


def test_a_window_that_fails_leaves_all_to_the_next_run(serve, tmp_path):
    good = [False]
    today = ago().date()
    api = serve(lambda asked: Answer("no", 400) if not good[0] and asked.path.endswith(str(today - datetime.timedelta(days=2))) else things(1))
    folder = project(tmp_path, api, windows(f"every: 1d, start: {today - datetime.timedelta(days=4)}, form: date"))
    said(folder, "run", expect=1)
    good[0] = True
    sluice(folder, "run")
    assert [row[0] for row in query(folder, "select start from bronze.things order by _row")][:4] == [str(today - datetime.timedelta(days=n)) for n in (4, 3, 2, 1)]


# ---- kills and interrupts


def test_killed_runs_leave_each_record_once(serve, tmp_path):
    grows = Growing(({"id": i, "at": i} for i in range(150)), compare=int)

    def handle(asked):
        answer = grows(asked)
        return Answer(answer, wait=0.015)

    folder = project(tmp_path, serve(handle), SINCE)
    draw = random.Random(7)
    for _ in range(8):
        process = start(folder, "run")
        time.sleep(0.05 + draw.random() * 0.45)
        process.kill()
        process.wait()
        grows.records += [{"id": i, "at": i} for i in range(len(grows.records), len(grows.records) + 40)]
    sluice(folder, "run")
    assert ids(folder) == list(range(150 + 8 * 40))
    assert not list((folder / ".sluice/tmp").glob("http-*"))


def test_killed_runs_ask_for_each_window_until_it_is_in_the_table(serve, tmp_path):
    api = serve(lambda asked: Answer(things(1), wait=0.01))
    folder = project(tmp_path, api, windows(f'every: 1h, start: "{ago(hours=150, minutes=30).isoformat()}"'))
    draw = random.Random(7)
    for _ in range(8):
        process = start(folder, "run")
        time.sleep(0.03 + draw.random() * 0.5)
        process.kill()
        process.wait()
    sluice(folder, "run")
    assert query(folder, "select count(*), count(distinct start) from bronze.things") == [("150", "150")]


@pytest.mark.parametrize("answer", [Answer({"data": ALL}, wait=60), Answer("later", 429, {"Retry-After": "60"})], ids=["silence", "a long pause"])
def test_ctrl_c_ends_a_run_that_waits(serve, tmp_path, answer):
    api = serve(lambda asked: answer)
    folder = project(tmp_path, api, request())
    process = start(folder, "run")
    until(lambda: api.asked)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert not list((folder / ".sluice/tmp").glob("http-*"))


# ---- no faster than allowed


def test_rate(serve, tmp_path):
    api = serve(lambda asked: things(*range(29)) if asked.path == "/parents" else things(1))
    folder = project(tmp_path, api, "read: { for_each: { path: /parents }, request: { path: \"/{parent.id}\" } }\nload: full\n", "rate: 20/s")
    sluice(folder, "run")
    assert len(api.asked) == 30
    assert max(asked.at for asked in api.asked) - min(asked.at for asked in api.asked) >= 0.4


# ---- wrong projects

WRONG = {
    "no url": ("type: http", request(), "missing-key", "sluice.yml"),
    "key of a database": ("type: http, url: \"http://127.0.0.1\", host: x", request(), "key-of-another-connection", "sluice.yml"),
    "key of an API": ("type: postgres, host: x, database: x, user: x, rate: 1/s", "read: { table: x }\nload: full\n", "key-of-another-connection", "sluice.yml"),
    "plain secret": ("type: http, url: \"http://127.0.0.1\", auth: { type: bearer, token: abc }", request(), "plain-secret", "sluice.yml"),
    "plain secret in a header": ("type: http, url: \"http://127.0.0.1\", headers: { authorization: Bearer abc }", request(), "plain-secret", "sluice.yml"),
    "auth without its keys": ("type: http, url: \"http://127.0.0.1\", auth: { type: oauth2, client_id: x }", request(), "missing-key", "sluice.yml"),
    "auth with others' keys": ("type: http, url: \"http://127.0.0.1\", auth: { type: bearer, token: \"${env:HOME}\", user: x }", request(), "conflicting-keys", "sluice.yml"),
    "rate": ("type: http, url: \"http://127.0.0.1\", rate: fast", request(), "wrong-type", "sluice.yml"),
    "table": (None, request().replace("read:\n", "read:\n  table: x\n"), "key-of-another-connection", "things.yml"),
    "only a table": (None, "read: { table: x }\nload: full\n", "missing-key", "things.yml"),
    "no request": (None, "load: full\n", "missing-key", "things.yml"),
    "unknown placeholder": (None, request("parameters: { p: \"{pgae}\" }, pages: { by: page }"), "unknown-placeholder", "things.yml"),
    "placeholder of a window": (None, request("parameters: { p: \"{window.start}\" }"), "unknown-placeholder", "things.yml"),
    "placeholder of a parent": (None, request().replace("/things", '"/{parent.id}"'), "unknown-placeholder", "things.yml"),
    "unknown placeholder in a body": (None, request("""method: POST, body: '{"after": "{nxt}"}', pages: { by: cursor, parameter: "", from: next }"""), "unknown-placeholder", "things.yml"),
    "records with [*]": (None, request().replace("records: data", 'records: "data[*].items"'), "wrong-type", "things.yml"),
    "next with [*]": (None, request('pages: { by: cursor, from: "data[0].next" }'), "wrong-type", "things.yml"),
    "body that is no JSON": (None, request("method: POST, body: 'after={next}'"), "wrong-type", "things.yml"),
    "body of a GET": (None, request("body: '{}'"), "conflicting-keys", "things.yml"),
    "cursor without incremental": (None, request("", "load: full\ncursor: at\n"), "key-of-another-load", "things.yml"),
    "incremental without cursor": (None, request("", "load: incremental\n"), "missing-key", "things.yml"),
    "start without incremental": (None, request("", "load: full\n").replace("read:\n", "read:\n  start: x\n"), "key-of-another-load", "things.yml"),
    "windows with full": (None, windows("start: 2024-01-01").replace("append", "full"), "conflicting-keys", "things.yml"),
    "windows with a cursor": (None, windows("start: 2024-01-01").replace("append", "incremental\ncursor: at"), "conflicting-keys", "things.yml"),
    "windows that start nowhere": (None, windows("start: soon"), "bad-literal", "things.yml"),
    "dates of hours": (None, windows("start: 2024-01-01, every: 1h, form: date"), "wrong-type", "things.yml"),
    "pages without from": (None, request("pages: { by: cursor }"), "missing-key", "things.yml"),
    "pages with others' keys": (None, request("pages: { by: link, parameter: x }"), "conflicting-keys", "things.yml"),
    "path with a host": (None, request().replace("/things", '"http://127.0.0.1/things"'), "wrong-type", "things.yml"),
    "pagination": (None, request("pagination: { by: page }"), "unknown-key", "things.yml"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_project_is_told_where(serve, tmp_path, name):
    connection, source, code, file = WRONG[name]
    api = serve(lambda asked: {"data": ALL})
    folder = project(tmp_path, api, source)
    if connection:
        (folder / "sluice.yml").write_text(f"project: p\nlake: ./lake\nconnections:\n  api: {{ {connection} }}\n")
    out = said(folder, "run", expect=2)
    assert re.search(rf"{re.escape(file)}:\d+:\d+: error\[{code or '[a-z-]+'}\]", out), out
    assert api.asked == [] and "abc" not in out


LATE = {
    "url of another kind": ('url: "ftp://127.0.0.1"', "bad-url"),
    "url with a query": ('url: "http://127.0.0.1/?key=1"', "bad-url"),
    "variable that is not set": ('url: "http://127.0.0.1", auth: { type: bearer, token: "${env:NOT_SET_AT_ALL}" }', "unset-variable"),
}


@pytest.mark.parametrize("name", LATE)
def test_what_only_a_run_finds_wrong_with_a_connection(tmp_path, name):
    connection, code = LATE[name]
    folder = project(tmp_path, "", request())
    (folder / "sluice.yml").write_text(f"project: p\nlake: ./lake\nconnections:\n  api: {{ type: http, {connection} }}\n")
    assert re.search(rf"sluice\.yml:4:\d+: error\[{code}\]", said(folder, "run", expect=1))



def test_a_start_is_needed_where_the_cursor_stands_in_the_path(serve, tmp_path):
    api = serve(lambda asked: {"data": ALL})
    out = said(project(tmp_path, api, request("", "load: incremental\ncursor: id\n").replace("/things", '"/since/{cursor}"')), "run", expect=1)
    assert "error[http-placeholder]" in out and re.search(r"sources/things\.yml:\d+:\d+", out) and api.asked == []


def test_the_cursor_is_shown_moved_and_taken_back(serve, tmp_path):
    api = serve(Growing([at(1), at(2), at(3)]))
    folder = project(tmp_path, api, SINCE)
    assert "(the beginning)" in sluice(folder, "state", "show")
    sluice(folder, "run")
    shown = json.loads(sluice(folder, "state", "show", "things", "--json"))
    assert shown["last_batch"] == 1 and shown["open"] == "" and shown["batches"][0]["counts"]["written"] == 3
    moved = {**shown["cursor"], "value": json.dumps("2024-01-01T02:00:00Z"), "seen": []}
    assert "batch 2" in sluice(folder, "state", "set", "things", json.dumps(moved))
    assert "stands there already" in sluice(folder, "state", "set", "things", json.dumps(moved))
    sluice(folder, "run")
    assert sorted(ids(folder)) == [1, 2, 2, 3, 3]  # asked for again, and so there twice
    sluice(folder, "rollback", "bronze.things", "--to-batch", "1")
    assert ids(folder) == [1, 2, 3] and json.loads(sluice(folder, "state", "show", "things", "--json"))["cursor"] == shown["cursor"]
    sluice(folder, "state", "reset", "things")
    sluice(folder, "run")
    assert sorted(ids(folder)) == [1, 1, 2, 2, 3, 3]
    assert "error[other-cursor]" in said(folder, "state", "set", "things", '{"of": "/x", "way": "cursor"}', expect=2)
    assert "error[bad-cursor]" in said(folder, "state", "set", "things", '{"files": 1}', expect=2)
    assert "error[bad-cursor]" in said(folder, "state", "set", "things", "2024-01-01", expect=2)


def test_files_have_no_cursor(tmp_path):
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing/a.csv").write_text("id,name\n1,a\n")
    (tmp_path / "sources").mkdir()
    (tmp_path / "sluice.yml").write_text("project: p\nlake: ./lake\nconnections: { drop: { type: files, path: ./landing } }\n")
    (tmp_path / "sources/things.yml").write_text('connection: drop\nread: { files: "*.csv" }\n')
    sluice(tmp_path, "run")
    assert "1 file" in sluice(tmp_path, "state", "show") and "1 file read" in sluice(tmp_path, "state", "show", "things")
    assert "error[no-cursor]" in said(tmp_path, "state", "reset", "things", expect=2)


def test_inspect_proposes_what_works_and_shows_no_secret(serve, tmp_path, secret):
    api = serve(lambda asked: {"meta": {"next_cursor": None}, "data": [{"id": i, "updated_at": "2024-01-01T00:00:00Z"} for i in range(3)]})
    folder = project(tmp_path, api, request(), f"auth: {AUTH['bearer'][0]}")
    yaml = sluice(folder, "inspect", "api./things")
    (folder / "sources/things.yml").write_text(yaml)
    sluice(folder, "run")
    assert ids(folder) == [0, 1, 2]
    refused = serve(lambda asked: Answer({"you": asked.headers["Authorization"]}, status=401))
    folder = project(tmp_path / "refused", refused, request(), f"auth: {AUTH['bearer'][0]}")
    out = said(folder, "inspect", "api./things", expect=2) + said(folder, "doctor", expect=1) + said(folder, "inspect", "api", expect=2)
    assert "error[http-unauthorized]" in out and "error[no-list]" in out
    nowhere(folder, out)


def test_the_examples_rates_from_an_api_of_rates(serve, tmp_path):
    """As public ones do it: a day at a time, by its date, with the currencies as names in a map, and none where markets are closed. Silver takes the
    rate of the day, or the last one before it."""
    folder = tmp_path / "retail"
    sluice(tmp_path, "init", "--example", "retail", "retail")
    sluice(folder, "generate", "retail", "--out", "landing", "--orders", "1500", "--events", "1500", "--crm", "60", "--days", "40")
    days = {}
    for file in sorted((folder / "landing/finance/fx_rates").glob("*.csv")):
        for line in file.read_text().splitlines()[1:]:
            day, currency, rate = line.split(",")
            days.setdefault(day, {})[currency] = rate
    first = min(days)

    def answer(asked):
        day = asked.path.removeprefix("/v1/")
        rates = ", ".join(f'"{currency}": {rate if rate.replace(".", "").lstrip("-").isdigit() else json.dumps(rate)}' for currency, rate in days.get(day, {}).items())
        return f'{{"base": "{asked.query["base"]}", "date": "{day}", "rates": {{{rates}}}}}'

    def gold(table):
        kept = query(folder, f"select * from {table}")
        return sorted(kept)

    tables = ["silver.fx_rates", "silver.transactions", "gold.mart_finance", "gold.fact_sales", "gold.monthly_sales", "gold.kpis"]
    sluice(folder, "run")
    by_files = {table: gold(table) for table in tables}
    shutil.rmtree(folder / "lake", ignore_errors=True)
    shutil.rmtree(folder / ".sluice", ignore_errors=True)

    api = serve(answer)
    top = (folder / "sluice.yml").read_text()
    (folder / "sluice.yml").write_text(re.sub(r"^connections:\n", f'connections:\n  rates: {{ type: http, url: "{api.url}/v1" }}\n', top, flags=re.M))
    source = (folder / "sources/fx_rates.yml").read_text()
    (folder / "sources/fx_rates.yml").write_text(
        re.sub(r"^read: .*$", f"""connection: rates
read:
  request:
    path: "/{{window.start}}"
    parameters: {{ base: USD }}
    records: rates
    keys: [currency]
    value: usd_per_unit
    carry: {{ rate_date: date }}
  windows: {{ every: 1d, start: {first}, form: date }}""", source, flags=re.M))
    sluice(folder, "run")
    asked = [one.path for one in api.asked]
    assert len(asked) == len(set(asked)) and min(asked) == f"/v1/{first}"
    assert {table: gold(table) for table in tables} == by_files
    # A weekend has no rate of its own, and its documents are converted all the same.
    weekend = "dayofweek(transaction_date) in (0, 6)"
    assert ask(folder, f"select count(*) from silver.fx_rates where dayofweek(rate_date) in (0, 6) and rate_date > date '{first}'") == "0"
    assert int(ask(folder, f"select count(*) from silver.transactions where {weekend} and currency <> 'USD' and amount_usd is not null")) > 0


@pytest.mark.parametrize("more", ["1", '"True"', "null"])
def test_a_word_of_more_that_is_neither_true_nor_false(serve, tmp_path, more):
    api = serve(lambda asked: f'{{"data": [{{"id": {asked.query["page"]}}}], "more": {more}}}')
    assert "error[http-answer]" in said(project(tmp_path, api, request("pages: { by: page, more: more }")), "run", expect=3)


def test_json_that_is_broken_behind_the_records_is_not_their_end(serve, tmp_path):
    api = serve(lambda asked: '{"data": [{"id": 1}] "next": "x"}')
    assert "error[http-answer]" in said(project(tmp_path, api, request("pages: { by: cursor, from: next }")), "run", expect=3)


def test_a_page_that_is_gone_is_not_the_end_of_the_list(serve, tmp_path):
    api = serve(lambda asked: Answer(status=410) if "cursor" in asked.query else {"data": things(1), "next": "x"})
    assert "error[http-not-found]" in said(project(tmp_path, api, request("on_missing: empty, pages: { by: cursor, from: next }")), "run", expect=1)


def test_offsets_count_what_the_api_counts(serve, tmp_path):
    """Two columns of keys: records within records."""
    items = [{"a": n, "b": n + 100} for n in range(10)]
    api = serve(lambda asked: {"data": items[int(asked.query["offset"]):][:2]})
    folder = project(tmp_path, api, request("keys: [name], value: id, pages: { by: offset }"))
    sluice(folder, "run")
    assert sorted(ids(folder)) == list(range(10)) + list(range(100, 110))


def test_the_same_record_under_another_parent_is_another(serve, tmp_path):
    parents = [{"id": 1}]
    api = serve(lambda asked: {"data": parents} if asked.path == "/parents" else {"data": [{"id": 7, "at": "2024-01-01T00:00:00Z"}]})
    source = "read:\n  for_each: { path: /parents, records: data }\n  request: { path: '/{parent.id}', records: data, carry: { of: parent.id } }\nload: incremental\ncursor: at\n"
    folder = project(tmp_path, api, source)
    sluice(folder, "run")
    parents.append({"id": 2})
    sluice(folder, "run")
    assert query(folder, 'select id, "of" from bronze.things order by 2') == [("7", "1"), ("7", "2")]


def test_a_record_of_the_future_holds_nothing_up(serve, tmp_path):
    grows = Growing([at(1), {"id": 9, "at": "2999-01-01T00:00:00Z"}])
    folder = project(tmp_path, serve(grows), SINCE)
    sluice(folder, "run")
    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    grows.records.append({"id": 2, "at": soon})
    sluice(folder, "run")
    sluice(folder, "run")
    assert sorted(ids(folder)) == [1, 2, 9]


def test_another_field_or_parent_does_not_go_on_with_the_cursor(serve, tmp_path):
    api = serve(lambda asked: {"data": [{"id": 1, "at": 5, "version": 1}], "pages": 1})
    folder = project(tmp_path, api, SINCE)
    sluice(folder, "run")
    project(folder, api, SINCE.replace("cursor: at", "cursor: version"))
    assert "error[other-cursor]" in said(folder, "run", expect=1)


def test_a_time_before_the_cursor_was_moved_has_the_cursor_of_then(serve, tmp_path):
    folder = project(tmp_path, serve(Growing([at(1), at(2)])), SINCE)
    sluice(folder, "run")
    before = datetime.datetime.now(datetime.timezone.utc).isoformat()
    time.sleep(0.05)
    sluice(folder, "state", "reset", "things")
    sluice(folder, "run")
    sluice(folder, "table", "restore", "bronze.things", "--to", before)
    assert ids(folder) == [1, 2]
    sluice(folder, "run")
    assert ids(folder) == [1, 2]


def test_a_secret_in_the_address_is_not_shown(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("BOT", "1234:planted-in-the-path")
    api = serve(lambda asked: Answer({"asked": asked.path}, status=404))
    folder = project(tmp_path, f"{api.url}/bot${{env:BOT}}", request())
    out = said(folder, "run", expect=1) + said(folder, "inspect", "api./x", expect=2) + said(folder, "doctor") + said(folder, "plan")
    assert api.asked and "/bot${env:BOT}" in out
    for text in [out, *(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())]:
        assert "planted-in-the-path" not in text


def test_data_makes_no_headers(serve, tmp_path):
    api = serve(lambda asked: {"data": [{"name": "x\r\nX-Evil: yes"}]})
    source = "read:\n  for_each: { path: /parents, records: data }\n  request: { path: /x, headers: { X-Name: '{parent.name}' } }\nload: full\n"
    assert "error[http-placeholder]" in said(project(tmp_path, api, source), "run", expect=3)
    assert not any("X-Evil" in asked.headers for asked in api.asked)
