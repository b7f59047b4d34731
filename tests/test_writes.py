"""What `Writes` and `Echoes` ask of a described system, and what they make of its answers and errors."""

import asyncio
import pickle
import random
import textwrap
import time
from pathlib import Path

import aiohttp
import httpx
import pytest

from workbench import Echoes, Stack, System, Writes, run
from workbench.errors import DriverError, UsageError
from workbench.workloads import Appends
from workbench.workloads.own import Clients, status_of

HERE = Path(__file__).parent / "systems"
SHOP = str(HERE / "described.py")

ASKED = """
    from workbench import System

    system = System("shop", url="http://127.0.0.1:1")
    lists = {{}}

    @system.operation
    async def connect(urls, token):
        return urls["app"], token

    {login}

    @system.operation
    async def write(connection, key, value):
        {write}

    @system.operation
    async def read(connection, key):
        {read}

    @system.operation
    async def echo(connection, text):
        {echo}

    {classify}
"""


@pytest.fixture
def describe(tmp_path):
    """A description with these bodies of its operations, in a file of its own."""

    def describe(*, login="", write="pass", read="return []", echo="return text", classify=""):
        path = tmp_path / "asked.py"
        path.write_text(
            textwrap.dedent(ASKED.format(login=login, write=write, read=read, echo=echo, classify=classify))
        )
        return str(path)

    return describe


@pytest.fixture(scope="module")
def stack():
    """Somebody to be asked: what is asked of it, the tests' own operations say."""
    server = System("server", command="{python} -m http.server --bind {host} {port}", ready="/", scales=True)
    with Stack(app=server) as stack:
        yield stack


def ask(stack, workload, **options):
    return run(stack, workload, **({"clients": 2, "rate_hz": 40, "duration_s": 0.8, "steady": 0} | options))


# --- what is asked


def test_they_ask_what_the_checkers_know():
    writes, appends = Writes(SHOP, keys=4, read_share=0.3), Appends(keys=4, read_share=0.3)
    for n in range(1200):
        one, other = (workload.next(random.Random(n), 3, n) for workload in (writes, appends))
        assert one == other
    assert writes.final(1, 3, 900) == appends.final(1, 3, 900)
    assert (writes.name, writes.services, writes.connect_kind) == ("writes in app", ("app", "redis"), None)


def test_echoes_are_left_when_asked_to_be():
    assert {Echoes(SHOP).next(random.Random(1), 2, n).kind for n in range(50)} == {"echo"}
    assert [Echoes(SHOP, leave_every=5).next(random.Random(1), 0, n).kind for n in range(5)].count("leave") == 1
    assert (Echoes(SHOP).name, Echoes(SHOP, leave_every=5, entry="shop").name) == ("echoes in app", "visits in shop")
    assert (Echoes(SHOP).connect_kind, Echoes(SHOP, sockets=3).sockets) == ("connect", 3)


