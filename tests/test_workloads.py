"""What clients ask and how it is classified; the connections they ask over, byte by byte."""

import asyncio
import itertools
import json
import random
from types import SimpleNamespace

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from workbench import Kill, between, run
from workbench.errors import DriverError, UsageError
from workbench.stack import Stack
from workbench.workloads import Appends, Ask, Sessions, preparing
from workbench.workloads.accounts import log_in_many
from workbench.workloads.appends import STRIDE, TURNS
from workbench.workloads.asking import in_short, was_refused
from workbench.workloads.http import Http, HttpError, classify_http
from workbench.workloads.resp import RedisError, Resp
from workbench.workloads.sessions import Account

# --- appends


@given(st.integers(0, 9_999), st.integers(0, 10_000), st.integers())
def test_the_same_dice_give_the_same_operations(client, n, seed):
    workload = Appends()
    asks = [workload.next(random.Random(seed), client, n) for _ in range(2)]
    assert asks[0] == asks[1]
    assert asks[0].kind in ("append", "read")


def test_values_are_unique_over_the_run():
    workload = Appends(read_share=0)
    values = [workload.next(random.Random(1), client, n).value for client in range(40) for n in range(40)]
    assert len(set(values)) == len(values)
    assert workload.next(random.Random(1), 3, 42).value == 42 * STRIDE + 3


def test_the_share_of_reads_is_as_asked_and_keys_are_used_alike():
    dice, workload = random.Random(5), Appends(keys=4, read_share=0.25)
    asks = [workload.next(dice, 0, n % TURNS) for n in range(8000)]
    reads = sum(ask.kind == "read" for ask in asks)
    assert 1800 < reads < 2200
    assert {ask.key for ask in asks} == {"k0", "k1", "k2", "k3"}


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3 * TURNS))
def test_every_key_is_read_once_at_the_end(keys, clients, turns):
    workload = Appends(keys=keys)
    dice = random.Random(0)
    asked = {workload.next(dice, 0, n).key for n in range(turns)}
    final = [ask for rank in range(clients) for ask in workload.final(rank, clients, turns)]
    assert all(ask.kind == "read" for ask in final)
    assert len({ask.key for ask in final}) == len(final)
    assert asked <= {ask.key for ask in final}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"keys": 0}, "at least one key"),
        ({"store": "rediss"}, "redis, mongo or postgres"),
        ({"via": "link"}, '"direct", through the "app" or via "sentinel"'),
        ({"read_share": 1}, "share of operations"),
    ],
)
def test_appends_that_make_no_sense_are_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Appends(**fields)


def test_names_and_services():
    assert (Appends().name, Appends().services) == ("appends in redis", ("redis",))
    through = Appends(store="mongo", via="app")
    assert (through.name, through.services) == ("appends in mongo via app", ("app", "mongo"))
    assert (Sessions().name, Sessions().services) == ("sessions", ("app", "redis"))
    with pytest.raises(UsageError, match="number of bytes"):
        Sessions(payload=-1)
    with pytest.raises(UsageError, match="one socket or more"):
        Sessions(sockets=0)
    with pytest.raises(UsageError, match="every 2 turns or more"):
        Sessions(leave_every=1)


# --- outcomes


def refused():
    error = RuntimeError("the library's own")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return error


def test_only_what_certainly_did_not_happen_failed():
    redis = Appends()
    assert redis.classify(RedisError("OOM command not allowed")) == ("fail", "OOM")
    assert redis.classify(ConnectionRefusedError()) == ("fail", "ConnectionRefusedError")
    assert redis.classify(ConnectionResetError()) == ("info", "ConnectionResetError")
    assert redis.classify(TimeoutError()) == ("info", "timeout")


def test_answers_of_the_application_say_what_they_left_behind():
    def answer(status, **problem):
        return classify_http(HttpError(status, json.dumps(problem).encode()))

    unavailable = {"type": "urn:reference:problem:unavailable", "dependency": "redis"}
    assert answer(503, **unavailable, effect="none") == ("fail", "503 redis unavailable")
    assert answer(503, **unavailable, effect="unknown") == ("info", "503 redis unavailable")
    assert answer(503) == ("info", "503")
    assert answer(422, type="about:blank", title="Unprocessable Content") == ("fail", "422 blank")
    assert classify_http(HttpError(502, b"<html>")) == ("info", "502")
    assert classify_http(ConnectionResetError()) == ("info", "ConnectionResetError")
    assert classify_http(refused())[0] == "fail"


def test_stores_say_what_they_left_behind():
    import psycopg
    from pymongo.errors import AutoReconnect, DuplicateKeyError, ServerSelectionTimeoutError, WriteConcernError

    mongo, postgres = Appends(store="mongo"), Appends(store="postgres")
    assert mongo.classify(AutoReconnect("closed")) == ("info", "AutoReconnect")
    assert mongo.classify(WriteConcernError("timed out", 64)) == ("info", "WriteConcernError")
    assert mongo.classify(DuplicateKeyError("E11000", 11000)) == ("fail", "DuplicateKeyError 11000")
    assert mongo.classify(ServerSelectionTimeoutError("none")) == ("fail", "ServerSelectionTimeoutError")
    assert postgres.classify(psycopg.OperationalError("server closed the connection")) == ("info", "OperationalError")


