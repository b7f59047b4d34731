"""The load driver beside Locust, `websockets`, threaded redis-py and aiohttp: what can be asked and recorded.

python tests/bench/driver.py [--rounds N]

Each round has every generator in turn on the same server, and a ratio is taken within a round: a slow moment of the
machine meets all. Every operation is recorded by everybody, in the way each has. Servers are reached directly, not
through the relay, and run in processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from _direct import drive, goal, spread
from _echo import Echoes, serving, token

from workbench import Appends, Stack

SESSIONS, SECONDS, WARM_S = 200, 2.0, 0.5
OPENED, OPENING_S = 10_000, 7.0
REDIS_CLIENTS = 50
HTTP_CONNECTIONS = 100
MESSAGE = '{"type":"echo","n":%d,"padding":"' + "x" * 64 + '"}'
LOCUST = Path(sys.executable).with_name("locust")


# --- sockets


def ours(port: int) -> float:
    load = drive(Echoes(), {"app": f"http://127.0.0.1:{port}"}, clients=SESSIONS, duration_s=SECONDS + WARM_S)
    assert not load.counts.fail + load.counts.info, load.counts
    return len(load.of("echo", from_s=WARM_S, until_s=SECONDS + WARM_S).client) / SECONDS


def locust(port: int) -> float:
    """By its own statistics, which begin when every user is there."""
    place = [str(LOCUST), "--headless", "-f", str(Path(__file__).with_name("_locust.py")), "--json", "--skip-log"]
    load = ["-u", str(SESSIONS), "-r", str(SESSIONS), "-t", f"{SECONDS + 1:g}s", "--reset-stats"]
    ended = subprocess.run(
        [*place, *load, "--host", f"ws://127.0.0.1:{port}/ws"], capture_output=True, text=True, check=True, timeout=60
    )
    (stats,) = json.loads(ended.stdout)
    assert not stats["num_failures"], stats
    return float(stats["num_requests"] / (stats["last_request_timestamp"] - stats["start_time"]))


def plain_websockets(port: int) -> float:
    """One coroutine per session, in a process of its own, on uvloop."""
    ended = subprocess.run([sys.executable, __file__, "--websockets", str(port)], capture_output=True, text=True)
    return float(ended.stdout)


async def websockets_client(port: int) -> float:
    from websockets.asyncio.client import connect

    rows: list[tuple[int, int, int, int, str]] = []
    now = time.monotonic_ns

    async def session(client: int) -> None:
        nonlocal begin
        headers = {"Authorization": f"Bearer {token(client)}"}
        async with connect(
            f"ws://127.0.0.1:{port}/ws", additional_headers=headers, compression=None, proxy=None
        ) as socket:
            await everybody.wait()
            begin = begin or now() + round(WARM_S * 1e9)
            end, n = begin + round(SECONDS * 1e9), 0
            while now() < end:
                message = MESSAGE % n
                called = now()
                await socket.send(message)
                answer = await socket.recv()
                rows.append((client, n, called, now(), "ok" if answer == message else "info"))
                n += 1

    everybody = asyncio.Barrier(SESSIONS)
    begin = 0  # until everybody is there
    await asyncio.gather(*map(session, range(SESSIONS)))
    return sum(0 <= row[3] - begin < SECONDS * 1e9 for row in rows) / SECONDS


def sockets(port: int, rounds: int) -> list[bool]:
    rates: dict[str, list[float]] = {"this driver": [], "websockets": [], "Locust": []}
    for _ in range(rounds):
        rates["this driver"].append(ours(port))
        rates["websockets"].append(plain_websockets(port))
        if LOCUST.exists():
            rates["Locust"].append(locust(port))
    print(f"round trips/s over {SESSIONS} authenticated sessions, closed loop, each recorded")
    for name, seen in rates.items():
        if seen:
            print(f"  {name:14}{median(seen):10,.0f}   [{min(seen):,.0f}–{max(seen):,.0f}]")
    missed = []
    for name, least in (("Locust", 4), ("websockets", 2)):
        ratios = [one / other for one, other in zip(rates["this driver"], rates[name], strict=False)]
        if ratios:
            print(f"  times {name}: {spread(ratios)}")
            missed.append(goal(f"times {name}", median(ratios), least=least))
        else:
            print(f"  {name} is not installed")
    return missed


def many(port: int) -> list[bool]:
    """Sessions opened as fast as a server in Python lets them in, and asked once or twice each."""
    urls = {"app": f"http://127.0.0.1:{port}"}
    load = drive(
        Echoes(), urls, clients=OPENED, duration_s=OPENING_S + 3, rate_hz=2_000, opening_s=OPENING_S, timeout_s=5.0
    )
    opened = load.of("connect")
    success = (opened.outcome == 0).mean()
    each = (load.counts.rss_end - load.counts.rss_before) / OPENED / 1024
    p50, p99 = load.latency_ms("echo")
    print(
        f"{len(opened.client):,} sessions opened in {max(opened.returned):.1f} s, {success:.3%} at the first attempt;"
    )
    print(f"  then 2,000 round trips/s over them: p50 {p50:.2f} ms, p99 {p99:.2f} ms from when each was due")
    return [goal("share opened", float(success), least=0.9999), goal("KiB each in the client", each, most=40)]


# --- Redis


def redis_rounds(url: str, rounds: int) -> list[bool]:
    rates: dict[str, list[float]] = {"this driver": [], "threads + redis-py": []}
    for _ in range(rounds):
        load = drive(Appends(read_share=0), {"redis": url}, clients=REDIS_CLIENTS, duration_s=1.5)
        assert not load.counts.fail + load.counts.info, load.counts
        rates["this driver"].append(load.counts.ok / 1.5)
        rates["threads + redis-py"].append(threads(url, 1.5))
    print(f"\nRPUSH/s by {REDIS_CLIENTS} clients, closed loop, each recorded")
    for name, seen in rates.items():
        print(f"  {name:20}{median(seen):10,.0f}   [{min(seen):,.0f}–{max(seen):,.0f}]")
    ratios = [one / other for one, other in zip(*rates.values(), strict=True)]
    print(f"  times threads + redis-py: {spread(ratios)}")
    return [goal("times threads + redis-py", median(ratios), least=4)]


def threads(url: str, seconds: float) -> float:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    rows = []
    now = time.monotonic_ns
    everybody = threading.Barrier(REDIS_CLIENTS)

    def client(number: int) -> None:
        connection = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0))
        connection.ping()
        everybody.wait()
        end, n = now() + round(seconds * 1e9), 0
        while (called := now()) < end:
            connection.rpush(f"threads:k{n % 8}", n * 10_000 + number)
            rows.append((number, "append", f"k{n % 8}", n * 10_000 + number, called, now(), "ok"))
            n += 1
        connection.close()

    playing = [threading.Thread(target=client, args=(number,)) for number in range(REDIS_CLIENTS)]
    for one in playing:
        one.start()
    for one in playing:
        one.join()
    return len(rows) / seconds


# --- HTTP


def http_rounds(url: str, rounds: int) -> None:
    rates: dict[str, list[float]] = {"own": [], "aiohttp": []}
    for _ in range(rounds):
        for name, seen in rates.items():
            ended = subprocess.run([sys.executable, __file__, f"--{name}", url], capture_output=True, text=True)
            seen.append(float(ended.stdout))
    ratios = [one / other for one, other in zip(*rates.values(), strict=True)]
    print(f"\nGET /health of the reference application, {HTTP_CONNECTIONS} connections: ", end="")
    print(f"own {median(rates['own']):,.0f}/s, aiohttp {median(rates['aiohttp']):,.0f}/s, ratio {spread(ratios)}")


async def own_http(url: str) -> float:
    from workbench.workloads.http import Http

    async def ask(connection: Http) -> None:
        await connection.request("GET", "/health")

    return await asking([await Http.to(url) for _ in range(HTTP_CONNECTIONS)], ask)


async def aiohttp_http(url: str) -> float:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(_: int) -> None:
            async with session.get(f"{url}/health") as answer:
                await answer.json()

        return await asking(list(range(HTTP_CONNECTIONS)), ask)


async def asking(connections: list, ask) -> float:  # type: ignore[no-untyped-def,type-arg]
    seconds, done = 1.5, 0
    await asyncio.gather(*map(ask, connections))  # every connection is made before it is timed
    end = time.monotonic() + seconds

    async def one(connection) -> None:  # type: ignore[no-untyped-def]
        nonlocal done
        while time.monotonic() < end:
            await ask(connection)
            done += 1

    await asyncio.gather(*map(one, connections))
    return done / seconds


# ---


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--websockets", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--own", help=argparse.SUPPRESS)
    parser.add_argument("--aiohttp", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.websockets or given.own or given.aiohttp:
        import uvloop

        if given.websockets:
            print(uvloop.run(websockets_client(given.websockets)))
        else:
            print(uvloop.run(own_http(given.own) if given.own else aiohttp_http(given.aiohttp)))
        return 0
    print(f"driver: medians of {given.rounds} alternating rounds [least–most]")
    with serving() as (port, _):
        missed = [*sockets(port, given.rounds), *many(port)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBENCH_RUN"] = folder
        with Stack("redis", "app") as stack:
            missed += redis_rounds(direct(stack, "redis"), given.rounds)
            http_rounds(direct(stack, "app"), given.rounds)
    return any(missed)


def direct(stack: Stack, name: str) -> str:
    """The address of a service itself, past the relay."""
    running = stack[name]
    return running.service.url(running.place, host=running.host, port=running.port)


if __name__ == "__main__":
    sys.exit(main())
