"""The schedule of faults: what it refuses, and what `every` unfolds to."""

import itertools
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import UsageError
from workbench.faults import Kill, Nothing, Partition, Pause, between, every, expand, flapping, in_turn


def test_every_unfolds_until_the_end_and_always_leaves_time_to_recover():
    planned = expand([every(10, Pause("redis"), lasting=2)], duration_s=32)
    assert [(p.begin_s, p.heal_s) for p in planned] == [(10, 12), (20, 22)]
    assert repr(every(10, Pause("redis"), lasting=2)) == "pause redis every 10 s, for 2 s"
    assert len(expand([every(10, Pause("redis"), lasting=2)], duration_s=32.5)) == 3


def test_the_schedule_is_in_order_of_beginning():
    planned = expand([between(5, 6, Kill("a")), between(1, 2, Kill("b"))], duration_s=9)
    assert [str(p) for p in planned] == ["kill b 1–2 s", "kill a 5–6 s"]


def test_faults_in_turn_follow_one_another_with_a_gap():
    planned = in_turn(Kill("a"), Pause("b"), first_s=1, lasting_s=0.5, gap_s=0.25)
    assert [str(p) for p in planned] == ["kill a 1–1.5 s", "pause b 1.75–2.25 s"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: between(3, 3, Nothing()), "heals later than it begins"),
        (lambda: between(-1, 3, Nothing()), "at or after 0"),
        (lambda: every(2, Nothing(), lasting=2), "shorter than its period"),
        (lambda: between(1, 2, "kill redis"), "is no fault: it has no method begin, prove, heal"),
        (lambda: between(1, 2, Kill), "Kill is a kind of fault"),
        (lambda: in_turn(Kill("a"), Kill("b"), first_s=1, lasting_s=1, gap_s=-0.5), "gap_s=-0.5"),
        (lambda: in_turn(Kill("a"), first_s="1", lasting_s=1, gap_s=0), "first_s='1'"),
        (lambda: flapping(Nothing(), first_s=0, until_s=math.inf, on_s=1, off_s=1), "until_s=inf"),
        (lambda: every(math.inf, Nothing()), "shorter than its period"),
        (lambda: expand([Nothing()], duration_s=5), "between(…) or every(…)"),
        (lambda: expand([between(3, 9, Nothing())], duration_s=8), "not healed before the run ends"),
        (lambda: expand([between(1, 4, Kill("a")), between(3, 5, Kill("a"))], duration_s=8), "before kill a 1–4 s has"),
        (lambda: Partition("redis", way="sideways"), "both, requests, answers"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_in_one_sentence(make, says):
    with pytest.raises(UsageError, match=re.escape(says)):
        make()


@given(period=st.floats(0.1, 20), lasting=st.floats(0.01, 20), duration=st.floats(0.1, 200).filter(lambda d: d < 2000))
def test_repeated_faults_never_overlap_and_always_heal(period, lasting, duration):
    if not lasting < period:
        with pytest.raises(UsageError):
            every(period, Nothing(), lasting=lasting)
        return
    planned = expand([every(period, Nothing(), lasting=lasting)], duration_s=duration)
    assert all(a.heal_s <= b.begin_s + 1e-9 for a, b in itertools.pairwise(planned))
    assert all(plan.heal_s < duration for plan in planned)
