"""`stable`, `frugal` and the count after closing on tiny histories, at their edges, and against a slow twin."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_histories import KILL, of, op

from workbench.checkers import counted, frugal, stable
from workbench.checkers.intervals import clopper_pearson
from workbench.errors import UsageError
from workbench.history import Doubt, History

# ── stable ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def ask(kind, client, at, **more):
    return op(kind, None, at, client=client, key="", workload="sessions", **more)


def sessions(count, *, broken=0, lasting=5.0):
    """So many connections, each with an echo some time later; the first few have to connect anew."""
    rows = []
    for client in range(count):
        rows += [ask("connect", client, 0), ask("echo", client, lasting)]
        if client < broken:
            rows += [ask("connect", client, lasting + 1), ask("leave", client, lasting + 2)]
    return of(*rows, windows=())


def test_stable_holds_by_the_lower_end_of_its_interval_and_says_how_many_it_takes():
    finding = stable(sessions(400))
    assert finding.verdict == "held"
    assert finding.text == (
        "400 of 400 connections lasted: 100% (95% interval 99.08–100.00%; claimed: at least 99%, "
        "which without a loss takes 368 connections to show)."
    )
    assert finding.measured["shortest_s"] == pytest.approx(5.0)


def test_stable_is_refuted_by_lost_connections_and_shows_the_first():
    finding = stable(sessions(400, broken=20))
    assert finding.verdict == "refuted"
    assert finding.measured["connections"] == 420
    assert [(o.kind, o.client) for o in finding.counterexample] == [("connect", 0), ("connect", 0)]


def test_too_few_connections_decide_nothing():
    finding = stable(sessions(300, broken=1))
    assert finding.verdict == "unknown"
    assert "which with 1 lost takes 555 connections to show" in finding.text
    assert stable(sessions(300), at_least=0.95).verdict == "held"


def test_a_connection_that_failed_at_last_was_lost_though_nobody_came_back():
    rows = [ask("connect", 1, 0), ask("echo", 1, 1), ask("echo", 1, 2, outcome="info", took=math.nan)]
    assert stable(of(*rows), at_least=0.5).measured["lost"] == 1
    assert stable(of(*rows, ask("echo", 1, 3)), at_least=0.5).measured["lost"] == 0, "it went on"


def test_a_connection_that_was_not_seen_for_long_is_left_out():
    rows = [ask("connect", 1, 0), ask("echo", 1, 1), ask("connect", 2, 0), ask("connect", 3, 0, outcome="fail")]
    rows += [ask("connect", 4, 0), ask("leave", 4, 1)]
    found = stable(of(*rows), lasting_s=0.5).measured
    assert (found["connections"], found["short"]) == (2, 1)
    finding = stable(of(*rows), lasting_s=2)
    assert (finding.verdict, finding.measured["short"]) == ("unknown", 3)
    assert finding.text == "No connection was seen for 2 s or lost (3 connections left out)."


def test_stable_does_not_hold_by_vacuum_nor_in_doubt():
    assert stable(of()).verdict == "unknown"
    assert stable(of(op("echo", 1, 1))).verdict == "unknown"
    assert stable(sessions(400), faults=True).verdict == "unknown"
    assert stable(replace(sessions(400), windows=(KILL,)), faults=True).verdict == "held"
    for history in (sessions(400), sessions(400, broken=20)):
        doubted = replace(history, doubts=(Doubt("saturated", "The client was saturated."),))
        assert stable(doubted).verdict == "unknown"


def test_shares_that_cannot_be_shown_are_refused():
    for wrong in ({"at_least": 1}, {"at_least": 0}, {"lasting_s": -1}):
        with pytest.raises(UsageError, match="at_least lies between"):
            stable(of(), **wrong)


MOVES = st.tuples(
    st.integers(0, 1), st.sampled_from(["connect", "echo", "echo", "leave"]), st.sampled_from(["ok", "ok", "fail"])
)


@settings(max_examples=250, deadline=None)
@given(st.lists(MOVES, max_size=14), st.sampled_from([0.0, 1.5, 3.0]))
def test_stable_counts_what_following_each_client_counts(moves, lasting_s):
    rows = [ask(kind, client, float(i), outcome=outcome) for i, (client, kind, outcome) in enumerate(moves)]
    lost = lasted = short = 0
    for client in range(2):
        mine = [o for o in rows if o.client == client]
        for i, one in enumerate(mine):
            if one.kind != "connect" or one.outcome != "ok":
                continue
            stay = []
            for later in mine[i + 1 :]:
                stay.append(later)
                if later.kind == "connect" or (later.kind == "leave" and later.outcome == "ok"):
                    break
            end = stay[-1] if stay else None
            good = [o for o in stay if o.outcome == "ok" and o.kind != "connect"]
            if end is not None and (end.kind == "connect" or end.outcome != "ok"):
                lost += 1
            elif good and good[-1].returned - one.returned >= lasting_s:
                lasted += 1
            else:
                short += 1
    m = stable(of(*rows), lasting_s=lasting_s).measured
    assert (m["lost"], m["connections"], m["short"]) == (lost, lost + lasted, short)
    assert (m["share_low"], m["share_high"]) == clopper_pearson(lasted, lost + lasted)


# ── frugal ───────────────────────────────────────────────────────────────────────────────────────────────────────────

MIB = 1024 * 1024


def weighed(count=200, **facts):
    facts = {
        "service_rss_bytes": {
            "redis": {"before": 10 * MIB, "loaded": 99 * MIB},
            "app": {"before": 60 * MIB, "loaded": 65 * MIB},
            "app-2": {"before": 60 * MIB, "loaded": 65 * MIB},
        },
        "driver_rss_bytes": {"before": 50 * MIB, "end": 54 * MIB},
    } | facts
    return replace(sessions(count), facts=facts)


def test_frugal_holds_when_each_bound_is_kept():
    finding = frugal(weighed(), service_kib=60, client_kib=30)
    assert finding.verdict == "held"
    assert finding.text == (
        "Each of 200 sessions took 51.2 KiB of app (claimed: at most 60 KiB) and 20.5 KiB of the client "
        "(claimed: at most 30 KiB); app ran in 2 instances."
    )
    assert finding.measured["service_mib"] == 130


def test_frugal_is_refuted_when_one_is_not():
    assert frugal(weighed(), service_kib=50, client_kib=30).verdict == "refuted"
    assert frugal(weighed(), client_kib=20).verdict == "refuted"
    assert frugal(weighed(), client_kib=21).verdict == "held"
    assert frugal(weighed(), service_kib=500, service="redis").verdict == "held"


def test_frugal_does_not_hold_by_vacuum_nor_in_doubt():
    assert "Only 99 sessions connected" in frugal(weighed(99), client_kib=30).text
    assert "was not measured" in frugal(weighed(driver_rss_bytes={}), client_kib=30).text
    assert "was not measured" in frugal(weighed(), service_kib=30, service="worker").text
    grown_before = {"app": {"before": 60 * MIB, "loaded": 59 * MIB}}
    assert "did not grow" in frugal(weighed(service_rss_bytes=grown_before), service_kib=30).text
    for text in (frugal(of(), client_kib=1), frugal(sessions(200), client_kib=1), frugal(weighed(99), client_kib=1)):
        assert text.verdict == "unknown"
    doubted = replace(weighed(), doubts=(Doubt("died", "The app died."),))
    assert frugal(doubted, service_kib=60).verdict == "unknown"


def test_frugal_needs_a_bound():
    for wrong in ({}, {"service_kib": 0}, {"client_kib": -1}):
        with pytest.raises(UsageError, match="at least one positive bound"):
            frugal(weighed(), **wrong)


# ── counted, once more when all is closed ────────────────────────────────────────────────────────────────────────────


def count(reported, opened, at):
    return op("count", {"reported": reported, "open": opened}, at, key="", workload="sessions")


def test_counted_after_closing():
    both = [count(4, 4, 5), count(0, 0, 6)]
    assert counted(of(*both), closed=True).verdict == "held"
    finding = counted(of(both[0]), closed=True)
    assert (finding.verdict, finding.text) == ("unknown", "4 connections were still open when they were counted last.")
    assert counted(of(both[0], count(4, 0, 6)), closed=True).verdict == "refuted"
    assert counted(of(both[1]), closed=True).verdict == "unknown", "nothing was ever open"
    assert counted(History.of([]), closed=True).verdict == "unknown"
