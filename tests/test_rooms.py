"""Rooms of the reference system: every member gets every message once and in order, whatever happens to Redis."""

import contextlib
import itertools
import json
import threading
import time

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from reference_process import app, eventually
from rooms_process import Member, in_room, post
from test_sockets import masked, opened
from websockets.exceptions import ConnectionClosed

from workbench.faults import Partition
from workbench.reference.problems import Problem
from workbench.reference.rooms import frames, resp
from workbench.reference.rooms.messages import LARGEST_BODY, read_id, write_id
from workbench.reference.rooms.stream import KEPT
from workbench.reference.rooms.visitor import MOST_ROOMS, MOST_WISHES
from workbench.stack import Stack

RELAYS = ("pubsub", "stream")
DEADLINE_S = 0.5
SETTINGS = {"DEADLINE_S": str(DEADLINE_S), "HEARTBEAT_S": "0.2", "PING_S": "30"}


@pytest.fixture(scope="module")
def stack():
    with Stack("redis", clients=("client", "other")) as stack:
        yield stack


@pytest.fixture(scope="module")
def both(stack, tmp_path_factory):
    """Two processes of the system, each with a link of its own to Redis, and one user of both."""
    folder = tmp_path_factory.mktemp("apps")
    with contextlib.ExitStack() as exits:
        apps = []
        for source in ("client", "other"):
            urls = {"REDIS_URL": stack.url("redis", source=source), "KEY_FILE": str(folder / "key.pem")}
            apps.append(exits.enter_context(app(folder / f"{source}.log", **urls, **SETTINGS)))
            eventually(lambda: apps[-1].http.get("/ready").status_code == 200)
        apps[1].token = apps[0].token
        yield apps
        for one in apps:
            assert [line for line in one.lines() if line["level"] == "error"] == []


@pytest.fixture
def one(both):
    eventually(lambda: all(process.http.get("/ready").status_code == 200 for process in both))
    return both[0]


@pytest.fixture
def other(one, both):
    return both[1]


@pytest.fixture
def room(request):
    """A room that no other test uses."""
    return f"room.{abs(hash(request.node.nodeid)):x}"


# --- all is well


@pytest.mark.parametrize("relay", RELAYS)
def test_every_member_on_every_process_gets_every_message_once_in_one_order(one, other, room, relay):
    with in_room(one, room, relay) as a, in_room(one, room, relay) as b, in_room(other, room, relay) as c:
        sent = []
        for n in range(20):
            sent.append(a.send(room, {"a": n}))
            sent.append(c.send(room, {"c": n}))
            answer = post((one, other)[n % 2], room, {"post": n}, relay)
            assert answer.status_code == 201
            sent.append(answer.json()["id"])
        got = [[member.message() for _ in range(60)] for member in (a, b, c)]
        assert got[0] == got[1] == got[2]
        assert [message["body"] for message in got[0]] == [{who: n} for n in range(20) for who in ("a", "c", "post")]
        assert [message["id"] for message in got[0]] == sent
        assert {(message["room"], message["type"]) for message in got[0]} == {(room, "message")}
        assert len({message["from"] for message in got[0]}) == 1
        assert all(member.silent(0.1) for member in (a, b, c))


def test_ids_rise_over_stream_and_are_none_over_pubsub(one, room):
    with in_room(one, room, "stream") as member:
        ids = [read_id(member.send(room, n)) for n in range(5)]
        assert ids == sorted(set(ids))
    with in_room(one, room, "pubsub") as member:
        assert member.send(room, 1) is None


@pytest.mark.parametrize("relay", RELAYS)
def test_who_has_left_gets_nothing_and_may_come_again(one, other, room, relay):
    with in_room(one, room, relay) as stays, in_room(other, room, relay) as leaves:
        assert leaves.ask(type="leave", room=room)["type"] == "left"
        stays.send(room, 1)
        assert stays.message()["body"] == 1 and leaves.silent(0.2)
        leaves.join(room, relay)
        stays.send(room, 2)
        assert leaves.message()["body"] == 2
    with in_room(one, room, relay) as later:  # nobody is there any more, on any process
        later.send(room, 3)
        assert later.bodies(1) == [3]


