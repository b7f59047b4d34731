"""Toxics as arithmetic: what leaves, and when, for chunks that arrive at given times. No socket, no clock."""

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.links.dose import Dose
from workbench.links.toxics import CLOSE, END, RESET, Signal, Toxic, find

KINDS = ["bandwidth", "latency", "limit_data", "noop", "reset_peer", "slicer", "slow_close", "timeout"]
CHUNKS = st.lists(st.binary(min_size=1, max_size=300), max_size=10)


def toxic(kind, *, seed=0, **attributes):
    found = find(kind)
    assert found
    full = dict.fromkeys(found.attributes(), 0) | attributes
    found.check(full)
    return found(full, Random(seed))


def leaving(toxic, chunks, *, every_s=0.0, at=100.0):
    """All that leaves when the chunks arrive so far apart."""
    left = list(toxic.join(at))
    for place, chunk in enumerate(chunks):
        left += toxic.flow(at + place * every_s, chunk)
    return left


@pytest.mark.parametrize("kind", KINDS)
def test_every_toxic_is_found_by_its_type(kind):
    found = find(kind)
    assert found is not None and issubclass(found, Toxic) and found.__doc__


@pytest.mark.parametrize("kind", ["", "slow", "Latency", "latency.py", "..dose", "__init__", "slow__close", "os"])
def test_nothing_else_is_found(kind):
    assert find(kind) is None


def test_latency_counts_from_each_arrival():
    left = leaving(toxic("latency", latency=200), [b"a", b"b", END], every_s=0.01)
    assert [chunk for _, chunk in left] == [b"a", b"b", END]
    assert [due for due, _ in left] == pytest.approx([100.2, 100.21, 100.22])


@given(latency=st.integers(0, 100), jitter=st.integers(0, 100), seed=st.integers())
def test_jitter_stays_in_its_range_and_fills_it(latency, jitter, seed):
    left = leaving(toxic("latency", seed=seed, latency=latency, jitter=jitter), [b"x"] * 200)
    late_ms = [(due - 100) * 1000 for due, _ in left]
    assert min(late_ms) >= max(latency - jitter, 0) - 1e-6
    assert max(late_ms) <= latency + jitter + 1e-6
    if jitter:
        assert max(late_ms) - latency > jitter / 2


@given(chunks=CHUNKS, rate=st.integers(1, 1000))
def test_bandwidth_takes_as_long_as_the_bytes_need(chunks, rate):
    left = leaving(toxic("bandwidth", rate=rate), [*chunks, END])
    total = sum(map(len, chunks))
    assert b"".join(chunk for _, chunk in left[:-1]) == b"".join(chunks)
    assert left[-1][1] is END
    assert left[-1][0] - 100 == pytest.approx(total / (rate * 1000), abs=1e-6)


def test_bandwidth_does_not_save_up_idle_time():
    slow = toxic("bandwidth", rate=1)
    first = leaving(slow, [bytes(100)])[-1][0]
    assert first == pytest.approx(100.1)
    assert list(slow.flow(200.0, bytes(100)))[-1][0] == pytest.approx(200.1)


def test_bandwidth_zero_holds_everything():
    assert {due for due, _ in leaving(toxic("bandwidth", rate=0), [b"a", b"b", END])} == {math.inf}


def test_slow_close_delays_the_end_only():
    assert leaving(toxic("slow_close", delay=400), [b"a", END, CLOSE]) == [(100, b"a"), (100.4, END), (100.4, CLOSE)]


def test_timeout_drops_everything_and_closes_busy_or_not():
    assert leaving(toxic("timeout", timeout=500), [b"a"] * 10 + [END], every_s=0.1) == [(100.5, CLOSE)]
    assert leaving(toxic("timeout", timeout=0), [b"a", END]) == []
    assert list(toxic("timeout").leave(7.0)) == [(7.0, CLOSE)]


def test_reset_peer_waits_for_the_first_bytes():
    assert leaving(toxic("reset_peer", timeout=50), []) == []
    assert leaving(toxic("reset_peer", timeout=50), [b"a", b"b"], every_s=1) == [(100.05, RESET)]
    assert leaving(toxic("reset_peer"), [END]) == [(100, RESET)]


def test_reset_peer_resets_when_taken_away_after_it_discarded_bytes():
    idle, hit = toxic("reset_peer", timeout=5000), toxic("reset_peer", timeout=5000)
    leaving(hit, [b"a"])
    assert list(idle.leave(101.0)) == []
    assert list(hit.leave(101.0)) == [(101.0, RESET)]


@given(chunks=CHUNKS, average=st.integers(1, 50), data=st.data())
def test_slicer_cuts_in_its_range_and_loses_nothing(chunks, average, data):
    variation = data.draw(st.integers(0, average - 1))
    left = leaving(toxic("slicer", average_size=average, size_variation=variation, delay=1000), [*chunks, END])
    pieces = [chunk for _, chunk in left[:-1]]
    assert b"".join(pieces) == b"".join(chunks)
    assert all(len(piece) <= average + variation for piece in pieces)
    assert sum(len(piece) < average - variation for piece in pieces) <= len(chunks)  # the last of a chunk may be small
    assert all(later - earlier == pytest.approx(0.001) for (earlier, _), (later, _) in pairwise(left))


@pytest.mark.parametrize(("average", "variation"), [(0, 0), (-1, 0), (10, 10), (10, -1)])
def test_a_slicer_that_cannot_slice_is_refused(average, variation):
    with pytest.raises(ValueError, match="slicer needs"):
        toxic("slicer", average_size=average, size_variation=variation)


@given(chunks=CHUNKS, limit=st.integers(0, 2000))
def test_limit_data_cuts_at_the_byte(chunks, limit):
    left = leaving(toxic("limit_data", bytes=limit), chunks)
    everything = b"".join(chunks)
    assert b"".join(chunk for _, chunk in left if not isinstance(chunk, Signal)) == everything[:limit]
    assert any(chunk is CLOSE for _, chunk in left) == (bool(chunks) and len(everything) >= limit)


def test_limit_data_keeps_its_count_over_a_change():
    limit = toxic("limit_data", bytes=60)
    leaving(limit, [bytes(50)])
    limit.change({"bytes": 100})
    assert [chunk for _, chunk in limit.flow(101.0, bytes(70))] == [bytes(50), CLOSE]


@given(chunks=CHUNKS, seed=st.text(max_size=5))
def test_noop_changes_nothing(chunks, seed):
    assert leaving(toxic("noop"), [*chunks, END, RESET]) == [(100.0, chunk) for chunk in [*chunks, END, RESET]]


@settings(max_examples=30, deadline=None)
@given(low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_higher_toxicity_reaches_the_same_connections_and_more(low, high):
    low, high = sorted([low, high])

    def reached(toxicity):
        found = find("noop")
        assert found
        dose = Dose("n", "noop", found, stream="downstream", toxicity=toxicity)
        return {number for number in range(200) if dose.taken_by(f"0/proxy/{number}") is not None}

    assert reached(0) == set()
    assert reached(1) == set(range(200))
    assert reached(low) <= reached(high)
    assert reached(low) == reached(low)
    assert abs(len(reached(high)) / 200 - high) < 0.2
