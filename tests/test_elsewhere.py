"""Services that run elsewhere: reached by URL, through links, over TLS, and never ours to kill.

Elsewhere is another stack of the test's own, or an address where nobody, or somebody else, listens.
"""

import asyncio
import contextlib
import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import psycopg
import pytest
import redis as redis_py
import relay_process
from certificates import make_certificate, speaking_tls

from workbench import (
    Appends,
    Delay,
    History,
    Kill,
    Partition,
    Pause,
    PowerLoss,
    Reset,
    Restart,
    Sessions,
    Stack,
    Stop,
    Throttle,
    between,
    durable,
    recovered,
    run,
)
from workbench.errors import LinkError, NotPossible, ServiceError, UsageError
from workbench.history.folder import run_folder
from workbench.links import Links
from workbench.links.connection import TEAR_DOWN
from workbench.services._url import read_url
from workbench.tls import Tls
from workbench.workloads import by_picows, by_websockets
from workbench.workloads.http import Http, HttpError
from workbench.workloads.origin import socket_url
from workbench.workloads.sql import Sql

STORES = ("redis", "postgres", "mongo")


@pytest.fixture(scope="module")
def there():
    """Where everything runs: by name, its URL, straight to its own port."""
    with Stack(*STORES, "app") as stack:
        yield {name: stack[name].service.url(one.place, host=one.host, port=one.port) for name, one in every(stack)}


@pytest.fixture(scope="module")
def stack(there):
    with Stack(**there) as stack:
        yield stack


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificates"))


def every(stack):
    return [(name, stack[name]) for name in stack]


def port_of(url: str) -> int:
    return urlsplit(url).port


# --- reached


def test_what_runs_elsewhere_is_named_by_what_it_says_of_itself(stack, there):
    described = stack.describe()
    assert described["redis"]["program"].startswith("redis ")
    assert described["postgres"]["program"].startswith("postgres ")
    assert "stand-in" in described["mongo"]["program"] or "MongoDB" in described["mongo"]["program"]
    assert described["app"]["program"].startswith("application over HTTP")
    assert {described[name]["runtime"] for name in stack} == {"elsewhere"}
    assert f"(elsewhere) on 127.0.0.1:{port_of(there['redis'])}, ready in" in repr(stack)


def test_links_stand_in_front_of_it_and_lead_there(stack, there):
    for name, one in every(stack):
        assert one.port == port_of(there[name]) != port_of(one.url)
        assert one.ask(through="client", timeout_s=5) < 5
        assert one.ask(timeout_s=5) < 5


@pytest.mark.parametrize("name", STORES)
def test_the_url_has_its_own_user_password_and_database(stack, there, name):
    mine, theirs = urlsplit(stack.url(name)), urlsplit(there[name])
    assert (mine.username or "", mine.password) == (theirs.username or "", theirs.password)
    assert mine.path == theirs.path


def test_clients_work_with_it(stack):
    workloads = [*(Appends(store=store) for store in STORES), Appends(store="redis", via="app"), Sessions()]
    history = run(stack, workloads, clients=10, rate_hz=100, duration_s=1.5)
    assert history.count("ok") >= 100
    assert not history.count("fail") + history.count("info")
    for store in STORES:
        found = durable(history.where(workload=f"appends in {store}"), faults=False)
        assert found.verdict != "refuted"  # on a busy machine clients may be too late for "held"
        assert found.measured["acknowledged"] > found.measured["lost"] == 0


def test_an_application_of_the_stack_works_with_a_store_that_runs_elsewhere(there):
    with Stack("app", redis=there["redis"]) as mixed:
        assert mixed["app"].runtime == "embedded"
        history = run(mixed, Appends(store="redis", via="app"), clients=2, rate_hz=50, duration_s=0.6)
        assert durable(history, faults=False).verdict == "held"
        with mixed.under(Partition("app", "redis")) as inflicted:
            assert inflicted.doubt is None