@pytest.mark.parametrize("relay", RELAYS)
def test_membership_is_the_socket_s_and_joining_twice_changes_nothing(one, room, relay):
    with in_room(one, room, relay) as member, Member.of(one) as guest:
        assert member.join(room, relay, ref="again") == {**member.join(room, relay), "ref": "again"}
        member.send(room, 1)
        assert member.bodies(1) == [1] and member.silent(0.1) and guest.silent(0.1)
        assert guest.ask(type="leave", room=room)["code"] == "not-joined"
        assert guest.ask(type="send", room=room, body=1)["code"] == "not-joined"
        wrong = {"pubsub": "stream", "stream": "pubsub"}[relay]
        assert member.ask(type="join", room=room, relay=wrong)["code"] == "other-relay"


def test_rooms_are_apart_and_so_are_the_relays_of_one_name(one, other, room):
    with (
        in_room(one, room, "pubsub") as a,
        in_room(one, room, "stream") as b,
        in_room(other, f"{room}.", "stream") as c,
    ):
        a.send(room, "a"), b.send(room, "b"), c.send(f"{room}.", "c")
        assert [member.bodies(1) for member in (a, b, c)] == [["a"], ["b"], ["c"]]
        assert all(member.silent(0.1) for member in (a, b, c))


def test_what_is_asked_in_one_go_is_done_in_that_order(one, room):
    with Member.of(one) as member:
        member.say(type="join", room=room, relay="stream", ref=0)
        for n in range(100):
            member.say(type="send", room=room, body=n, ref=n + 1)
        member.say(type="leave", room=room, ref=101)
        member.say(type="echo", n=1)
        answers = [member.answer() for _ in range(103)]
        rooms = [answer for answer in answers if answer["type"] != "echo"]
        assert (rooms[0]["type"], rooms[0]["ref"]) == ("joined", 0)
        assert [answer["ref"] for answer in rooms if answer["type"] == "sent"] == list(range(1, 101))
        assert [answer["ref"] for answer in rooms if answer["type"] == "left"] == [101]


def test_any_json_goes_through_as_it_is(one, room):
    bodies = [None, True, 1.5, -(2**70), 'é\u2028\ud800"\\', [[]], {"type": "leave", "": {"x": [None]}}]
    for relay in RELAYS:
        with in_room(one, room, relay) as member:
            for body in bodies:
                member.send(room, body)
            assert member.bodies(len(bodies)) == bodies


# --- what is refused


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"type": "join"}, "room"), ({"type": "join", "room": 7}, "room"), ({"type": "join", "room": ""}, "room"),
        ({"type": "join", "room": "a b"}, "room"), ({"type": "join", "room": "r\n"}, "room"),
        ({"type": "join", "room": "r" * 129}, "room"), ({"type": "leave", "room": "*"}, "room"),
        ({"type": "join", "room": "r", "relay": "group"}, "relay"),
        ({"type": "join", "room": "r", "relay": []}, "relay"),
        ({"type": "join", "room": "r", "after": "0-0"}, "after"),
        *(({"type": "join", "room": "r", "relay": "stream", "after": after}, "after")
          for after in ("$", "0", "1-", "-1-0", "1-1 ", 7, [], "٣-٠", f"{2**64}-0", "1" * 21 + "-0")),
        ({"type": "send", "room": "r"}, "body"), ({"type": "send", "room": "r", "body": 1, "to": "x"}, "to"),
        ({"type": "leave", "room": "r", "ref": []}, "ref"), ({"type": "leave", "room": "r", "ref": "x" * 65}, "ref"),
        ({"type": "leave", "room": "r", "ref": True}, "ref"),
    ],
)  # fmt: skip
def test_a_wish_that_makes_no_sense_is_refused_by_the_field(one, frame, said):
    with Member.of(one) as member:
        answer = member.ask(**frame)
        assert (answer["type"], answer["code"], answer["effect"]) == ("error", "invalid", "none")
        assert f'"{said}"' in answer["detail"]
        assert member.ask(type="echo", n=1)["n"] == 1


TEXTS = st.text("aZ9._:- é\n", max_size=5)
ANYTHING = st.none() | st.booleans() | st.integers() | TEXTS | st.lists(st.integers(), max_size=2)


