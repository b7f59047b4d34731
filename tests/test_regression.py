"""The rule that says a number got worse: rare on noise, quick on what is worse, and the same whatever the unit."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.trends.regression import LEAST, MOST, false_alarms, judge, raised

CALM = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.02, 0.98, 1.08, 0.92, 1.0, 1.03]


def judged(values, **options):
    return judge(values, **options).state


def test_too_few_values_say_nothing():
    assert judged([]) == judged([5.0]) == judged(CALM[:LEAST]) == "short"
    assert judged([*CALM[:LEAST], 99.0]) == "suspect"  # one value alone is never more
    assert judged([*CALM[: LEAST - 1], 99.0, 99.0]) == "steady"  # the first 99 is one of the ten before


def test_two_in_a_row_that_are_worse_than_all_before_got_worse():
    found = judge([*CALM, 2.0, 1.5])
    assert (found.state, found.since, found.before) == ("regressed", len(CALM), len(CALM))
    assert found.median == 1.0
    assert judged([*CALM, 2.0, 1.0]) == "steady"
    assert judged([*CALM, 1.0, 2.0]) == "suspect"


def test_ten_percent_are_needed_of_both():
    assert judged([*([1.0] * 12), 1.09, 5.0]) == "suspect"
    assert judged([*([1.0] * 12), 1.11, 1.10001]) == "regressed"
    assert judged([*([1.0] * 12), 1.09, 5.0], at_least=0.05) == "regressed"


def test_of_throughput_less_is_worse():
    assert judged([*CALM, 0.5, 0.6], worse="lower") == "regressed"
    assert judged([*CALM, 2.0, 2.0], worse="lower") == "steady"
    found = judge([*CALM, 0.5, 0.6], worse="lower")
    assert found.median == 1.0


def test_the_flag_stays_until_two_in_a_row_are_good_again():
    bad = [*CALM, 2.0, 2.0, 2.1, 1.9]
    assert judge(bad).since == len(CALM)
    assert judged([*bad, 1.0]) == "regressed"
    assert judged([*bad, 1.0, 2.0, 1.0]) == "regressed"
    assert judged([*bad, 1.0, 1.0]) == "steady"


def test_after_twenty_runs_the_new_level_is_the_normal_one():
    assert judged([*CALM, *[2.0] * MOST]) == "regressed"
    assert judged([*CALM, *[2.0] * (MOST + 1)]) == "steady"
    assert judged([*CALM, *[2.0] * (MOST + 1), 4.0, 4.0]) == "regressed"


def test_equal_values_are_not_worse():
    assert judged([3.0] * 40) == judged([0.0] * 40) == "steady"
    assert judged([*([0.0] * 12), 0.1, 0.1]) == "regressed"  # of nothing, anything is worse


@settings(max_examples=60)
@given(
    st.lists(st.floats(1e-3, 1e3), max_size=60),
    st.sampled_from([2.0**-10, 2.0, 2.0**20]),
    st.sampled_from(["higher", "lower"]),
)
def test_the_unit_does_not_matter(values, unit, worse):
    assert judge(values, worse=worse).since == judge([unit * value for value in values], worse=worse).since
    assert judged(values, worse=worse) == judged([unit * value for value in values], worse=worse)


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0.5, 1.0, 2.0, 4.0]), min_size=1, max_size=80))
def test_less_is_worse_is_the_mirror_of_more_is_worse(values):
    """Of powers of two the ratios are exact, so that nothing is at an edge."""
    mirrored = judge([1 / value for value in values], worse="lower")
    assert (mirrored.state, mirrored.since) == (judge(values).state, judge(values).since)


@pytest.mark.parametrize(
    "noise",
    [
        lambda dice: dice.gauss(100, 1),
        lambda dice: dice.lognormvariate(0, 1),
        lambda dice: dice.paretovariate(0.8),  # not even a mean
        lambda dice: dice.choice([1, 2, 3, 50]),
    ],
    ids=["normal", "lognormal", "pareto", "ties"],
)
@pytest.mark.parametrize("before", [LEAST, MOST])
def test_on_noise_of_any_distribution_it_is_as_rare_as_is_said(noise, before):
    """At most the bound plus four standard deviations of the count."""
    dice, tries = random.Random(7), 4_000
    seen = sum(raised([noise(dice) for _ in range(before + 2)], at_least=-1e9) for _ in range(tries))
    bound = false_alarms(before)
    assert seen / tries <= bound + 4 * math.sqrt(bound * (1 - bound) / tries)


def test_a_flag_is_up_exactly_when_the_newest_two_are_the_worst_without_the_ten_percent():
    """Of all orders of the last two places among n + 2 ranks, 2 of (n + 2)(n + 1) raise it: the bound is reached."""
    n, hits = LEAST, 0
    ranks = range(n + 2)
    for newest in ranks:
        for second in ranks:
            if newest != second:
                rest = [rank for rank in ranks if rank not in (newest, second)]
                hits += raised([*map(float, rest), float(second), float(newest)], at_least=-1e9)
    assert hits / ((n + 2) * (n + 1)) == pytest.approx(false_alarms(n)) == pytest.approx(1 / 66)
