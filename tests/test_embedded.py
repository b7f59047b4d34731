"""One service as a local process: every verb, at the same address with the same data, and every failure to start."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from workbench.errors import NotReady, ServiceError, ServiceExited, UsageError
from workbench.runtimes import ports
from workbench.runtimes.children import keeper
from workbench.runtimes.embedded import Process
from workbench.runtimes.folders import new_folder
from workbench.services import Command
from workbench.services._wire import Wire
from workbench.services.redis import Redis


@dataclass(frozen=True)
class Script:
    """A service that is whatever a line of Python does."""

    code: str
    name: ClassVar[str] = "script"
    uses: ClassVar[tuple[str, ...]] = ()

    def prepare(self, place):
        pass

    def command(self, place):
        return Command((sys.executable, "-I", "-S", "-u", "-c", self.code, str(place.port)))

    def probe(self, place, *, timeout_s):
        with Wire(place.host, place.port, timeout_s=timeout_s) as wire:
            return wire.line().decode()

    def ask(self, place, *, host, port, size=0, timeout_s=1.0):
        return 0.0

    def url(self, place, *, host, port):
        return f"script://{host}:{port}"


@pytest.fixture
def running(tmp_path):
    """Makes services that are not started yet; ends them all."""
    folder, made = new_folder(keeper().keep), []

    def make(service=None, **options):
        name = f"service{len(made)}"
        made.append(Process(service or Redis(), name=name, folder=folder, log=tmp_path / f"{name}.log", **options))
        return made[-1]

    yield make
    for one in made:
        one.abandon()
        one.remove()
    shutil.rmtree(folder)


def call(running, *words):
    """One command to Redis; its answer as lines."""
    password = running.place.secrets["password"]
    lines = "".join(f"*{len(c)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in c) for c in (("AUTH", password), words))
    with Wire(running.host, running.port, timeout_s=5) as wire:
        wire.send(lines.encode() + b"*1\r\n$4\r\nQUIT\r\n")
        return wire.rest().decode().split("\r\n")[1:-2]


def test_start_stop_start_keeps_address_data_and_log(running):
    redis = running(Redis(appendfsync="always")).start()
    address = (redis.host, redis.port)
    assert call(redis, "SET", "key", "value") == ["+OK"]
    for end in (redis.stop, redis.kill):
        end()
        assert not redis.alive
        assert redis.pid is None
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, 1)
        assert redis.start() is redis
        assert (redis.host, redis.port) == address
        assert call(redis, "GET", "key") == ["$5", "value"]
    redis.restart()
    assert call(redis, "GET", "key") == ["$5", "value"]
    assert redis.log_path.read_text().count("Ready to accept connections") == 4
    assert len(redis.logs(3).splitlines()) == 3
    assert redis.logs(10_000) == redis.log_path.read_text().rstrip("\n")


def test_its_words_say_how_it_is(running):
    redis = running()
    assert repr(redis).endswith(", not running")
    redis.start()
    assert f" (embedded) on 127.0.0.1:{redis.port}, ready in {redis.ready_ms:.0f} ms" in repr(redis)
    redis.pause()
    assert repr(redis).endswith(", paused")
    redis.kill()
    assert repr(redis).endswith(", not running")


def test_starting_twice_is_starting_once(running):
    redis = running().start()
    pid = redis.pid
    assert redis.start().pid == pid


def test_paused_it_is_silent_and_resumed_it_answers(running):
    redis = running().start()
    redis.pause()
    assert redis.paused
    assert redis.alive
    with pytest.raises(TimeoutError):
        redis.ask(timeout_s=0.2)
    redis.resume()
    redis.resume()
    assert not redis.paused
    assert redis.ask() < 1
    redis.pause()
    redis.stop()  # a paused service can be asked to end all the same
    assert not redis.alive
    with pytest.raises(ServiceError, match="not running"):
        redis.pause()


def test_stop_kills_what_does_not_listen(running):
    deaf = running(Script(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {ANSWER}")).start()
    began = time.monotonic()
    deaf.stop(grace_s=0.1)
    assert not deaf.alive
    assert time.monotonic() - began < 3


ANSWER = (
    "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
    "while True: c = s.accept()[0]; c.sendall(b'script 1.0\\r\\n'); c.close()"
)


def test_resources_are_those_of_the_whole_tree(running):
    redis = running().start()
    alone = redis.resources()
    assert alone.rss_bytes > 1e6
    assert alone.descriptors > 3
    assert 0 <= alone.cpu_s < 60
    assert "resident" in repr(alone)
    tree = running(Script(f"import subprocess; subprocess.Popen(['sleep', '300'])\n{ANSWER}")).start().resources()
    alone = running(Script(ANSWER)).start().resources()
    assert tree.rss_bytes > alone.rss_bytes
    redis.kill()
    with pytest.raises(ServiceError, match="not running"):
        redis.resources()


# --- deaths


def test_a_death_is_told_when_nobody_asked_for_it(running):
    deaths, told = [], threading.Event()
    redis = running(on_death=lambda death: (deaths.append(death), told.set()))
    redis.start()
    redis.kill()
    redis.start()
    redis.stop()
    redis.start()
    assert not deaths
    before = time.monotonic_ns()
    os.kill(redis.pid, signal.SIGKILL)
    assert told.wait(5)
    (death,) = deaths
    assert death.returncode == -signal.SIGKILL
    assert before < death.at_ns < time.monotonic_ns()
    assert "Ready to accept connections" in death.log
    assert "was killed by SIGKILL unasked" in str(death)
    assert redis.start().alive


# --- failing to start


def test_an_exit_before_it_is_ready_quotes_the_log_at_once(running):
    service = running(Script("print('the moon is full'); raise SystemExit(3)"))
    began = time.monotonic()
    with pytest.raises(ServiceExited, match=r"exited with code 3 before it was ready(.|\n)*the moon is full"):
        service.start()
    assert time.monotonic() - began < 1.0


def test_a_probe_that_hangs_does_not_hide_the_exit(running):
    listen = "import os, socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1])))"
    service = running(Script(f"{listen}\ntime.sleep(0.3)\nos.fork() and os._exit(4)\ntime.sleep(9)"))
    began = time.monotonic()
    with pytest.raises(ServiceExited, match="exited with code 4"):
        service.start()
    assert time.monotonic() - began < 1.5


def test_a_bad_option_of_the_program_is_quoted(running):
    with pytest.raises(ServiceExited, match="maxmemory"):
        running(Redis(maxmemory=f"{10**30}gb")).start()


def test_not_ready_in_time_quotes_the_last_probe_and_the_log(running):
    service = running(Script("print('still thinking'); import time; time.sleep(300)"), limit_s=0.5)
    with pytest.raises(NotReady, match=r"within 0.5 s. The last probe: ConnectionRefused(.|\n)*still thinking"):
        service.start()
    assert not service.alive


def test_a_program_that_is_not_there(running):
    @dataclass(frozen=True)
    class Missing(Script):
        def command(self, place):
            return Command(("/no/such/program",))

    with pytest.raises(ServiceError, match="No such file or directory"):
        running(Missing("")).start()


def test_a_folder_that_cannot_be_filled_says_where_and_how_much_is_free(running):
    @dataclass(frozen=True)
    class Full(Script):
        def prepare(self, place):
            Path("/dev/full").write_text("x")

    with pytest.raises(ServiceError, match=r"prepared in .* MiB are free: .*No space left.*TMPDIR"):
        running(Full("")).start()


# --- ports


def test_an_asked_port_is_used_and_a_taken_one_is_refused(running):
    free = ports.reserve()
    number = free.number
    free.release()
    assert running(port=number).start().port == number
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ServiceError, match=rf"Port {taken.getsockname()[1]} .* taken.*another port"):
            running(port=taken.getsockname()[1])
    for wrong in ({"port": 70_000}, {"port": "6379"}, {"limit_s": 0}):
        with pytest.raises(UsageError, match=r"not (70000|'6379'|0)"):
            running(**wrong)


def test_a_reserved_port_is_nobody_elses_while_its_service_is_down(running):
    redis = running().start()
    redis.kill()
    with pytest.raises(ServiceError, match="taken"):
        ports.reserve(redis.port)
    assert ports.is_free(redis.port)
    redis.start()


def test_chosen_ports_are_outside_the_range_the_kernel_hands_out():
    lowest, highest = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            port = ports.reserve()
            stack.callback(port.release)
            assert not lowest <= port.number <= highest


def test_a_port_that_is_held_to_the_end_is_given_back_without_a_word():
    code = "from workbench.runtimes import ports; held = ports.reserve()"
    ended = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr == ""


@dataclass(frozen=True)
class Snatched(Redis):
    """A Redis whose port is taken by a stranger between its choice and its start."""

    strangers: tuple[list[socket.socket], ...] = ([],)

    def prepare(self, place):
        super().prepare(place)
        self.strangers[0].append(socket.create_server((place.host, place.port)))


def test_a_snatched_port_is_replaced_when_we_chose_it_and_named_when_we_did_not(running):
    strangers = []
    chosen = running(Snatched(strangers=(strangers,)))
    first = chosen.port
    assert chosen.start().port != first
    assert chosen.ask() < 1
    free = ports.reserve()
    free.release()
    asked = running(Snatched(strangers=(strangers,)), port=free.number)
    with pytest.raises(ServiceExited, match=r"(?i)address already in use"):
        asked.start()
    for stranger in strangers:
        stranger.close()
