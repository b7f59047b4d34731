"""How far a driver's clock is from the owner's: the estimate is never wrong, and says how good it is."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.driver.clock import wrong
from workbench.driver.clocks import Clock, stated

MS = 1_000_000
ways = st.lists(st.tuples(st.integers(0, 50 * MS), st.integers(0, 50 * MS)), min_size=1, max_size=40)


@settings(max_examples=100)
@given(st.integers(-(10**18), 10**18), ways)
def test_the_offset_is_within_its_uncertainty_however_long_the_ways_take(offset, ways):
    now, exchanges = 0, []
    for there, back in ways:
        exchanges.append((now, now + there + offset, now + there + back))
        now += there + back + 1
    clock = Clock.of(exchanges)
    assert abs(clock.offset_ns - offset) <= clock.uncertainty_ns + 1
    assert clock.uncertainty_ns <= min(there + back for there, back in ways) / 2 + 1
    assert clock.round_trip_ns == min(there + back for there, back in ways)


def test_a_clock_that_runs_away_within_the_exchanges_is_bound_by_the_quickest():
    clock = Clock.of([(0, 5, 10), (20, 90, 22), (30, 300, 40)])
    assert (clock.offset_ns, clock.uncertainty_ns) == (69, 1)


def test_only_what_no_uncertainty_explains_is_drift():
    before = Clock(1000, 10)
    assert before.drifted_ns(Clock(1015, 10)) == 0
    assert before.drifted_ns(Clock(1050, 10)) == 50
    assert stated(before, Clock(1050, 10))["drift_s"] == pytest.approx(50e-9)
    assert stated(before, None)["drift_s"] is None


def test_what_is_known_of_a_clock_at_the_end_is_known_of_the_record():
    """A network that has become slow tells so little that any drift may be."""
    assert stated(Clock(1000, 10), Clock(1000, 10_000))["agree_s"] == pytest.approx(10e-6)
    assert stated(Clock(1000, 10), Clock(1015, 10))["agree_s"] == pytest.approx(25e-9)
    assert stated(Clock(1000, 10), Clock(1001, 2))["agree_s"] == pytest.approx(10e-9)
    assert stated(Clock(1000, 10), None)["agree_s"] == pytest.approx(10e-9)


def test_one_clock_has_no_offset_unless_it_shows_one():
    assert Clock(40, 100, 200).shared() == Clock(0, 0, 200)
    assert Clock(400, 100, 200).shared() == Clock(400, 100, 200)


@given(st.floats(-1e6, 1e6), st.floats(1, 2), st.sampled_from([0.0, 1e-5, 1e9]))
@settings(max_examples=20)
def test_a_wrong_clock_can_be_told_the_time_back(ahead_s, fast, most_s):
    read, true = wrong(f"{ahead_s},{fast},{most_s}")
    read()
    before = time.monotonic_ns()
    back = true(read())
    assert before - 2000 <= back <= time.monotonic_ns() + 2000


def test_a_fast_clock_gains_no_more_than_it_may():
    read, _ = wrong("0,2,0.001")
    read()
    time.sleep(0.005)
    assert read() - time.monotonic_ns() == pytest.approx(1e6, abs=2e5)


def test_a_clock_ahead_is_ahead():
    read, _ = wrong("3600")
    assert read() - time.monotonic_ns() == pytest.approx(3600e9, abs=1e8)