def test_they_hold_where_the_system_is_and_not_the_system():
    from workbench import load_system

    writes = Writes(load_system(SHOP))
    assert writes == Writes(SHOP) == Writes(Path(SHOP)) == pickle.loads(pickle.dumps(writes))
    assert writes.system == f"{SHOP}:system"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Writes(SHOP, keys=0), "keys is a whole number from 1 up"),
        (lambda: Writes(SHOP, read_share=1), "read_share is a share"),
        (lambda: Writes(SHOP, read_share="half"), "read_share is a share"),
        (lambda: Writes(SHOP, entry=""), "entry is what the system is called"),
        (lambda: Writes(None), "Writes ask a System, or that of a file"),
        (lambda: Writes("no_such.py"), "There is no file"),
        (lambda: Echoes(SHOP, payload=-1), "payload is a whole number"),
        (lambda: Echoes(SHOP, sockets=0), "sockets is a whole number"),
        (lambda: Echoes(SHOP, leave_every=1), "every 2 turns or more"),
        (lambda: Echoes(SHOP, entry=3), "entry is what the system is called"),
        (
            lambda: Echoes(f"{HERE}/queued.py:worker"),
            r"Echoes need echo of worker, which .*queued.py:worker does not have; it has: connect, write, read, c",
        ),
        (lambda: Writes(f"{HERE}/queued.py:hasty"), "Writes need write and read of hasty"),
        (lambda: Echoes(f"{HERE}/queued.py"), "describes several systems, hasty, worker"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_starts(make, said):
    with pytest.raises(UsageError, match=said):
        make()


def test_a_system_of_a_notebook_cannot_be_asked_from_another_process():
    scope = {}
    text = """
from workbench import System
system = System("shop", command="serve {port}")
async def write(connection, key, value): ...
async def read(connection, key): ...
system.operation(write), system.operation(read)
"""
    exec(compile(text, "<cell>", "exec"), scope)
    with pytest.raises(UsageError, match="described in the notebook, but its clients run in another process"):
        Writes(scope["system"])


def test_a_system_that_its_file_no_longer_describes_is_told(describe):
    from workbench import load_system

    system = load_system(describe())
    describe(login="@system.operation\n    async def login(urls, user): return user")
    with pytest.raises(UsageError, match="by now says something else"):
        Writes(system)


# --- what becomes of it


def test_clients_are_dealt_out_over_instances_and_logged_in_once_each(stack, describe, tmp_path):
    seen = tmp_path / "seen"
    note = f"open({str(seen)!r}, 'a').write(user + ' ' + urls['app'] + '\\n')"
    login = f"@system.operation\nasync def login(urls, user):\n    {note}\n    return user"
    path = describe(login=login.replace("\n", "\n    "), echo="return text if connection[1] else ''")
    stack["app"].scale(2)
    try:
        history = ask(stack, Echoes(path, sockets=2), clients=6)
    finally:
        stack["app"].scale(1)
    assert all(operation.outcome == "ok" for operation in history)
    users, urls = zip(*(line.split() for line in seen.read_text().splitlines()), strict=True)
    assert len(users) == len(set(users)) == 3
    assert len(set(urls)) == 2


def test_a_system_that_runs_elsewhere_is_asked_by_the_name_of_its_host(stack, tmp_path):
    port = stack["app"].port
    path = tmp_path / "elsewhere.py"
    path.write_text(
        textwrap.dedent(
            f"""
            import httpx
            from workbench import System

            system = System("shop", url="http://localhost:{port}")

            @system.operation
            async def connect(urls, token):
                assert urls["app.host"] == "localhost:{port}" and "#" not in urls["app"]
                return httpx.AsyncClient(base_url=urls["app"], headers={{"Host": urls["app.host"]}})

            @system.operation
            async def echo(connection, text):
                (await connection.get("/")).raise_for_status()
                return text
            """
        )
    )
    with Stack(app=System("shop", url=f"http://localhost:{port}")) as other:
        history = ask(other, Echoes(str(path)))
    assert history
    assert {operation.error for operation in history} == {""}


def test_a_login_that_fails_ends_the_run_before_it_begins(stack, describe):
    path = describe(login="@system.operation\n    async def login(urls, user): raise ValueError('no such\\nuser')")
    with pytest.raises(DriverError, match=r"login of .*asked.py:system raised ValueError: no such user. .* doctor"):
        ask(stack, Writes(path))


@pytest.mark.parametrize("returned", ["None", "'1 2'", "['1']", "[True]", "{1: 2}"])
def test_a_read_that_returns_no_list_of_numbers_ends_the_run(stack, describe, returned):
    with pytest.raises(DriverError, match=r"read of .*asked.py:system returned .*, which is no list of whole numbers"):
        ask(stack, Writes(describe(read=f"return {returned}"), read_share=0.9))


def test_a_classify_that_says_something_else_ends_the_run(stack, describe):
    classify = "@system.operation\n    def classify(error): return 'maybe'"
    with pytest.raises(DriverError, match=r"classify of .* says 'maybe' of OSError.*It returns"):
        ask(stack, Writes(describe(write="raise OSError", classify=classify)))


def test_a_mistake_in_an_operation_is_told_with_its_text(stack, describe):
    history = ask(stack, Writes(describe(write="connection.post(key)"), read_share=0))
    errors = {operation.error for operation in history if operation.kind == "append"}
    assert errors == {"AttributeError: 'tuple' object has no attribute 'post'"}


@pytest.mark.parametrize("raised", ["SystemExit(3)", "KeyboardInterrupt", "__import__('asyncio').CancelledError"])
def test_what_would_end_the_driver_is_an_error_like_others(stack, describe, raised):
    history = ask(stack, Writes(describe(write=f"raise {raised}"), read_share=0))
    errors = {(one.outcome, one.error.rstrip(": 3")) for one in history if one.kind == "append"}
    assert errors == {("info", raised.rpartition(".")[2].removesuffix("(3)"))}


def test_what_operations_start_and_print_does_not_come_between_driver_and_owner(stack, describe):
    write = "import subprocess; subprocess.run('echo said; sleep 100 & cat', shell=True)"
    history = ask(stack, Writes(describe(write=write), read_share=0), rate_hz=10)
    assert {(one.outcome, one.error) for one in history} == {("ok", "")}


def test_threads_that_hang_do_not_keep_a_run(stack, describe):
    write = "import asyncio, time; await asyncio.to_thread(time.sleep, 100)"
    begun = time.monotonic()
    history = ask(stack, Writes(describe(write=write), read_share=0), timeout_s=0.2)
    assert {(one.outcome, one.error) for one in history if one.kind == "append"} == {("info", "timeout")}
    assert time.monotonic() - begun < 30  # of the 100


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import asyncio; return asyncio.sleep(0)", "write of .* returned coroutine that nobody awaited"),
        ("import httpx; return httpx.Response(503)", "write of .* returned an answer with the status 503, as if it"),
    ],
)
def test_a_write_that_returns_what_it_did_not_look_at_is_no_acknowledgement(stack, describe, body, said):
    with pytest.raises(DriverError, match=said):
        ask(stack, Writes(describe(write=body), read_share=0))