def test_refusal_is_seen_through_the_errors_of_libraries():
    assert was_refused(refused())
    assert not was_refused(ConnectionResetError())
    assert in_short(TimeoutError("after 1.000 s")) == "timeout"


# --- connections

REPLIES = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=10,
)


def in_resp(reply):
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    return b"*%d\r\n" % len(reply) + b"".join(map(in_resp, reply))


def chunks(data, cuts):
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def listening(kind):
    """A connection of this kind whose answers are kept."""

    class Listening(kind):
        def __init__(self):
            super().__init__()
            self.got = []

        def answer(self, value):
            self.got.append(value)

    return Listening()


@given(st.lists(REPLIES, max_size=3), st.lists(st.integers(0, 10_000), max_size=8))
def test_replies_of_redis_are_read_however_they_are_cut(replies, cuts):
    wire = listening(Resp)
    for chunk in chunks(b"".join(map(in_resp, replies)), cuts):
        wire.feed(chunk)
    assert wire.got == replies


def test_error_and_garbage_replies_of_redis():
    wire = listening(Resp)
    wire.feed(b"+OK\r\n-ERR unknown command\r\n")
    assert wire.got[0] == "OK"
    assert isinstance(wire.got[1], RedisError)
    assert wire.got[1].word == "ERR"
    wire.feed(b"HTTP/1.1 400\r\n")
    assert isinstance(wire.got[2], ConnectionError)


@given(st.binary(max_size=300), st.booleans(), st.lists(st.integers(0, 10_000), max_size=8))
def test_answers_over_http_are_read_however_they_are_cut(body, chunked, cuts):
    if chunked:
        parts = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part]
        data = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(parts) + b"0\r\n\r\n"
    else:
        data = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    wire = listening(Http)
    for chunk in chunks(data, cuts):
        wire.feed(chunk)
    assert wire.got == [(201, body)]


def test_a_redirect_is_an_answer_with_headers_and_is_not_followed():
    async def talk():
        heard = []

        async def serve(reader, writer):
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            head = b"HTTP/1.1 302 Found\r\nLOCATION: /there?a=b\r\nSet-Cookie: one=1\r\nContent-Length: 0\r\n\r\n"
            writer.write(head)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            http = await Http.to(f"http://name:password@127.0.0.1:{port}")
            answer = await http.exchange("GET", "/here", headers={"Cookie": "two=2"})
            http.close()
            return answer, heard[0].decode()

    answer, asked = asyncio.run(talk())
    assert (answer.status, answer.body) == (302, b"")
    assert answer.header("location") == "/there?a=b"
    assert answer.header("set-cookie") == "one=1"
    assert answer.header("etag") == ""
    assert "Cookie: two=2\r\n" in asked
    assert "password" not in asked


def test_an_answer_nobody_asked_for_ends_a_connection():
    async def talk():
        async def serve(reader, writer):
            writer.write(b"-ERR max number of clients reached\r\n")
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            wire = await Resp.open(*server.sockets[0].getsockname())
            await asyncio.sleep(0.05)
            assert wire.closed
            with pytest.raises(ConnectionResetError):
                await wire.command("PING")

    asyncio.run(talk())


def test_what_comes_along_with_an_answer_answers_no_question_asked_at_once():
    async def talk():
        async def serve(reader, writer):
            await reader.read(100)
            writer.write(b":1\r\n:777\r\n:778\r\n")
            await reader.read()
            writer.close()

        got = asyncio.Queue()

        def answered(value):
            got.put_nowait(value)
            if value == 1:
                wire.pose(b"next", answered)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            wire = await Resp.open(*server.sockets[0].getsockname())
            wire.pose(b"first", answered)
            async with asyncio.timeout(5):
                assert await got.get() == 1
                assert isinstance(await got.get(), ConnectionResetError)
            assert wire.closed
            assert got.empty()

    asyncio.run(talk())


# --- on real services


async def write_and_read(workload, urls):
    """Append three values over one connection, and read them over another."""
    shared = await workload.prepare(urls, "a1b2c3", range(3))
    writing = await workload.connect(shared, 0)
    for n in range(3):
        assert await workload.do(writing, Ask("append", "k0", n)) is None
    await workload.close(writing)
    reading = await workload.connect(shared, 1)
    try:
        return await workload.do(reading, Ask("read", "k0")), await workload.do(reading, Ask("read", "k1"))
    finally:
        await workload.close(reading)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_RUN", str(tmp_path_factory.mktemp("run")))
        with Stack("redis", "mongo", "postgres", "app") as stack:
            yield stack


@pytest.mark.parametrize("via", ["direct", "app"])
@pytest.mark.parametrize("store", ["redis", "mongo", "postgres"])
def test_lists_are_kept_in_every_store(stack, store, via):
    workload = Appends(store=store, via=via)
    urls = {name: stack.url(name) for name in workload.services}
    assert asyncio.run(write_and_read(workload, urls)) == ([0, 1, 2], [])