def test_the_database_of_the_url_is_the_one_that_is_used(there):
    url = there["redis"].removesuffix("/0") + "/3"
    with Stack(redis=url) as one, redis_py.Redis.from_url(one.url("redis")) as client:
        client.set("who", "three")
        assert redis_py.Redis.from_url(url).get("who") == b"three"
        assert redis_py.Redis.from_url(there["redis"]).get("who") is None


def test_options_of_the_url_reach_the_client(there):
    with (
        Stack(postgres=f"{there['postgres']}?application_name=mine") as one,
        psycopg.connect(one.url("postgres")) as by,
    ):
        assert by.execute("SHOW application_name").fetchone() == ("mine",)


def test_settings_of_a_session_in_the_url_hold_beside_those_of_a_workload(there):
    async def shown():
        sql = await Sql.to(f"{there['postgres']}?options=-c%20search_path%3Dmine", lock_timeout="2s")
        try:
            return await sql.execute("SHOW search_path") + await sql.execute("SHOW lock_timeout")
        finally:
            await sql.close()

    assert asyncio.run(shown()) == [("mine",), ("2s",)]


# --- broken: the network in front of it, and nothing else


@pytest.mark.parametrize(
    "fault",
    [
        Partition("client", "redis"),
        Delay("client", "postgres", ms=60),
        Throttle("client", "app", kb_per_s=20),
        Reset("client", "mongo"),
    ],
    ids=str,
)
def test_faults_of_the_network_are_proven_and_healed(stack, fault):
    with stack.under(fault) as inflicted:
        assert inflicted.doubt is None
    assert stack[fault.other or fault.one].ask(through="client", timeout_s=5) < 5


@pytest.mark.parametrize("kind", [Kill, Stop, Pause, Restart, PowerLoss], ids=lambda kind: kind.__name__)
def test_faults_of_its_process_are_not_possible_and_the_reason_is_said(stack, kind):
    with pytest.raises(
        NotPossible, match=r"redis is not possible: it runs elsewhere, at redis://127.*not ours.*Partition"
    ):
        stack.inflict(kind("redis"))
    assert stack["redis"].alive
    assert stack["redis"].ask() < 1


@pytest.mark.parametrize(
    ("act", "verb"),
    [
        (lambda one: one.kill(), "kill"),
        (lambda one: one.stop(), "stop"),
        (lambda one: one.pause(), "pause"),
        (lambda one: one.resume(), "resume"),
        (lambda one: one.restart(), "restart"),
        (lambda one: one.forget(), "removal of the data of"),
        (lambda one: one.scale(2), "scaling"),
        (lambda one: one.promote(), "promotion of"),
    ],
)
def test_nothing_can_be_done_to_its_process_by_hand(stack, act, verb):
    with pytest.raises(NotPossible, match=f"^{verb} redis is not possible"):
        act(stack["redis"])
    assert stack["redis"].alive


def test_of_one_that_runs_elsewhere_there_is_one(stack):
    assert stack["app"].scale(1) is stack["app"]


def test_what_is_not_known_of_it_is_said(stack):
    with pytest.raises(ServiceError, match="What redis uses is not known: it runs elsewhere"):
        stack["redis"].resources()
    assert stack["redis"].pid is None
    assert "its log is not here" in stack["redis"].logs()
    assert stack.deaths() == []


def test_in_a_run_what_is_not_possible_is_in_doubt_for_its_own_claims_and_the_rest_goes_on(stack):
    faults = [
        between(0.5, 0.55, Kill("redis")),
        between(0.6, 0.7, Kill("redis")),
        between(0.65, 0.8, PowerLoss("mongo")),
        between(0.7, 0.9, Partition("client", "postgres")),
    ]
    history = run(
        stack,
        [Appends(store="redis"), Appends(store="postgres")],
        faults=faults,
        clients=4,
        rate_hz=100,
        duration_s=2,
        timeout_s=0.5,
    )
    assert [window.fault for window in history.windows] == ["cut off client–postgres"]
    assert [(doubt.kind, doubt.fault) for doubt in history.doubts] == [
        ("impossible", "kill redis"),
        ("impossible", "kill redis"),
        ("impossible", "power loss of mongo"),
    ]
    assert repr(history).count("kill redis is not possible") == durable(history).text.count("kill redis is not") == 1
    for seen in (history, History.read(history.facts["path"])):
        rows = seen.where(workload="appends in postgres", fault="postgres")
        assert durable(rows).verdict == "held"
        values = seen.where(workload="appends in redis", fault="redis")
        assert durable(values).verdict == "unknown"
        assert "kill redis is not possible: it runs elsewhere" in durable(values).text
        assert durable(values, faults=False).verdict == "held", "a claim that looks at no fault"
        assert recovered(seen).verdict == "unknown", "a claim that looks at all of them"
        assert seen.until(0.4).doubts == ()