@given(st.dictionaries(st.sampled_from(["room", "relay", "after", "body", "ref", "x"]), ANYTHING | st.just("stream")))
def test_every_wish_is_understood_or_refused(members):
    for kind in ("join", "leave", "send"):
        try:
            assert frames.read({**members, "type": kind}).kind == kind
        except Problem as problem:
            assert (problem.status, problem.kind, problem.effect) == (422, "invalid", "none")


def test_a_body_has_a_limit(one, room):
    fits, over = "x" * (LARGEST_BODY - 2), "x" * (LARGEST_BODY - 1)
    for relay in RELAYS:
        with in_room(one, room, relay) as member:
            member.send(room, fits)
            assert member.bodies(1) == [fits]
            answer = member.ask(type="send", room=room, body=over, ref=5)
            assert (answer["code"], answer["effect"], answer["ref"]) == ("too-large", "none", 5)
            answer = post(one, room, over, relay)
            assert (answer.status_code, answer.json()["effect"]) == (413, "none")
            assert member.silent(0.1)


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (422, "{}"), (422, "{"), (422, '{"body": 1, "relay": "group"}'), (422, '{"body": 1, "to": "x"}'),
        (422, '{"body": NaN}'), (201, '{"body": null}'),
    ],
)  # fmt: skip
def test_what_is_posted_is_checked(one, room, status, content):
    kind = {"Content-Type": "application/json"}
    answer = one.http.post(f"/rooms/{room}/messages", content=content, headers={**one.bearer, **kind})
    assert answer.status_code == status, answer.text


def test_only_who_is_known_posts_and_only_to_a_room(one, room):
    assert one.http.post(f"/rooms/{room}/messages", json={"body": 1}).status_code == 401
    assert post(one, f"{room} x", 1).status_code == 422


def test_a_socket_is_in_so_many_rooms_at_most(one, room):
    with Member.of(one) as member:
        for n in range(MOST_ROOMS):
            member.join(f"{room}.{n}", RELAYS[n % 2])
        assert member.ask(type="join", room=room)["code"] == "too-many-rooms"
        assert member.ask(type="leave", room=f"{room}.0")["type"] == "left"
        member.join(room)


def test_what_others_put_into_redis_is_no_message_and_hinders_none(one, room, stack):
    with redis.Redis.from_url(stack["redis"].url) as client:
        with in_room(one, room, "pubsub") as a, in_room(one, room, "stream") as b:
            spaced, wide = b'{"type": "message"}\n', '{"type": "message"}'.encode("utf-16-be")
            for garbage in (b"", b"{", b"\xff", b'{"type": "left"}', b"[" * 50_000, b"7", b"{}", spaced, wide):
                client.publish(f"room:{room}", garbage)
                client.xadd(f"room:{room}", {"m": garbage})
            client.xadd(f"room:{room}", {"x": "y", "z": "w"})
            a.send(room, 1), b.send(room, 2)
            assert (a.bodies(1), b.bodies(1)) == ([1], [2])
        with in_room(one, room, "stream", after="0-0") as late:
            assert late.bodies(1) == [2]


# --- coming back


def test_who_comes_back_gets_what_it_missed_on_any_process(one, other, room):
    with in_room(one, room, "stream") as sender:
        began = sender.join(room, "stream")["last"]
        assert began == "0-0"  # so that who never got a message can say where it was, too
        ids = [sender.send(room, n) for n in range(250)]
        for process in (one, other):
            for missed in (0, 1, 120, 250):
                after = ids[-missed - 1] if missed < 250 else began
                with in_room(process, room, "stream", after=after) as again:
                    assert again.join(room, "stream")["last"] == after
                    assert again.bodies(missed) == list(range(250 - missed, 250)) and again.silent(0.02)
        with in_room(other, room, "stream") as new:
            assert new.join(room, "stream")["last"] == ids[-1]
            assert new.silent(0.05)


def test_coming_back_amid_the_traffic_misses_and_repeats_nothing(one, other, room):
    stop, ids = threading.Event(), []

    def sending():
        with in_room(one, room, "stream") as sender:
            while not stop.is_set():
                ids.append(sender.send(room, len(ids)))

    thread = threading.Thread(target=sending)
    thread.start()
    try:
        eventually(lambda: len(ids) > 300)
        for turn in range(12):
            begin = len(ids) - (1, 20, 290)[turn % 3]
            with in_room((one, other)[turn % 2], room, "stream", after=ids[begin - 1]) as again:
                assert again.bodies(400) == list(range(begin, begin + 400))
    finally:
        stop.set()
        thread.join(10)


