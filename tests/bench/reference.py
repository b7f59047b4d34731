"""The reference system with many users, two sockets each, beside a bare echo server under the same load.

python tests/bench/reference.py [soak]

1,000 users by default; `soak` also connects 5,000 sessions. Both servers are reached directly, not through the relay,
by one driver; latency counts from when a message was due.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping

import psutil
from _direct import Load, drive, goal
from _echo import Echoes, serving
from driver import direct

from workbench import Sessions, Stack
from workbench.workloads import Workload

USERS, SOCKETS = 1_000, 2
RATE_HZ = 2_000
OPENING_S, SECONDS = 5.0, 6.0
SOAK_SESSIONS, SOAK_OPENING_S = 5_000, 12.0
KIB = 1024


def memory(pid: int) -> int:
    """Bytes of a process and of what it started."""
    process = psutil.Process(pid)
    return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])


def measured(
    name: str, workload: Workload, urls: Mapping[str, str], *, pid: int, clients: int, rate_hz: float, opening_s: float
) -> Load:
    """Put the load on a server and print what came of it."""
    before = memory(pid)
    load = drive(
        workload,
        urls,
        clients=clients,
        duration_s=opening_s + SECONDS,
        rate_hz=rate_hz,
        opening_s=opening_s,
        timeout_s=5.0,
    )
    server = memory(pid) - before  # sockets have just been closed: what they took is not given back to the system
    client = load.counts.rss_end - load.counts.rss_before
    opened, echoed = load.of("connect"), load.of("echo")
    p50, p99 = steady_ms(load)
    took = max(opened.returned) if len(opened.client) else 0.0
    print(f"{name}: {clients:,} sockets")
    print(
        f"  set up in {load.ready_s:.1f} s, connected in {took:.1f} s: {int((opened.outcome == 0).sum()):,} connected"
    )
    print(f"  {rate_hz:,.0f} round trips/s: p50 {p50:.2f} ms, p99 {p99:.2f} ms, {(echoed.outcome == 0).mean():.3%} ok")
    print(f"  memory per session: client {client / clients / KIB:.1f} KiB, server {server / clients / KIB:.1f} KiB")
    return load


def steady_ms(load: Load) -> tuple[float, float]:
    """p50 and p99 of a round trip from a second after everybody was connected."""
    return load.latency_ms("echo", from_s=max(load.of("connect").returned) + 1)


def connected(load: Load, clients: int) -> float:
    """The share of clients that have a socket after their first attempt."""
    opened = load.of("connect")
    return len({*opened.client[opened.outcome == 0].tolist()}) / clients - (opened.outcome != 0).sum() / clients


def main() -> int:
    clients = USERS * SOCKETS
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBENCH_RUN"] = folder
        with serving() as (port, pid):
            urls = {"app": f"http://127.0.0.1:{port}"}
            bare = measured(
                "bare echo server", Echoes(), urls, pid=pid, clients=clients, rate_hz=RATE_HZ, opening_s=OPENING_S
            )
        with Stack("redis", app={"password_cost": "low"}) as stack:
            urls = {"app": direct(stack, "app"), "redis": direct(stack, "redis")}
            pid = stack["app"].pid
            assert pid is not None
            sessions = Sessions(sockets=SOCKETS)
            load = measured(
                f"reference system, {USERS:,} users", sessions, urls, pid=pid, clients=clients, rate_hz=RATE_HZ,
                opening_s=OPENING_S,
            )  # fmt: skip
            missed.append(goal("share connected", connected(load, clients), least=1))
            ratio = steady_ms(load)[1] / steady_ms(bare)[1]
            print(f"  p99 is {ratio:.1f} times that of the bare echo server")
            if "soak" in sys.argv[1:]:
                load = measured(
                    f"reference system, {SOAK_SESSIONS // SOCKETS:,} users", sessions, urls, pid=pid,
                    clients=SOAK_SESSIONS, rate_hz=1_000, opening_s=SOAK_OPENING_S,
                )  # fmt: skip
                missed.append(goal("share connected", connected(load, SOAK_SESSIONS), least=0.999))
    return any(missed)


if __name__ == "__main__":
    sys.exit(main())