# --- TLS


@pytest.mark.parametrize("verified", ["its authority is named", "nothing is checked"])
def test_redis_over_tls(there, certificate, verified):
    with speaking_tls(port_of(there["redis"]), certificate) as port:
        query = f"ssl_ca_certs={certificate}" if "named" in verified else "ssl_cert_reqs=none"
        password = urlsplit(there["redis"]).password
        with Stack(redis=f"rediss://:{password}@localhost:{port}/0?{query}") as secured:
            assert secured.url("redis").startswith("redis://:")
            assert secured["redis"].ask(timeout_s=5) < 5
            found = durable(run(secured, Appends(), clients=2, rate_hz=50, duration_s=1), faults=False)
            assert found.verdict != "refuted"
            assert found.measured["acknowledged"] > found.measured["lost"] == 0
            with secured.under(Partition("client", "redis")) as inflicted:
                assert inflicted.doubt is None


def test_postgres_and_mongo_over_tls(there, certificate):
    rows, documents = port_of(there["postgres"]), port_of(there["mongo"])
    with (
        speaking_tls(rows, certificate, asked_like_postgres=True) as postgres,
        speaking_tls(documents, certificate) as mongo,
    ):
        urls = {
            "postgres": there["postgres"].replace(f"127.0.0.1:{rows}", f"localhost:{postgres}")
            + f"?sslmode=verify-full&sslrootcert={certificate}",
            "mongo": there["mongo"].replace(f"127.0.0.1:{documents}", f"localhost:{mongo}")
            + f"&tls=true&tlsCAFile={certificate}",
        }
        with Stack(**urls) as secured:
            workloads = [Appends(store="postgres"), Appends(store="mongo")]
            history = run(secured, workloads, clients=4, rate_hz=50, duration_s=1)
            assert history.count("ok") == len(history) > 20


class Named(http.server.BaseHTTPRequestHandler):
    """An application that only answers to its own name, below a path of its own."""

    protocol_version = "HTTP/1.1"
    heard: ClassVar[set[str]] = set()

    def do_GET(self):
        self.heard.add(self.headers["Host"])
        right = self.headers["Host"].startswith("localhost") and self.path.startswith("/shop")
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200 if right else 421)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args): ...


async def baskets(url):
    wire = await Http.to(url)
    try:
        return await wire.request("GET", "/baskets")
    finally:
        wire.close()