def test_a_classify_that_raises_ends_the_run_and_is_named(stack, describe):
    classify = "@system.operation\n    def classify(error): return {}[error]"
    with pytest.raises(
        DriverError, match=r"classify of .*asked.py:system raised KeyError: OSError\(\) when it was asked"
    ):
        ask(stack, Writes(describe(write="raise OSError", classify=classify)))


def test_a_connection_that_cannot_be_made_says_whose(stack, describe):
    path = Path(describe())
    path.write_text(path.read_text().replace('return urls["app"], token', "raise OSError('no way in')"))
    with pytest.raises(DriverError, match="A client of 'writes in app' did not connect: OSError: no way in"):
        ask(stack, Writes(path))


def test_clients_of_several_drivers_are_dealt_out_over_instances_and_nothing_else(describe):
    urls = {"app": "http://one", "app-2": "http://two", "app-cache": "redis://three"}

    async def seat(*clients):
        there = await Clients.seat(describe(), urls, "", clients, entry="app")
        found = [(await there.connect(client))._inner[0] for client in clients]
        assert (await there.connect(clients[0]))._inner[1] is None
        return found

    assert asyncio.run(seat(0, 2)) == ["http://one", "http://two"]
    assert asyncio.run(seat(1)) == ["http://two"]


def test_an_echo_that_differs_is_an_error(stack, describe):
    history = ask(stack, Echoes(describe(echo="return text[:-1]")))
    echoes = [operation for operation in history if operation.kind == "echo"]
    assert {(one.outcome, one.error) for one in echoes} == {("info", "what came back is not what was sent")}
    history = ask(stack, Echoes(describe(echo="return text.encode()"), payload=200))
    assert all(operation.outcome == "ok" for operation in history)


def test_what_takes_longer_than_the_time_out_is_cancelled(stack, describe):
    path = describe(write="import asyncio; await asyncio.sleep(60)")
    history = ask(stack, Writes(path, read_share=0), timeout_s=0.2)
    assert {(one.outcome, one.error) for one in history if one.kind == "append"} == {("info", "timeout")}


# --- outcomes


def answered(status):
    request = httpx.Request("GET", "http://shop")
    return httpx.HTTPStatusError("", request=request, response=httpx.Response(status, request=request))


async def refused_by_httpx(port):
    async with httpx.AsyncClient() as http:
        await http.get(f"http://127.0.0.1:{port}")


def test_only_what_was_certainly_not_done_failed(describe):
    writes = Writes(describe())
    with pytest.raises(httpx.ConnectError) as refused:
        asyncio.run(refused_by_httpx(port=1))
    group = ExceptionGroup("both addresses", [ConnectionRefusedError(), ConnectionRefusedError()])
    mixed = ExceptionGroup("both addresses", [ConnectionRefusedError(), TimeoutError()])
    assert writes.classify(refused.value) == ("fail", "ConnectError")
    assert writes.classify(group)[0] == "fail"
    assert writes.classify(mixed)[0] == "info"
    assert writes.classify(answered(404)) == ("fail", "404")
    assert writes.classify(answered(503)) == ("info", "503")
    assert writes.classify(httpx.ReadTimeout("")) == ("info", "ReadTimeout")
    assert writes.classify(TimeoutError()) == ("info", "timeout")
    assert writes.classify(ConnectionResetError()) == ("info", "ConnectionResetError")
    assert status_of(aiohttp.ClientResponseError(None, (), status=409)) == 409
    assert status_of(ValueError("404")) == 0
    assert writes.classify(answered(408))[0] == "info"
    numbered = OSError()
    numbered.code = 404  # of a database, say
    assert status_of(numbered) == 0


def test_what_a_library_sent_before_it_was_refused_may_be_done(describe):
    """aiohttp asks again by itself: the second time nobody listens, the first time somebody read it."""
    heard = []

    async def serve(reader, writer):
        while b"second" not in (data := await reader.read(10_000)):
            heard.append(data)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        heard.append(data)
        server.close()
        writer.transport.abort()

    async def put_twice():
        nonlocal server
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            await (await http.put("/first")).read()
            await http.put("/second")

    server = None
    with pytest.raises(aiohttp.ClientConnectorError) as raised:
        asyncio.run(put_twice())
    assert any(b"second" in data for data in heard)
    assert Writes(describe()).classify(raised.value)[0] == "info"


def test_a_system_may_classify_for_itself(tmp_path, describe):
    classify = "@system.operation\n    def classify(error): return 'fail' if 'READONLY' in str(error) else None"
    echoes = Echoes(describe(classify=classify))
    assert echoes.classify(OSError("READONLY")) == ("fail", "OSError")
    assert echoes.classify(OSError("else")) == ("info", "OSError")
