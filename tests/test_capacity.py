"""`capacity` on synthetic loads whose law is known, at its edges, and step by step against a slow twin."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_histories import op

from workbench.checkers import capacity
from workbench.checkers.capacity import scalability
from workbench.checkers.intervals import lower_bound_is_above, upper_bound_is_below
from workbench.checkers.scaling import Law, fit
from workbench.checkers.steps import steps
from workbench.errors import UsageError
from workbench.history import Doubt, History, Operation, Window


def stairs(*levels, windows=(), noise=0.0, took_more=()):
    """One second for each (offered per second, done per second, concurrency): evenly, each as long as Little's law
    says; what is not done was never started."""
    rng = np.random.default_rng(5)
    operations, asked = [], []
    for i, (offered, done, concurrency) in enumerate(levels):
        took = concurrency / done
        for k in range(done):
            returned = i + 0.999 * (k + 0.5) / done
            length = took * float(rng.lognormal(0, noise)) + (took_more[i] if i < len(took_more) else 0)
            operations.append(
                Operation(client=k % 50, kind="echo", called=returned - length, returned=returned, outcome="ok",
                          intended=max(returned - length, i))
            )  # fmt: skip
        asked.append({"begin_s": float(i), "rate_hz": float(offered), "due": offered, "started": done, "late": 0})
    return History.of(operations, windows=windows, facts={"steps": asked, "duration_s": float(len(levels))})


def law_levels(law, concurrencies, *, offered=1.0):
    done = [round(float(law(np.asarray([n]))[0])) for n in concurrencies]
    return [(round(x * offered), x, n) for n, x in zip(concurrencies, done, strict=True)]


def the_law(lambda_hz, sigma, kappa):
    return Law(np.asarray([lambda_hz]), np.asarray([sigma]), np.asarray([kappa]))


# ── the verdict ──────────────────────────────────────────────────────────────────────────────────────────────────────

GOOD = [(500, 500, 1), (1000, 1000, 4)]


def test_capacity_holds_when_every_step_up_to_the_claimed_rate_met_the_objective():
    finding = capacity(stairs(*GOOD, (2000, 1500, 300)), p99_ms=50, at_least_hz=1000)
    assert finding.verdict == "held"
    assert finding.measured["knee_hz"] == 1000
    assert finding.text.startswith(
        "99% within 50 ms and 99% ok were met up to 1,000 operations per second (claimed: 1,000); "
        "at 2,000 p99 was unanswered, 75.0% ok, 1,500 done per second. "
    )
    assert [step["met"] for step in finding.measured["steps"]] == ["held", "held", "refuted"]


def test_capacity_is_refuted_by_a_step_below_the_claimed_rate_that_missed_it():
    finding = capacity(stairs(*GOOD, (2000, 1500, 300)), p99_ms=50, at_least_hz=1500)
    assert finding.verdict == "refuted"
    assert len(finding.counterexample) == 1
    assert 2 <= finding.counterexample[0].returned <= 3
    assert capacity(stairs((500, 250, 1), *GOOD), p99_ms=50).verdict == "refuted", "even the lowest"
    assert capacity(stairs((500, 250, 1), *GOOD), p99_ms=50).measured["knee_hz"] is None


def test_slow_answers_break_the_objective_as_missing_ones_do():
    finding = capacity(stairs(*GOOD, (2000, 2000, 10), took_more=(0, 0, 0.06)), p99_ms=50, at_least_hz=2000)
    assert finding.verdict == "refuted"
    assert "at 2,000 p99 was 65 ms, 100% ok" in finding.text
    assert capacity(stairs(*GOOD), p99_ms=0.1).measured["knee_hz"] is None


def test_a_step_that_kept_the_driver_itself_busy_is_not_judged():
    history = stairs(*GOOD, (2000, 2000, 10), took_more=(0, 0, 0.06))
    history.facts["steps"][2] |= {"behind": 1900, "driver_busy_s": 0.97}
    finding = capacity(history, p99_ms=50, at_least_hz=2000)
    assert finding.verdict == "unknown"
    assert "the step of 2,000 kept the driver itself busy" in finding.text
    assert capacity(history, p99_ms=50, at_least_hz=1000).verdict == "held", "the steps below say enough"
    for innocent in ({"behind": 50}, {"driver_busy_s": 0.8}):
        spared = stairs(*GOOD, (2000, 2000, 10), took_more=(0, 0, 0.06))
        spared.facts["steps"][2] |= {"behind": 1900, "driver_busy_s": 0.97} | innocent
        assert capacity(spared, p99_ms=50, at_least_hz=2000).verdict == "refuted"


def test_a_step_too_short_and_a_rate_never_offered_are_unknown():
    short = stairs((100, 100, 1), *GOOD)
    finding = capacity(short, p99_ms=50, at_least_hz=500)
    assert (finding.verdict, finding.measured["knee_hz"]) == ("unknown", None)
    assert "the step of 100 was too short to decide" in finding.text
    finding = capacity(stairs(*GOOD), p99_ms=50, at_least_hz=1001)
    assert finding.verdict == "unknown"
    assert "more than 1,000 per second was never offered" in finding.text
    assert "up to 1,000 operations per second (claimed: 1,001), the highest of 2 steps" in finding.text


def test_a_step_beyond_the_claim_that_decides_nothing_is_said_to():
    finding = capacity(stairs(*GOOD, (100, 100, 1)), p99_ms=50, at_least_hz=1000)
    assert finding.verdict == "held"
    assert "; the step of 100 was too short to decide." in finding.text
    finding = capacity(stairs(*GOOD, (500, 500, 1)), p99_ms=50, at_least_hz=1001)
    assert "; more than 1,000 per second was never offered" in finding.text, "whichever step comes last"


def test_capacity_does_not_hold_by_vacuum():
    assert capacity(History.of([]), p99_ms=50).verdict == "unknown"
    assert capacity(replace(stairs(*GOOD), facts={"rate_hz": 500}), p99_ms=50).verdict == "unknown"
    nothing_due = [{"begin_s": 0.0, "rate_hz": 5.0, "due": 0, "started": 0, "late": 0}]
    assert capacity(History.of([], facts={"steps": nothing_due}), p99_ms=50).verdict == "unknown"


def test_what_was_due_and_never_started_counts_as_unanswered():
    asked = [{"begin_s": 0.0, "rate_hz": 500.0, "due": 500, "started": 0, "late": 0}]
    finding = capacity(History.of([], facts={"steps": asked}), p99_ms=50)
    assert finding.verdict == "refuted"
    assert finding.measured["steps"][0]["p99_ms"] == math.inf


def test_a_doubt_makes_everything_unknown():
    doubted = replace(stairs(*GOOD), doubts=(Doubt("saturated", "The client was saturated."),))
    assert capacity(doubted, p99_ms=50).verdict == "unknown"
    assert capacity(doubted, p99_ms=50).measured == capacity(stairs(*GOOD), p99_ms=50).measured
    unproven = stairs(*GOOD, windows=(Window(fault="kill app", began=0.5, healed=0.6),))
    assert capacity(unproven, p99_ms=50).verdict == "unknown"


def test_objectives_that_are_none_are_refused():
    for wrong in ({"p99_ms": 0}, {"p99_ms": 50, "ok": 1}, {"p99_ms": 50, "ok": 0}):
        with pytest.raises(UsageError, match="The objective is a positive p99_ms"):
            capacity(stairs(*GOOD), **wrong)
    with pytest.raises(UsageError, match="at_least_hz is a positive number"):
        capacity(stairs(*GOOD), p99_ms=50, at_least_hz=0)


ANSWERS = st.tuples(
    st.sampled_from([0.0, 0.3, 0.9, 1.0, 1.7, 2.5]),  # due
    st.sampled_from([0.0, 0.1, 0.6]),  # called so much later
    st.sampled_from([0.001, 0.2, 1.1, math.nan]),  # returned so much later
    st.sampled_from(["ok", "ok", "ok", "fail", "info"]),
    st.integers(1, 400),  # so many times
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ANSWERS, max_size=8), st.lists(st.integers(0, 900), min_size=2, max_size=2), st.data())
def test_the_steps_are_those_of_the_slow_twin(rows, dues, data):
    operations = [
        Operation(client=0, kind="echo", intended=due, called=due + late, returned=due + late + took,
                  outcome="info" if took != took else outcome)
        for due, late, took, outcome, times in rows for _ in range(times)
    ]  # fmt: skip
    started = [data.draw(st.integers(0, due)) for due in dues]
    facts = {"steps": [{"begin_s": float(i), "rate_hz": 100.0 * (i + 1), "due": due, "started": begun, "late": 0}
                       for i, (due, begun) in enumerate(zip(dues, started, strict=True))]}  # fmt: skip
    found = steps(History.of(operations, facts=facts), p99_ms=250, ok=0.9)
    for i, step in enumerate(found):
        mine = [o for o in operations if i <= o.intended < i + 1]
        never = max(dues[i] - max(started[i], len(mine)), 0)
        due = len(mine) + never
        ok = [o for o in mine if o.outcome == "ok"]
        late = sorted([o.returned - o.intended for o in ok] + [math.inf] * (
            len([o for o in mine if o.outcome == "info"]) + never))  # fmt: skip
        within = len([x for x in late if x <= 0.25])
        assert (step.due, step.ok) == (due, len(ok))
        if late:
            assert step.p99_ms == pytest.approx(late[math.ceil(0.99 * len(late)) - 1] * 1e3)
        done = [o for o in operations if o.outcome == "ok" and i <= o.returned < i + 1]
        assert step.done_hz == len(done)
        assert step.concurrency == pytest.approx(sum(o.returned - o.called for o in done))
        checks = [(0.99, within, len(late)), (0.9, len(ok), due)]
        if all(lower_bound_is_above(*check) for check in checks):
            assert step.verdict == "held"
        elif any(upper_bound_is_below(*check) for check in checks):
            assert step.verdict == "refuted"
        else:
            assert step.verdict == "unknown"


# ── the law ──────────────────────────────────────────────────────────────────────────────────────────────────────────

LAWS = st.tuples(
    st.floats(1, 1e4), st.sampled_from([0, 1]) | st.floats(1e-4, 0.9), st.just(0.0) | st.floats(1e-6, 0.02)
)


@settings(max_examples=300, deadline=None)
@given(LAWS, st.lists(st.floats(0.2, 300), min_size=4, max_size=8, unique=True))
def test_a_fit_to_what_follows_the_law_follows_it(parameters, concurrencies):
    n = np.sort(np.asarray(concurrencies))
    if n[-1] < 3 * n[0]:
        return
    law = the_law(*map(float, parameters))
    assert fit(n, law(n))(n) == pytest.approx(law(n), rel=1e-5)


@pytest.mark.parametrize("parameters", [(1000, 0.05, 0.001), (40, 0.3, 0), (200, 0, 0.0005), (5, 0, 0), (77, 1, 0)])
def test_known_parameters_are_found(parameters):
    n = np.asarray([1.0, 2, 4, 8, 16, 32, 64])
    found = fit(n, the_law(*parameters)(n))
    assert (found.lambda_hz[0], found.sigma[0], found.kappa[0]) == pytest.approx(parameters, rel=1e-4, abs=1e-8)


@settings(max_examples=100, deadline=None)
@given(LAWS, st.integers(0, 1000))
def test_no_other_parameters_fit_noise_better(parameters, seed):
    rng = np.random.default_rng(seed)
    n = np.asarray([0.5, 1, 3, 9, 27, 81])
    x = the_law(*parameters)(n) * rng.lognormal(0, 0.1, len(n))
    found = fit(n, x)
    assert 0 <= found.sigma[0] <= 1
    assert found.kappa[0] >= 0
    least = float(np.sum((found(n) - x) ** 2))
    sigma = np.append(rng.choice([0, 1, 10.0 ** rng.uniform(-5, 0)], 2000), rng.normal(found.sigma[0], 0.01, 2000))
    kappa = np.append(10.0 ** rng.uniform(-8, -1, 2000), rng.normal(found.kappa[0], 0.001, 2000))
    sigma, kappa = sigma.clip(0, 1)[:, None], kappa.clip(0, None)[:, None]
    shape = n / (1 + sigma * (n - 1) + kappa * n * (n - 1))
    shape = shape[(shape > 0).all(axis=1)]
    scale = (shape @ x) / (shape * shape).sum(axis=1)
    assert least <= ((scale[:, None] * shape - x) ** 2).sum(axis=1).min() * (1 + 1e-6)


def test_many_rows_are_fitted_at_once_as_one_by_one():
    rng = np.random.default_rng(3)
    n = np.tile([1.0, 4, 16, 64], (20, 1))
    x = the_law(100, 0.1, 0.002)(n) * rng.lognormal(0, 0.1, n.shape)
    together = fit(n, x)
    for i in range(20):
        assert together.sigma[i] == pytest.approx(fit(n[i], x[i]).sigma[0], rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(("n", "x"), [([1, 2], [1, 2]), ([1, 2, 0], [1, 2, 3]), ([1, 2, 3], [1, 2]), ([], [])])
def test_what_cannot_be_fitted_is_refused(n, x):
    with pytest.raises(UsageError, match="three or more positive pairs"):
        fit(np.asarray(n), np.asarray(x))


def test_the_peak_is_found_where_it_was_measured():
    law = the_law(100, 0.05, 0.004)  # peaks at 15.4
    finding = capacity(stairs(*law_levels(law, [1, 2, 4, 8, 16, 30]), noise=0.2), p99_ms=500)
    m = finding.measured
    assert not m["peak_is_extrapolated"]
    assert m["peak_concurrency_low"] < float(law.peak[0]) * 1.05
    assert m["peak_concurrency_high"] > float(law.peak[0]) * 0.95
    assert m["sigma_low"] <= m["sigma"] <= m["sigma_high"]
    assert "extrapolation" not in finding.text
    assert "it peaks at" in finding.text
    assert m["fit_error"] < 0.05


def test_a_peak_beyond_what_was_measured_is_marked_as_extrapolation():
    law = the_law(500, 0.02, 0.0005)  # peaks at 44
    finding = capacity(stairs(*law_levels(law, [1, 2, 4, 8, 16, 24])), p99_ms=500)
    assert finding.measured["peak_is_extrapolated"]
    assert finding.measured["peak_concurrency"] == pytest.approx(float(law.peak[0]), rel=0.1)
    assert "an extrapolation: 24.0 open at a time were measured." in finding.text


def test_a_law_without_a_peak_says_that_none_can_be_told():
    finding = capacity(stairs(*law_levels(the_law(500, 0.1, 0), [1, 2, 4, 8, 16]), noise=0.3), p99_ms=500)
    assert "where throughput would peak cannot be told from up to 16" in finding.text


def test_a_fit_that_tells_nothing_says_so():
    jumpy = stairs((500, 500, 1), (600, 600, 20), (700, 700, 2), (900, 100, 60), (900, 900, 4), (900, 10, 9))
    assert "tells nothing here" in capacity(jumpy, p99_ms=500).text


def test_too_few_steps_are_not_fitted():
    assert "Too few steps differ enough" in capacity(stairs(*GOOD), p99_ms=50).text
    same = stairs((500, 500, 2), (510, 510, 2), (520, 520, 3))
    assert scalability(steps(same, p99_ms=50, ok=0.99)) is None
    assert "sigma" not in capacity(same, p99_ms=50).measured


def test_only_operations_on_schedule_are_meant():
    history = stairs(*GOOD)
    busy = History.of([*history, *(op("count", {}, 0.5, key="") for _ in range(3))], facts=history.facts)
    assert capacity(busy.where(kind="echo"), p99_ms=50).text == capacity(history, p99_ms=50).text