@pytest.mark.parametrize("store", ["redis", "mongo", "postgres"])
def test_a_time_out_is_kept_when_the_store_stands_still(stack, store):
    workload = Appends(store=store)

    async def ask():
        shared = await workload.prepare({store: stack.url(store)}, "d4e5f6", range(3))
        connection = await workload.connect(shared, 0)
        await workload.do(connection, Ask("append", "k0", 1))
        stack[store].pause()
        try:
            loop = asyncio.get_running_loop()
            began = loop.time()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await workload.do(connection, Ask("append", "k0", 2))
            async with asyncio.timeout(1):
                await workload.close(connection)
            assert loop.time() - began < 1
        finally:
            stack[store].resume()

    asyncio.run(ask())


@pytest.mark.parametrize("store", ["redis", "mongo", "postgres"])
def test_no_client_hides_that_its_store_is_down(stack, store, tmp_path, monkeypatch):
    """Libraries wait for a server that is gone, inside an operation that then seems to be slow and nothing else."""
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    down = between(0.5, 1.2, Kill(store))
    history = run(stack, Appends(store=store), faults=[down], clients=4, rate_hz=100, duration_s=2.5, timeout_s=8)
    (window,) = history.windows
    under = history.where(also=lambda c: (c.called > window.began + 0.1) & (c.called < window.healed - 0.1))
    assert len(under) > 20
    assert under.count("ok") == 0
    assert under.count("fail") > 10
    assert max(operation.returned - operation.called for operation in under) < 0.5


def test_sessions_echo_and_are_counted_by_account(stack):
    workload = Sessions(payload=1000, sockets=2)

    async def talk():
        shared = await workload.prepare({"app": stack.url("app")}, "a1b2c3", range(3, 6))
        sessions = [await workload.connect(shared, client) for client in range(3, 6)]
        for n, session in enumerate(sessions):
            assert await workload.do(session, Ask("echo", "", n)) is None
        counted = [await workload.do(session, Ask("count")) for session in sessions]
        await workload.do(sessions[1], Ask("leave"))
        left = await workload.do(sessions[0], Ask("count"))
        for session in sessions:
            await workload.close(session)
        return counted, left, [session.closed for session in sessions]

    two, one = ({"reported": n, "open": n} for n in (2, 1))
    assert uvloop.run(talk()) == ([two, two, one], one, [True, True, True])


def test_sessions_are_counted_once_more_after_they_were_closed(stack):
    workload = Sessions(sockets=2)
    assert workload.final(1, 4, 9) == []
    assert [ask.value for ask in workload.final(2, 4, 9)] == [None, "closed"]
    assert len(workload.final(20, 50, 9)) == 1, "of the last accounts only"
    counted = [rank for rank in range(10_000) if workload.final(rank, 10_000, 9)]
    assert len(counted) == 1000 + 8, "one in five, and the last ten"

    async def talk():
        shared = await workload.prepare({"app": stack.url("app")}, "a1b2c3", range(2))
        sessions = [await workload.connect(shared, client) for client in range(2)]
        counted = [await workload.do(sessions[0], ask) for ask in workload.final(0, 2, 9)]
        return counted, [session.closed for session in sessions]

    two, none = ({"reported": n, "open": n} for n in (2, 0))
    assert uvloop.run(talk()) == ([two, none], [True, True])


def test_a_handshake_that_is_not_answered_may_have_happened():
    async def talk():
        async def hang_up(reader, writer):
            await reader.read(10)
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        account = Account("", "token")
        shared = SimpleNamespace(accounts=[account], addresses=[f"ws://127.0.0.1:{port}/ws"], padding="")
        try:
            await Sessions().connect(shared, 0)
        except Exception as error:
            return Sessions().classify(error)
        finally:
            server.close()
            await server.wait_closed()

    assert uvloop.run(talk()) == ("info", "ConnectionResetError")


def test_many_accounts_are_made_over_all_instances(stack, monkeypatch):
    monkeypatch.setattr("workbench.workloads.accounts.AT_ONCE", 4)  # each makes several, one after the other
    before = preparing.made()
    url = stack.url("app")
    tokens = uvloop.run(log_in_many([url, url], 12))
    assert len(set(tokens)) == 12
    assert all(tokens)
    assert preparing.made() - before == 12
    with pytest.raises(DriverError, match=r"POST /accounts answered .*refused.*Its log says why"):
        uvloop.run(log_in_many([url, "http://127.0.0.1:1"], 12))


def test_a_session_from_a_foreign_origin_is_refused(stack):
    workload = Sessions(origin="http://elsewhere.example")

    async def talk():
        shared = await workload.prepare({"app": stack.url("app")}, "a1b2c3", range(3))
        try:
            await workload.connect(shared, 0)
        except Exception as error:
            return workload.classify(error)

    assert asyncio.run(talk()) == ("fail", "403 forbidden-origin")