@pytest.fixture(scope="module")
def named():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Named)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_an_application_over_https_is_asked_by_its_own_name(named, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with speaking_tls(named, certificate) as port, Stack(app=f"https://localhost:{port}/shop") as secured:
        url = secured.url("app")
        assert url.endswith(f"/shop#host=localhost:{port}")
        assert "BaseHTTP" in secured["app"].program
        assert secured["app"].ask(through="client", timeout_s=5) < 5
        assert asyncio.run(baskets(url)) == {"path": "/shop/baskets"}
    assert Named.heard == {f"localhost:{port}"}


def test_an_application_at_an_address_of_version_6():
    class Six(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6

    class Asked(Named):
        heard: ClassVar[set[str]] = set()

    with Six(("::1", 0), Asked) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        with Stack(app=f"http://[::1]:{port}") as six:
            assert f"(elsewhere) on [::1]:{port}, ready" in repr(six)
            assert six["app"].ask(through="client", timeout_s=5) < 5
            assert six.url("app").endswith(f"#host=[::1]:{port}")
        server.shutdown()
    assert Asked.heard == {f"[::1]:{port}"}


@pytest.mark.parametrize("behind", [by_picows, by_websockets], ids=["picows", "websockets"])
def test_a_socket_is_opened_by_the_name_of_the_application(behind):
    heard = []

    class Refusing(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            heard.append((self.headers.get_all("Host"), self.path))
            self.send_error(403)

        def log_message(self, *args): ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = socket_url(f"http://127.0.0.1:{server.server_address[1]}/shop#host=shop.example.com", "/ws")
        with pytest.raises(HttpError, match="403"):
            asyncio.run(behind.connect(url, None, {}))
    finally:
        server.shutdown()
        server.server_close()
    assert heard == [(["shop.example.com"], "/shop/ws")]


# --- not reached: one paragraph, at once, and told apart


@pytest.fixture(scope="module")
def silent():
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def nobody() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


UNREACHABLE = {
    "unknown name": (
        lambda there, tls, silent: {"redis": "redis://:pass-word-1@nowhere.invalid/0"},
        r"the name nowhere.invalid is not known .*spelt right",
    ),
    "no name": (
        lambda there, tls, silent: {"redis": f"redis://:pass-word-1@{'x' * 64}.example.com/0"},
        r"the name x+.example.com is not known",
    ),
    "refused": (
        lambda there, tls, silent: {"postgres": f"postgresql://me:pass-word-1@127.0.0.1:{nobody()}/db"},
        r"refuses connections: nothing listens there. Is it running",
    ),
    "silent": (
        lambda there, tls, silent: {"app": f"http://me:pass-word-1@127.0.0.1:{silent}"},
        r"does not answer. Is the host up",
    ),
    "certificate": (
        lambda there, tls, silent: {"redis": f"rediss://:pass-word-1@localhost:{tls}"},
        r"certificate of localhost on port \d+ is not accepted: self.signed certificate.*SSL_CERT_FILE",
    ),
    "no TLS": (
        lambda there, tls, silent: {"app": f"https://127.0.0.1:{port_of(there['app'])}"},
        r"TLS with 127.0.0.1 on port \d+ fails .*speak TLS at all",
    ),
    "TLS": (
        lambda there, tls, silent: {"redis": f"redis://:pass-word-1@localhost:{tls}"},
        r"closed the connection before it answered .*without TLS\?",
    ),
    "password of redis": (
        lambda there, tls, silent: {"redis": f"redis://:pass-word-1@127.0.0.1:{port_of(there['redis'])}"},
        r"does not let the client in: .*user and password of the URL right",
    ),
    "password of postgres": (
        lambda there, tls, silent: {
            "postgres": f"postgresql://workbench:pass-word-1@127.0.0.1:{port_of(there['postgres'])}/postgres"
        },
        r"does not let workbench in: .*28P01",
    ),
    "password of mongo": (
        lambda there, tls, silent: {"mongo": f"mongodb://workbench:pass-word-1@127.0.0.1:{port_of(there['mongo'])}/"},
        r"does not let workbench in: .*code 18",
    ),
    "database": (
        lambda there, tls, silent: {"postgres": there["postgres"].rpartition("/")[0] + "/none"},
        r'database "none" does not exist.*the right one',
    ),
    "another program": (
        lambda there, tls, silent: {"redis": f"redis://:pass-word-1@127.0.0.1:{port_of(there['app'])}"},
        r"what 127.0.0.1 on port \d+ answers is not Redis .*scheme of the URL",
    ),
}


@pytest.mark.parametrize("case", UNREACHABLE)
def test_one_that_is_not_reached_is_told_in_a_paragraph_at_once(there, certificate, silent, case):
    urls, says = UNREACHABLE[case]
    with speaking_tls(port_of(there["redis"]), certificate) as tls:
        stack = Stack(**urls(there, tls, silent))
        began = time.monotonic()
        with pytest.raises(ServiceError, match=says) as raised:
            stack.start()
        assert time.monotonic() - began < 15  # none of them waits for the 30 s of a start
    text = str(raised.value)
    assert "cannot be reached at" in text
    assert "\n" not in text
    assert "pass-word-1" not in text
    assert raised.value.exit_code == 3


# --- URLs that make no sense


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://h/x", "ftp:// is the URL of nothing known.* There are: redis://, rediss://, postgresql://"),
        ("rediis://:pass-word-1@h", "did you mean 'redis'"),
        ("redis", "a text is the URL of what runs elsewhere"),
        ("redis://:pass-word-1@", "names no host"),
        ("redis://:pass-word-1@h:70000", "Port out of range"),
        ("redis://:pass-word-1/x@h", "host and port cannot be read.*percent-encoded, as in %2F"),
        ("mongodb://me:a[pass-word-1]@h/db", "host and port cannot be read.*percent-encoded"),
        ("redis://me:12/pass-word-1@h/0", "an @ behind its host.*percent-encoded"),
        ("postgresql://me:12#pass-word-1@h/db", "an @ behind its host.*percent-encoded"),
        ("mongodb://me:12?pass-word-1@h/db", "an @ behind its host.*percent-encoded"),
        ("redis://:pass-word-1@h:0", "no port 0"),
        ("redis://:pass-word-1@h/mine", "a database of Redis is a number, not 'mine'"),
        ("postgresql://h/db", "names no user"),
        ("postgresql://me:pass-word-1@h/a/b", "without a slash"),
        ("postgresql://me:pass-word-1@h/a?sslmode=maybe", "sslmode is one of disable, require, .*not 'maybe'"),
        ("mongodb://me:pass-word-1@a,b/db", "names several hosts"),
        ("https://h/?token=pass-word-1", "ends before any"),
        ("rediss://:pass-word-1@h?ssl_ca_certs=/none.pem", "authorities /none.pem is not there"),
        ("rediss://:pass-word-1@h?ssl_keyfile=me.pem", "ssl_keyfile: a client's own certificate cannot be shown"),
        ("mongodb://me:pass-word-1@h/?authMechanism=MONGODB-X509", "only with a user and a password"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused_before_anything_starts(url, says):
    with pytest.raises(UsageError, match=f"store: .*{says}") as raised:
        Stack(store=url)
    assert "pass-word-1" not in str(raised.value)


def test_what_a_url_says():
    url = read_url("rediss://me:p%40ss@Cache.example.com/7?ssl_cert_reqs=none&client_name=x", entry="redis")
    assert (url.host, url.port, url.user, url.password, url.path) == ("cache.example.com", 6379, "me", "p@ss", "7")
    assert (url.tls.name, url.tls.verify) == ("cache.example.com", "none")
    assert url.options == (("client_name", "x"),)
    assert str(url) == "rediss://me@cache.example.com:6379/7"
    assert "p@ss" not in repr(url)
    assert url.through("redis", "127.0.0.1", 9, path="/7") == "redis://me:p%40ss@127.0.0.1:9/7?client_name=x"
    assert str(read_url("http://[::1]:81/a/", entry="app")) == "http://[::1]:81/a"
    named = read_url(
        "postgresql://me@h/my%20db%3F?sslmode=require&sslnegotiation=direct&channel_binding=require", entry="p"
    )
    assert (named.path, named.quoted, named.options) == ("my db?", "my%20db%3F", ())
    assert read_url("http://h:81/@me/a%20b", entry="app").quoted == "@me/a%20b", "sent as it was written"
    hidden = read_url("postgresql://me@h/db?password=pass-word-1&application_name=a@b", entry="p")
    assert hidden.password == "pass-word-1"
    assert "pass-word-1" not in f"{hidden} {hidden!r}"
    assert read_url("mongodb://h/?replicaSet=rs0", entry="m").options == ()


# --- secrets


def test_the_password_is_in_no_file_that_is_kept(there, stack):
    password = urlsplit(there["redis"]).password
    assert password in stack.secrets
    assert password not in repr(stack) + json.dumps(stack.describe())
    kept = [run_folder() / "services.json", *(run_folder() / "logs").glob("redis*.log")]
    assert all(password not in Path(file).read_text(errors="replace") for file in kept)


def test_a_certificate_of_another_name_is_not_accepted(there, tmp_path):
    other = make_certificate(tmp_path, name="other.example.com")
    with speaking_tls(port_of(there["redis"]), other) as port:
        with pytest.raises(ServiceError, match="not accepted: Hostname mismatch"):
            Stack(redis=f"rediss://:x@localhost:{port}?ssl_ca_certs={other}").start()
        password = urlsplit(there["redis"]).password
        query = f"ssl_ca_certs={other}&ssl_check_hostname=false"
        with Stack(redis=f"rediss://:{password}@localhost:{port}?{query}") as secured:
            assert secured["redis"].ask(through="client", timeout_s=5) < 5


# --- the relay


@pytest.mark.parametrize(
    ("tls", "answered"),
    [
        ({"name": "localhost", "ca": True}, True),
        ({"name": "localhost"}, False),
        ({"name": "other.example.com", "ca": True}, False),
        ({"name": "other.example.com", "ca": True, "verify": "ca"}, True),
        ({"name": "other.example.com", "verify": "none"}, True),
    ],
    ids=str,
)
def test_the_relay_itself_checks_who_signed_a_certificate_and_whose_it_is(there, certificate, tls, answered):
    tls = {**tls, "ca": str(certificate) if tls.get("ca") else ""}
    with speaking_tls(port_of(there["redis"]), certificate) as port, relay_process.running() as links:
        link = links.add("client", "store", upstream=f"localhost:{port}", tls=Tls(**tls))
        heard = b""
        with socket.create_connection((link.host, link.port), 10) as client, contextlib.suppress(ConnectionError):
            client.sendall(b"PING\r\n")
            heard = client.recv(10)
    assert heard.startswith(b"-NOAUTH") == answered


def test_an_upstream_that_tears_down_is_torn_down_for_the_client(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(server):
        client, _ = server.accept()
        with context.wrap_socket(client, server_side=True) as secret:
            assert secret.recv(1) == b"?"
            secret.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, TEAR_DOWN)

    with socket.create_server(("127.0.0.1", 0)) as server, relay_process.running() as links:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        upstream = f"127.0.0.1:{server.getsockname()[1]}"
        link = links.add("client", "store", upstream=upstream, tls=Tls("localhost", ca=str(certificate)))
        with socket.create_connection((link.host, link.port), 10) as client:
            client.sendall(b"?")
            with pytest.raises(ConnectionResetError):
                client.recv(1)


@contextlib.contextmanager
def echoing():
    """The port of a server that says what it hears, to one client."""

    def serve(server):
        client, _ = server.accept()
        with client:
            while data := client.recv(1 << 20):
                client.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def test_much_passes_both_ways_over_tls_at_once(certificate):
    said = bytes(range(256)) * 16_000
    with echoing() as echo, speaking_tls(echo, certificate) as port, relay_process.running() as links:
        tls = Tls("localhost", ca=str(certificate))
        link = links.add("client", "store", upstream=f"127.0.0.1:{port}", tls=tls)
        with socket.create_connection((link.host, link.port), 20) as client:
            threading.Thread(target=client.sendall, args=(said,), daemon=True).start()
            heard = b""
            while len(heard) < len(said):
                heard += client.recv(1 << 20)
    assert heard == said


@pytest.mark.parametrize("field", [{"tls_verify": "some"}, {"tls_start": "mysql"}, {"tls": 1}])
def test_the_relay_refuses_tls_that_makes_no_sense(field):
    with relay_process.running() as links, pytest.raises(LinkError, match="status 400"):
        links._ask("POST", "proxies", **{"name": "p", "upstream": "h:1", "tls": "h", **field})


def test_a_relay_that_speaks_no_tls_is_told_apart(tmp_path):
    (tmp_path / "original.py").write_text(relay_process.WITHOUT_DOORS)
    argv = [sys.executable, tmp_path / "original.py", "-host", "127.0.0.1", "-port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        links = Links(f"127.0.0.1:{process.stdout.readline().split()[1]}")
        with pytest.raises(LinkError, match=r"version 2\.\S+ speaks no TLS, and store does.*Unset WORKBENCH_TOXIPROXY"):
            links.add("client", "store", upstream="127.0.0.1:1", tls=Tls("localhost"))
        assert len(links) == 0
        process.terminate()
