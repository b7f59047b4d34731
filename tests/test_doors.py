"""Doors: one address that several links share, each for whoever comes from its own host."""

import contextlib
import json
import socket
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from relay_process import (
    PATIENCE_S,
    PIECES,
    WITHOUT_DOORS,
    Upstream,
    ask,
    exchange,
    read,
    refused,
    running,
    silent,
)
from waiting import eventually

from workbench.errors import LinkError, UsageError
from workbench.links import Links

OWN, OTHER, STRANGE = "127.0.0.12", "127.0.0.13", "127.0.0.1"


@pytest.fixture(scope="module")
def links():
    with running() as links:
        yield links


@contextlib.contextmanager
def a_door(links, *, last=True):
    """A door with a link of OWN and, with ``last``, one of everybody else; the links and what is behind each."""
    own, other = Upstream(), Upstream()
    made = [links.add("own", "service", upstream=own.address, door="127.0.0.1:0", of=OWN)]
    try:
        if last:
            made.append(links.add("client", "service", upstream=other.address, door=made[0].door))
        yield made, own, other
    finally:
        for link in made:
            links.remove(link)
        own.close()
        other.close()


def enter(door, *, host):
    """Come to a door from a host."""
    place, _, port = door.rpartition(":")
    return socket.create_connection((place, int(port)), timeout=PATIENCE_S, source_address=(host, 0))


def torn_down(door, *, host):
    """Who comes from this host is sent away by RST."""
    try:
        with enter(door, host=host) as visitor:
            visitor.recv(1)
    except ConnectionResetError:
        return True
    return False


def listens(address):
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_who_comes_in_is_carried_by_the_link_of_his_host(links):
    with a_door(links) as ((own, client), behind_own, behind_other):
        assert own.door == client.door != f"{own.host}:{own.port}"
        for host, behind in ((OWN, behind_own), (OTHER, behind_other), (STRANGE, behind_other)):
            with enter(own.door, host=host) as visitor, behind.accept() as server:
                visitor.sendall(b"here")
                assert read(server, 4) == b"here"
        for link, behind in ((own, behind_own), (client, behind_other)):  # each has an address of its own too
            with socket.create_connection((link.host, link.port), PATIENCE_S), behind.accept():
                pass


def test_what_is_on_one_link_is_not_on_another_of_the_same_door(links):
    with (
        a_door(links) as ((own, client), behind_own, behind_other),
        enter(own.door, host=OWN) as cut,
        behind_own.accept() as cut_server,
        enter(own.door, host=OTHER) as whole,
        behind_other.accept() as server,
    ):
        own.add("timeout", stream="upstream", timeout=0)
        cut.sendall(b"lost")
        whole.sendall(b"kept")
        assert read(server, 4) == b"kept"
        assert silent(cut_server, 0.1)
        cut_server.sendall(b"back")
        assert read(cut, 4) == b"back"
        client.disable()
        assert read(whole, 1) == b""
        assert torn_down(own.door, host=OTHER)  # the door is there for the others, so it cannot refuse
        client.enable()
        with enter(own.door, host=OTHER) as again, behind_other.accept() as server:
            again.sendall(b"back")
            assert read(server, 4) == b"back"


def test_nobody_is_let_in_before_there_is_a_link_for_everybody_else(links):
    with a_door(links, last=False) as (made, behind_own, behind_other):
        with enter(made[0].door, host=OWN) as early, enter(made[0].door, host=OTHER) as stranger:
            early.sendall(b"early")
            stranger.sendall(b"stray")
            behind_own.listener.settimeout(0.1)
            with pytest.raises(TimeoutError):
                behind_own.accept()
            behind_own.listener.settimeout(PATIENCE_S)
            made.append(links.add("client", "service", upstream=behind_other.address, door=made[0].door))
            with behind_own.accept() as server, behind_other.accept() as other:
                assert read(server, 5) == b"early"
                assert read(other, 5) == b"stray"


def test_the_last_link_closes_the_door(links):
    with a_door(links) as (made, behind_own, _):
        door = made[0].door
        links.remove(made.pop())
        assert torn_down(door, host=OTHER)
        with enter(door, host=OWN), behind_own.accept():
            assert listens(door)
    assert not listens(door)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(up=PIECES, down=PIECES)