def test_an_id_that_redis_has_lost_goes_on_from_now(one, room):
    with in_room(one, room, "stream") as sender:
        newest = sender.send(room, 1)
        with in_room(one, room, "stream", after="99999999999999-0") as again:
            assert again.join(room, "stream")["last"] == newest
            sender.send(room, 2)
            assert again.bodies(1) == [2] and again.silent(0.05)


def test_what_is_not_kept_any_more_is_a_gap_and_is_called_so(one, room, stack):
    with redis.Redis.from_url(stack["redis"].url) as client, client.pipeline(transaction=False) as pipeline:
        message = json.dumps({"type": "message", "room": room, "from": "x", "body": 1})
        for _ in range(KEPT + 500):
            pipeline.xadd(f"room:{room}", {"m": message}, maxlen=KEPT, approximate=False)
        ids = [identity.decode() for identity in pipeline.execute()]
    with Member.of(one) as again:
        answer = again.ask(type="join", room=room, relay="stream", after=ids[0])
        assert (answer["code"], answer["effect"]) == ("gap", "none")
        assert again.ask(type="leave", room=room)["code"] == "not-joined"
        assert again.join(room, "stream", after=ids[500])["last"] == ids[500]
        assert len(again.bodies(KEPT - 1, within_s=10)) == KEPT - 1


# --- who does not read


@pytest.mark.parametrize("relay", RELAYS)
def test_a_member_that_does_not_read_is_let_go_and_others_notice_nothing(one, room, relay):
    with opened(one) as stalled, in_room(one, room, relay) as sender, in_room(one, room, relay) as reader:
        stalled.sendall(masked({"type": "join", "room": room, "relay": relay}))
        assert b"joined" in stalled.recv(4096)
        sent = 0
        while one.mine() == 3:
            assert sent < 2000
            for _ in range(10):
                sender.send(room, "x" * 16_000)
            sent += 10
            assert reader.bodies(10) == sender.bodies(10)
        assert rest_of(stalled).endswith(b"\x88\x06" + (1013).to_bytes(2, "big") + b"slow")
        sender.send(room, 1)
        assert reader.bodies(1) == sender.bodies(1) == [1]


