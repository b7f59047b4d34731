"""What a process knows of sessions that are over: told once to who watches, and forgotten when nobody can need it."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.reference import ended as module
from workbench.reference.ended import End, Ended
from workbench.reference.settings import Settings
from workbench.reference.tokens import LEEWAY_S, LIFE_S


@pytest.fixture
def ended():
    return Ended(Settings())


def test_who_watches_a_session_is_told_once_and_of_no_other(ended):
    told = []
    ended.watch("mine", lambda: told.append("one"))
    ended.watch("mine", lambda: told.append("two"))
    ended.watch("other", lambda: told.append("other"))
    assert "mine" not in ended and not told
    for _ in range(2):
        ended.add([End("mine", 1.0), End("mine", 2.0)])
    assert told == ["one", "two"]
    assert "mine" in ended and "other" not in ended
    assert list(ended) == [End("mine", 1.0)]


def test_who_stopped_is_not_told_and_may_stop_again(ended):
    told = []
    stop = [ended.watch("mine", lambda n=n: told.append(n)) for n in range(3)]
    stop[1]()
    stop[1]()
    ended.add([End("mine", 1.0)])
    assert told == [0, 2]
    for each in stop:
        each()


def test_a_session_that_is_over_already_is_told_soon_unless_stopped(ended):
    async def play():
        told = []
        ended.add([End("mine", 1.0)])
        ended.watch("mine", lambda: told.append("soon"))
        ended.watch("mine", lambda: told.append("stopped"))()
        assert not told
        await asyncio.sleep(0)
        assert told == ["soon"]

    asyncio.run(play())


def test_an_error_of_who_watches_hinders_nobody(ended, caplog):
    told = []

    def stumble():
        raise RuntimeError("over my own feet")

    for callback in (lambda: told.append(1), stumble, lambda: told.append(2)):
        ended.watch("mine", callback)
    ended.add([End("mine", 1.0), End("other", 1.0)])
    assert told == [1, 2] and "other" in ended
    assert "over my own feet" in caplog.text


def test_who_is_told_may_end_another_or_watch_again(ended):
    async def play():
        told = []
        ended.watch("other", lambda: told.append("other"))

        def again():
            ended.add([End("other", 2.0)])
            ended.watch("mine", lambda: told.append("again"))

        ended.watch("mine", again)
        ended.add([End("mine", 1.0)])
        await asyncio.sleep(0)
        assert told == ["other", "again"]

    asyncio.run(play())


def test_it_is_remembered_longer_than_any_token_of_it_can_be_good():
    # Issued by a clock that is fast by the leeway, verified by one that is slow by as much as it allows.
    assert module.KEEP_S >= LIFE_S + 2 * LEEWAY_S


def test_it_does_not_grow_for_ever(ended, monkeypatch):
    monkeypatch.setattr(module, "KEEP_S", 0.05)
    for batch in range(5):
        ended.add([End(f"{batch} {n}", 0.0) for n in range(1000)])
        assert f"{batch} 999" in ended
        time.sleep(0.06)
    assert len(ended) == 1000
    ended.add([])
    assert len(ended) == 0


@given(st.lists(st.tuples(st.sampled_from(["watch", "stop", "add"]), st.integers(0, 3)), max_size=30))
def test_every_watch_ends_by_being_told_or_by_being_stopped(steps):
    async def play():
        ended, told, open_, over = Ended(Settings()), [], {}, set()
        for n, (what, session) in enumerate(steps):
            if what == "watch":
                open_[n] = (session, ended.watch(str(session), lambda n=n: told.append(n)))
            elif what == "add":
                ended.add([End(str(session), 0.0)])
                over.add(session)
            for watch in [watch for watch in open_ if what == "stop" and watch % 4 == session]:
                open_.pop(watch)[1]()
            await asyncio.sleep(0)
            assert {n for n, (watched, _) in open_.items() if watched in over} <= set(told)
        assert len(told) == len(set(told))
        assert {n for n in told if n in open_} == {n for n, (watched, _) in open_.items() if watched in over}
        for _, stop in open_.values():
            stop()
        assert not ended._watched

    asyncio.run(play())


def test_the_defect_knows_nothing(ended):
    told = []
    careless = Ended(Settings(defects=frozenset({"logout_forgets_sockets"})))
    careless.watch("mine", lambda: told.append("mine"))
    careless.add([End("mine", 1.0)])
    assert "mine" not in careless and not told