def test_bytes_through_a_door_are_bytes_out(links, up, down):
    with (
        a_door(links) as (made, behind_own, _),
        enter(made[0].door, host=OWN) as client,
        behind_own.accept() as server,
    ):
        assert exchange(client, server, up, down) == (b"".join(up), b"".join(down))


def test_the_api_shows_doors_and_only_where_there_are(links):
    with a_door(links) as ((own, client), _, _):
        shown = json.loads(ask(links, "GET", "/proxies")[1])
        assert {name: (one["door"], one["of"]) for name, one in shown.items()} == {
            own.name: (own.door, OWN),
            client.name: (own.door, ""),
        }
        plain = links.add("other", "service", upstream="127.0.0.1:1")
        assert json.loads(ask(links, "GET", f"/proxies/{plain.name}")[1]).keys().isdisjoint(("door", "of"))
        assert plain.door == ""
        links.remove(plain)


def test_populate_makes_doors_and_moves_proxies_to_others(links):
    proxy = {"name": "p", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"}
    try:
        status, body, _ = ask(links, "POST", "/populate", [proxy | {"door": "127.0.0.1:0", "of": OWN}])
        (made,) = json.loads(body)["proxies"]
        assert status == 201
        again = made | {"enabled": True}
        assert json.loads(ask(links, "POST", "/populate", [again])[1])["proxies"] == [made]
        (moved,) = json.loads(ask(links, "POST", "/populate", [again | {"of": OTHER}])[1])["proxies"]
        assert moved == made | {"of": OTHER}
    finally:
        ask(links, "DELETE", "/proxies/p")
    assert eventually(lambda: not listens(made["door"]))


def test_what_makes_no_sense_is_refused_and_nothing_stays(links):
    proxy = {"name": "q", "upstream": "127.0.0.1:1"}
    with pytest.raises(UsageError, match=r"of='127.0.0.12' says whose .* name the door too"):
        links.add("own", "service", upstream="127.0.0.1:1", of=OWN)
    refused(ask(links, "POST", "/proxies", proxy | {"of": OWN}), 400, "missing required field: door")
    refused(ask(links, "POST", "/proxies", proxy | {"door": 7}), 400, "bad request body: door must be a string")
    refused(ask(links, "POST", "/proxies", proxy | {"door": "nowhere"}), 500, "listen tcp: address nowhere: missing")
    with a_door(links) as ((own, _), _, _):
        with pytest.raises(LinkError, match=rf"door {own.door} has a link of {OWN} already \(status 409\)"):
            links.add("third", "service", upstream="127.0.0.1:1", door=own.door, of=OWN)
        with pytest.raises(LinkError, match=rf"door {own.door} has a link of everybody else already"):
            links.add("third", "service", upstream="127.0.0.1:1", door=own.door)
        taken = f"{own.host}:{own.port}"
        refused(ask(links, "POST", "/proxies", proxy | {"door": taken}), 500, f"listen tcp {taken}: bind: address")
        there = proxy | {"listen": taken, "door": "127.0.0.1:0", "of": OTHER}
        refused(ask(links, "POST", "/proxies", there), 500, f"listen tcp {taken}: bind: address")
    assert json.loads(ask(links, "GET", "/proxies")[1]) == {}


def test_a_relay_that_knows_no_doors_is_told_apart(tmp_path):
    (tmp_path / "original.py").write_text(WITHOUT_DOORS)
    argv = [sys.executable, tmp_path / "original.py", "-host", "127.0.0.1", "-port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        links = Links(f"127.0.0.1:{process.stdout.readline().split()[1]}")
        with pytest.raises(LinkError, match=r"version 2\.\S+ knows no doors.*Unset WORKBENCH_TOXIPROXY"):
            links.add("own", "service", upstream="127.0.0.1:1", door="127.0.0.1:0", of=OWN)
        assert len(links) == 0
        assert json.loads(ask(links, "GET", "/proxies")[1]) == {}
        assert links.add("own", "service", upstream="127.0.0.1:1").door == ""
        process.terminate()


def test_a_round_trip_through_a_door_is_quick(links):
    """Only to notice a sleep or a poll; what a door costs is measured by the bench."""
    with a_door(links) as (made, behind_own, _), enter(made[0].door, host=OWN) as client, behind_own.accept() as server:
        began = time.monotonic()
        for _ in range(100):
            client.sendall(b"x")
            read(server, 1)
        assert time.monotonic() - began < 5