def rest_of(raw):
    """All that still comes, up to the end of the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while more := raw.recv(1 << 20):
            received += more
    return received


# --- Redis is not well


def settled(sender, receiver, room):
    """Send until what is sent is received: what the receiver has got by then, and how many were sent."""
    got = []
    for n in itertools.count(1):
        sender.until_sent(room, f"probe {n}")
        with contextlib.suppress(TimeoutError):
            while got[-1:] != [f"probe {n}"]:
                got.append(receiver.message(0.3)["body"])
            return got, n
    return None


@pytest.mark.parametrize("relay", RELAYS)
@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_rooms_outlive_redis_and_say_what_was_done(one, other, room, stack, relay, fault):
    service = stack["redis"]
    with in_room(one, room, relay) as a, in_room(other, room, relay) as b, Member.of(one) as guest:
        a.send(room, "begun")
        assert a.bodies(1) == b.bodies(1) == ["begun"]
        getattr(service, fault)()
        try:
            unknown = set()
            for n in range(6):
                began = time.monotonic()
                answer = (a, b)[n % 2].ask(type="send", room=room, body=n)
                assert time.monotonic() - began < DEADLINE_S + 1
                assert (answer["code"], answer["dependency"]) == ("unavailable", "redis")
                if answer["effect"] == "unknown":
                    unknown.add(n)
            assert a.ask(type="send", room=room, body="x")["effect"] == "none"  # by now it is known
            answer = post(one, room, "x", relay)
            assert (answer.status_code, answer.json()["effect"]) == (503, "none") and answer.headers["retry-after"]
            answer = guest.ask(type="join", room=room, relay=relay)
            assert (answer["code"], answer["effect"]) == ("unavailable", "none")
            assert guest.ask(type="leave", room=room)["code"] == "not-joined"
            assert guest.ask(type="echo", n=1)["n"] == 1
        finally:
            (service.start if fault == "kill" else service.resume)()
        began = time.monotonic()
        got, probes = settled(a, b, room)
        assert time.monotonic() - began < 5
        assert {body for body in got if isinstance(body, int)} <= unknown
        if relay == "stream":
            assert [body for body in got if isinstance(body, str)] == [f"probe {n}" for n in range(1, probes + 1)]

        def joined():
            answer = guest.ask(type="join", room=room, relay=relay)
            assert answer["type"] == "joined" or answer["code"] == "unavailable", answer
            return answer["type"] == "joined"

        eventually(joined)
        assert guest.ask(type="leave", room=room)["type"] == "left"


@contextlib.contextmanager
def sending(running, room):
    """Send numbers all the while; the list of what was acknowledged."""
    stop, acknowledged = threading.Event(), []

    def send():
        with in_room(running, room, "stream") as sender:
            for n in itertools.count():
                if stop.is_set():
                    return
                body = [running.port, n]
                if sender.ask(type="send", room=room, body=body)["type"] == "sent":
                    acknowledged.append(body)
                sender.messages.clear()
                time.sleep(0.005)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join(10)


def cut_off(way, source):
    return lambda stack: stack.under(Partition(source, "redis", way))


@contextlib.contextmanager
def killed(stack):
    stack["redis"].kill()
    try:
        yield
    finally:
        stack["redis"].start()


@contextlib.contextmanager
def paused(stack):
    stack["redis"].pause()
    try:
        yield
    finally:
        stack["redis"].resume()


@pytest.mark.parametrize(
    "fault",
    [killed, paused, cut_off("both", "client"), cut_off("answers", "other"), cut_off("requests", "client")],
    ids=["killed", "paused", "one cut off", "answers swallowed", "requests swallowed"],
)
def test_over_stream_nothing_is_lost_repeated_or_reordered(one, other, room, stack, fault):
    with in_room(one, room, "stream") as a, in_room(other, room, "stream") as b, in_room(other, room, "stream") as c:
        with sending(one, room) as first, sending(other, room) as second:
            eventually(lambda: len(first) > 20 and len(second) > 20)
            with fault(stack):
                time.sleep(1.6)  # longer than a silent connection is kept
            before = len(first), len(second)
            eventually(lambda: len(first) > before[0] + 20 and len(second) > before[1] + 20)
        a.until_sent(room, "end")
        got = [[*iter(lambda m=member: m.message()["body"], "end")] for member in (a, b, c)]
        assert got[0] == got[1] == got[2]
        for acknowledged in (first, second):
            of_this = [body for body in got[0] if body[0] == acknowledged[0][0]]
            assert of_this == sorted(of_this) and len({n for _, n in of_this}) == len(of_this)
            assert [body for body in of_this if body in acknowledged] == acknowledged


def test_over_pubsub_a_process_that_was_cut_off_has_lost_what_was_sent_and_nothing_else(one, other, room, stack):
    with in_room(one, room) as a, in_room(other, room) as b:
        with stack.under(Partition("other", "redis")):
            for n in range(5):
                a.send(room, n)
            assert a.bodies(5) == list(range(5)) and b.silent(1.5)
        got, _ = settled(a, b, room)
        assert all(isinstance(body, str) for body in got)
        b.send(room, "back")
        assert b.bodies(1) == ["back"]


def test_only_so_many_wishes_wait(one, room, stack):
    with in_room(one, room, "stream") as member, paused(stack):
        for n in range(MOST_WISHES + 10):
            member.say(type="send", room=room, body=n, ref=n)
        answers = [member.answer() for _ in range(MOST_WISHES + 10)]
        refused = [answer["ref"] for answer in answers if answer["code"] == "too-many-wishes"]
        assert refused == list(range(MOST_WISHES, MOST_WISHES + 10))
        others = {answer["code"] for answer in answers} - {"too-many-wishes"}
        assert others == {"unavailable"}


def test_over_stream_a_room_that_redis_has_lost_goes_on(one, room, stack):
    with in_room(one, room, "stream") as member, redis.Redis.from_url(stack["redis"].url) as client:
        last = member.send(room, 1)
        client.delete(f"room:{room}")
        member.send(room, 2)
        assert member.bodies(2) == [1, 2]
        with in_room(one, room, "stream", after=last) as again:
            member.send(room, 3)
            assert again.bodies(2) == [2, 3] and member.bodies(1) == [3]


# --- a process of the system is not well


def test_sigterm_ends_rooms_too_and_waits_for_nobody(room, stack, tmp_path):
    with app(tmp_path / "app.log", REDIS_URL=stack["redis"].url, **SETTINGS) as ending:
        with in_room(ending, room, "stream") as a, in_room(ending, room) as b, paused(stack):
            a.say(type="send", room=room, body=1)
            b.say(type="join", room=f"{room}.x")
            began = time.monotonic()
            assert ending.terminate() == 0
            assert time.monotonic() - began < 3
            for member in (a, b):
                with pytest.raises(ConnectionClosed) as closed:
                    member.message()
                assert closed.value.rcvd.code in (1001, 1012)


def test_who_was_on_a_killed_process_goes_on_at_another(one, room, stack, tmp_path):
    urls = {"REDIS_URL": stack["redis"].url}
    with app(tmp_path / "app.log", **urls, **SETTINGS) as third, in_room(one, room, "stream") as sender:
        with in_room(third, room, "stream") as member:
            sender.send(room, 1)
            last = member.message()["id"]
            third.child.kill()
            with pytest.raises(ConnectionClosed):
                member.message()
        sender.send(room, 2)
        with in_room(one, room, "stream", after=last) as again:
            sender.send(room, 3)
            assert again.bodies(2) == [2, 3]


def test_rooms_wait_for_a_redis_that_is_not_there_yet(room, tmp_path):
    with Stack("redis") as stack:
        kept = {"REDIS_URL": stack["redis"].url, "KEY_FILE": str(tmp_path / "key.pem"), **SETTINGS}
        with app(tmp_path / "before.log", **kept) as before:
            token = before.token
        stack["redis"].kill()
        with app(tmp_path / "app.log", **kept) as early:
            early.token = token
            answer = post(early, room, 1)
            assert (answer.status_code, answer.json()["effect"]) == (503, "none")
            stack["redis"].start()
            for relay in RELAYS:
                eventually(lambda relay=relay: post(early, room, 1, relay).status_code == 201)
                with in_room(early, room, relay) as member:
                    member.send(room, 2)
                    assert member.bodies(1) == [2]


def test_without_redis_there_are_no_rooms(room, tmp_path):
    with app(tmp_path / "app.log", **SETTINGS) as alone:
        answer = post(alone, room, 1)
        assert answer.status_code == 503 and "REDIS_URL" in answer.json()["detail"]


# --- the bytes


VALUES = st.recursive(
    st.none() | st.integers() | st.binary(max_size=12),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


def packed(value):
    if value is None:
        return b"_\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    return b"*%d\r\n" % len(value) + b"".join(map(packed, value))


@given(st.lists(VALUES, max_size=5), st.lists(st.integers(0, 200), max_size=6))
def test_values_are_read_however_their_bytes_are_cut(values, cuts):
    whole = b"".join(map(packed, values))
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    reader = resp.Reader()
    parts = (whole[begin:end] for begin, end in itertools.pairwise(places))
    assert [value for part in parts for value in reader.feed(part)] == values


def test_errors_pushes_and_maps_are_told_apart():
    error, push, flat = resp.Reader().feed(b"-OOM no more\r\n>2\r\n+a\r\n:1\r\n%1\r\n+k\r\n$-1\r\n")
    assert isinstance(error, resp.Refused) and error.reason == "OOM"
    assert isinstance(push, resp.Push) and push == [b"a", 1]
    assert not isinstance(flat, resp.Push) and flat == [b"k", None]


@given(st.binary(max_size=40))
def test_bytes_of_any_kind_are_read_waited_for_or_refused(data):
    with contextlib.suppress(resp.Garbled):
        resp.Reader().feed(data)


@pytest.mark.parametrize("bad", [b"HTTP/1.1 400\r\n", b"$x\r\n", b"*1\r\n?\r\n", b"*1\r\n" * 5000])
def test_what_is_not_the_protocol_is_refused(bad):
    with pytest.raises(resp.Garbled):
        resp.Reader().feed(bad)


@given(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)))
def test_an_id_is_written_as_it_is_read(identity):
    assert read_id(write_id(identity)) == identity
