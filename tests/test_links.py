"""The client of the relay, and the relay as a process."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading

import pytest
from relay_process import connected, linked, read, running

from workbench.errors import LinkError, UsageError
from workbench.links import Links, command


@pytest.fixture(scope="module")
def links():
    with running() as links:
        yield links


def test_a_link_says_what_it_is(links):
    with linked(links, target="redis") as (link, _):
        assert (link.name, link.source, link.target, link.host) == ("client>redis", "client", "redis", "127.0.0.1")
        assert repr(link) == f"link client → redis on 127.0.0.1:{link.port}"
        assert list(links) == [link] and len(links) == 1
        assert repr(links) == repr(link)
    assert list(links) == []
    assert "no links yet" in repr(links)


def test_a_link_carries(links):
    with linked(links) as (link, upstream), connected(link, upstream) as (client, server):
        client.sendall(b"ping")
        assert read(server, 4) == b"ping"
        server.sendall(b"pong")
        assert read(client, 4) == b"pong"


def test_prefixes_keep_two_users_apart(links):
    other = Links(links.api, prefix="other-")
    mine, theirs = (one.add("client", "redis", upstream="127.0.0.1:1") for one in (links, other))
    try:
        assert (mine.name, theirs.name) == ("client>redis", "other-client>redis")
        mine.add("noop")
        theirs.disable()
        links.reset()
        assert mine.toxics() == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((theirs.host, theirs.port))
    finally:
        links.remove(mine)
        other.remove(theirs)


def test_toxics_are_added_listed_and_removed(links):
    with linked(links) as (link, _):
        assert link.add("latency", latency=5) == "latency_downstream"
        assert link.add("bandwidth", name="slow", stream="upstream", toxicity=0.5, rate=10) == "slow"
        assert link.toxics()[0] == {
            "name": "slow", "type": "bandwidth", "stream": "upstream", "toxicity": 0.5, "attributes": {"rate": 10},
        }  # fmt: skip
        link.remove("slow")
        link.remove("latency_downstream")
        assert link.toxics() == []


def test_what_cannot_be_meant_is_refused_before_it_is_sent(links):
    with linked(links) as (link, _):
        for mistaken in (
            lambda: link.add("latency", stream="sideways"),
            lambda: link.add("latency", toxicity=2),
            lambda: link.add("latency", latency=0.5),
            lambda: link.add("latency", latency=True),
            lambda: Links("8474"),
            lambda: Links("localhost"),
        ):
            with pytest.raises(UsageError):
                mistaken()


def test_a_refusal_says_what_where_and_why(links):
    with linked(links) as (link, _):
        with pytest.raises(LinkError) as error:
            link.add("lateness", lateness=3)
        for part in (links.api, "POST /proxies/client>service/toxics", "lateness", "invalid toxic type", "400"):
            assert part in str(error.value)
        with pytest.raises(LinkError, match="toxic not found"):
            link.remove("latency_downstream")
        with pytest.raises(LinkError, match="proxy already exists"):
            links.add("client", "service", upstream="127.0.0.1:1")


def test_a_relay_that_is_not_there_is_said_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(LinkError, match=f"{address} did not answer GET /version"):
            Links(address, timeout_s=0.1).version()
    with pytest.raises(LinkError, match="Connection refused"):
        Links(address).version()


def test_something_else_that_listens_there_is_no_relay():
    with socket.create_server(("127.0.0.1", 0)) as other:

        def hang_up():
            accepted, _ = other.accept()
            accepted.sendall(b"220 mail.example ESMTP\r\n")
            accepted.close()

        threading.Thread(target=hang_up).start()
        with pytest.raises(LinkError, match="did not answer"):
            Links(f"127.0.0.1:{other.getsockname()[1]}").version()


def test_threads_share_one_client(links):
    failures = []

    def work(number):
        try:
            link = links.add(f"client{number}", "redis", upstream="127.0.0.1:1")
            for _ in range(10):
                link.remove(link.add("latency", latency=number))
            links.remove(link)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(links) == 0


def test_the_command_is_the_relay_unless_there_is_a_toxiproxy(monkeypatch, tmp_path):
    monkeypatch.delenv("WORKBENCH_TOXIPROXY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    argv, _ = command(8475)
    assert argv == [sys.executable, "-m", "workbench.links.relay", "--host", "127.0.0.1", "--port", "8475"]

    real = tmp_path / "toxiproxy-server"
    real.write_text("#!/bin/sh\n")
    real.chmod(real.stat().st_mode | stat.S_IXUSR)
    assert command(8475) == ([str(real), "-host", "127.0.0.1", "-port", "8475"], {"LOG_LEVEL": "error"})

    named = tmp_path / "named"
    real.rename(named)
    monkeypatch.setenv("WORKBENCH_TOXIPROXY", str(named))
    assert command(1)[0][0] == str(named)
    monkeypatch.setenv("WORKBENCH_TOXIPROXY", "/nowhere/toxiproxy")
    with pytest.raises(LinkError, match="WORKBENCH_TOXIPROXY names /nowhere/toxiproxy"):
        command(1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_starts_elsewhere_and_ends_cleanly(number, monkeypatch, tmp_path):
    monkeypatch.delenv("WORKBENCH_TOXIPROXY", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    argv, environment = command(0)
    relay = subprocess.Popen(
        argv, env=os.environ | environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert relay.stdout
    links = Links(f"127.0.0.1:{relay.stdout.readline().split()[1]}")
    with linked(links) as (link, upstream), connected(link, upstream):
        link.add("latency", latency=60_000)
        relay.send_signal(number)
        assert relay.communicate(timeout=10) == ("", "")
        assert relay.returncode == 0
        links.remove = lambda link: None  # it is gone already


def test_a_port_that_is_taken_is_said_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        argv = [sys.executable, "-m", "workbench.links.relay", "--port", port]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=10)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1 and f"cannot listen on 127.0.0.1:{port}" in ended.stderr


def test_the_relay_imports_nothing_heavy():
    code = (
        "import sys, workbench.links.relay;"
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('numpy', 'pandas', 'msgspec', 'redis', 'pymongo', 'aiohttp', 'rich', 'psutil') or m == 'http.client'])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
