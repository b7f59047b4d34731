"""Two runs beside each other: what differs is found, what does not is not, and nothing is compared with nothing."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.cli import call
from workbench.compare import compare
from workbench.compare.changes import ABSENT, Change, changes
from workbench.compare.difference import FEWEST, adjusted, difference
from workbench.compare.page import values
from workbench.errors import UsageError
from workbench.history import History, Operation, Window

LATE = st.one_of(st.floats(0, 1e4), st.just(math.inf), st.integers(0, 3).map(float))
SAMPLES = st.lists(LATE, min_size=FEWEST, max_size=80).map(np.asarray)


@settings(max_examples=60, deadline=None)
@given(SAMPLES, SAMPLES)
def test_the_delta_is_what_counting_all_pairs_gives(a, b):
    found = difference(a, b)
    more, less = np.count_nonzero(b[:, None] > a), np.count_nonzero(b[:, None] < a)
    assert found.delta == pytest.approx((more - less) / (len(a) * len(b)), abs=1e-9)
    assert -1 <= found.low <= found.delta + 1e-9
    assert found.delta - 1e-9 <= found.high <= 1
    turned = difference(b, a)
    assert turned.delta == pytest.approx(-found.delta, abs=1e-9)
    assert turned.p == pytest.approx(found.p, abs=1e-9)


def test_few_values_say_nothing_and_nan_is_refused():
    some = np.arange(FEWEST, dtype=float)
    assert difference(some, some[1:]) is None
    with pytest.raises(ValueError, match="not a number"):
        difference(some, np.append(some, np.nan))


def test_a_slowdown_is_found_and_a_stall_alone_is_not():
    dice = np.random.default_rng(7)
    calm, slow = dice.lognormal(1, 0.5, 400), dice.lognormal(1.4, 0.5, 400)
    assert difference(calm, slow).verdict == "slower"
    assert difference(slow, calm).verdict == "faster"
    assert difference(calm, calm).verdict == "alike"
    stalled = dice.lognormal(1, 0.5, 400)
    stalled[200:240] += 100  # 40 operations that waited for one and the same thing
    assert difference(calm, stalled).verdict == "alike"


def test_the_difference_errs_about_as_often_as_it_says():
    dice = np.random.default_rng(1)
    ps = [difference(*dice.lognormal(0, 1, (2, 300))).p for _ in range(1000)]
    assert np.mean(np.asarray(ps) < 0.05) < 0.08
    assert np.mean(np.asarray(ps) < 0.01) < 0.025


def test_stalls_are_not_taken_for_a_difference_between_runs():
    dice = np.random.default_rng(3)

    def sample(count=1000, long=100):
        late, at = dice.lognormal(1, 0.4, count), np.arange(count)
        for began in dice.uniform(0, count, dice.poisson(2)):
            waits = (at >= began) & (at < began + long)
            late[waits] += began + long - at[waits]
        return late

    found = [difference(sample(), sample()).verdict for _ in range(200)]
    assert sum(verdict != "alike" for verdict in found) <= 5  # 2% of a true rate of 1%


def test_p_values_are_adjusted_for_their_number():
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert adjusted([]) == []
    assert adjusted([0.9, 0.9]) == [1.0, 1.0]


def test_changes_name_what_is_only_in_one():
    assert changes({"a": 1, "b": 2}, {"b": 3, "c": 4}) == [
        Change("a", 1, ABSENT), Change("b", 2, 3), Change("c", ABSENT, 4)
    ]  # fmt: skip


def make_run(path, *, late_ms=2.0, verdict="held", claim="durable", name="tour", seed=7, workload="appends"):
    """A run folder as a finished run leaves it, with one notebook and one history."""
    note = path / name
    note.mkdir(parents=True)
    dice = np.random.default_rng(seed)
    operations = [
        Operation(
            client=i % 4, workload=workload, kind="append", key="k", value=i, intended=i * 0.01, called=i * 0.01,
            returned=i * 0.01 + float(dice.lognormal(np.log(late_ms), 0.4)) / 1e3, outcome="ok", error="",
        )
        for i in range(300)
    ]  # fmt: skip
    faults = [Window(fault="kill redis", began=1.0, healed=1.5, proof="it was gone")]
    History.of(operations, windows=faults, facts={"duration_s": 3.0}).save(note / "history")
    stated = {"name": claim, "sentence": "It lasts.", "scenarios": [], "verdict": verdict, "text": f"{late_ms} ms",
              "measured": {"lost": int(verdict != "held")}, "counterexample": [], "doubts": []}  # fmt: skip
    verdicts = {"schema": 1, "notebook": name, "claims": [stated], "verdict": verdict, "concluded": True}
    (note / "verdict.json").write_text(json.dumps(verdicts))
    environment = {"schema": 1, "notebook": name, "parameters": {"seed": seed}, "packages": {"redis": f"5.{seed}"}}
    (note / "environment.json").write_text(json.dumps(environment))
    results = {"schema": 1, "run": path.name, "seconds": 1.0, "notebooks": [{"name": name, "folder": name}]}
    (path / "results.json").write_text(json.dumps(results))
    return path


def test_a_run_is_like_itself(tmp_path):
    run = make_run(tmp_path / "20260101T000000Z-tour-aaaaaa")
    found = compare(run, run)
    assert found.verdict == "agree"
    assert list(found.remarks) == []
    assert found.headline == "1 claim in both: all came out the same; no kind of operation is slower or faster."
    (pair,) = found.pairs
    assert (pair.parameters, pair.surroundings) == ([], [])
    rows = found.latencies["tour"]
    assert [(row.verdict, row.during) for row in rows] == [("alike", "outside"), ("alike", "windows")]


def test_what_became_worse_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path))
    a = make_run(tmp_path / "20260101T000000Z-tour-aaaaaa")
    b = make_run(tmp_path / "20260102T000000Z-tour-bbbbbb", late_ms=4.0, verdict="refuted", seed=8)
    found = compare(a, b)
    assert found.claims[0].change == "worse"
    assert [str(change) for change in found.pairs[0].parameters] == ["seed: 7 → 8"]
    assert [str(change) for change in found.pairs[0].surroundings] == ["packages.redis: 5.7 → 5.8"]
    assert found.latencies["tour"][0].verdict == "slower"
    assert call(["diff", a.name, b.name]) == 1
    told = capsys.readouterr().out
    assert "worse durable: held → refuted" in told
    assert "slower" in told
    page = (tmp_path / "diff-aaaaaa-bbbbbb.html").read_text()
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<img") == page.count('alt="history: ') == 2
    assert "refuted" in page
    assert call(["diff", a.name, a.name]) == 0


@pytest.mark.parametrize(("other", "what"), [({"name": "locks"}, "notebook"), ({"claim": "fast"}, "claim")])
def test_nothing_in_common_is_said(tmp_path, other, what):
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b", **other)
    with pytest.raises(UsageError, match=f"no {what} in common.*tour \\(durable\\)"):
        compare(a, b)


def test_a_folder_without_a_run_is_refused(tmp_path):
    a = make_run(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no run"):
        compare(a, tmp_path / "empty")


def test_a_history_that_cannot_be_read_is_named_and_latencies_are_not_said_to_be_alike(tmp_path):
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    (b / "tour/history/history.parquet").unlink()
    (b / "tour/history/run.json").unlink()
    found = compare(a, b)
    assert found.headline == "1 claim in both: all came out the same; latencies could not be compared."
    torn, missing = found.remarks
    assert torn.startswith("tour in B, a history that cannot be read is left out: ")
    assert missing == "tour: only A has history."


def test_runs_of_a_script_by_hand_are_compared_though_they_have_no_name(tmp_path):
    made = [make_run(tmp_path / name) for name in "ab"]
    for run in made:
        verdicts = json.loads((run / "tour/verdict.json").read_text())
        (run / "tour/verdict.json").write_text(json.dumps({**verdicts, "notebook": None}))
        (run / "tour").rename(tmp_path / f"20260101T000000Z-by-hand-{run.name * 6}")
    found = compare(*sorted(tmp_path.glob("*-by-hand-*")))
    assert found.headline.startswith("1 claim in both: all came out the same; no kind")


def with_claim(run, **changed):
    """One claim more in its notebook."""
    verdicts = json.loads((run / "tour/verdict.json").read_text())
    verdicts["claims"].append({**verdicts["claims"][0], "name": "more", **changed})
    (run / "tour/verdict.json").write_text(json.dumps(verdicts))
    return run


def test_claims_of_only_one_run_are_neither_better_nor_worse_nor_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path))
    a, b = make_run(tmp_path / "a"), with_claim(make_run(tmp_path / "b"), verdict="refuted")
    found = compare(a, b)
    assert [judged.change for judged in found.claims] == ["same", "only in B"]
    assert found.headline.startswith("1 claim in both: all came out the same, 1 only in B;")
    assert [call(["diff", *map(str, pair)]) for pair in ((a, b), (b, a), (b, b))] == [6, 6, 0]
    assert "only in B more: – → refuted" in capsys.readouterr().out
    make_run(tmp_path / "more", name="locks", verdict="refuted")
    (tmp_path / "more/locks").rename(b / "locks")
    found = compare(make_run(tmp_path / "a2"), b)
    assert ", 2 only in B;" in found.headline
    assert [note.name for note in found.alone[1]] == ["locks"]


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [("held", "unknown", "worse"), ("refuted", "unknown", "now unknown"), ("unknown", "undecided", "same"),
     ("unknown", "refuted", "worse"), ("refuted", "held", "better")],
)  # fmt: skip
def test_what_was_refuted_and_is_unknown_now_is_not_better(tmp_path, before, after, change):
    a, b = make_run(tmp_path / "a", verdict=before), make_run(tmp_path / "b", verdict=after)
    found = compare(a, b)
    assert [judged.change for judged in found.claims] == [change]
    assert found.verdict == ("agree" if change == "same" else "differ")
    assert ("all came out the same (1 unknown)" if change == "same" else f"1 {change};") in found.headline


def test_a_run_that_was_cut_off_or_is_newer_is_told(tmp_path):
    a, b = make_run(tmp_path / "20260101T000000Z-tour-aaaaaa"), make_run(tmp_path / "20260102T000000Z-tour-bbbbbb")
    (a / "results.json").unlink()
    results = json.loads((b / "results.json").read_text())
    (b / "results.json").write_text(json.dumps({**results, "schema": 9}))
    found = compare(a, b)
    assert found.headline.startswith("1 claim in both: 1 better;")
    cut, newer, broke = found.remarks
    assert cut == "A was cut off before its end."
    assert newer.startswith("A newer version of the workbench wrote B: ")
    assert broke.startswith("tour broke off in A: ")


def test_values_that_differ_look_different():
    assert values(Change("seed", 123456781, 123456782)) == ("123456781", "123456782")
    assert values(Change("flag", True, False)) == ("True", "False")
    assert values(Change("late_ms", 1.23456, 2.3)) == ("1.235", "2.3")
    assert values(Change("late_ms", 0.1234561, 0.1234562)) == ("0.1234561", "0.1234562")
    assert changes({"a": math.nan}, {"a": math.nan}) == []


HOSTILE = "<script>alert(1)</script>[/]{{ 7*7 }}"


@pytest.mark.browser
def test_the_page_in_a_browser(tmp_path, monkeypatch, capsys):
    from chromium import chromium

    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path))
    a, b = make_run(tmp_path / "a [red]", workload=HOSTILE), make_run(tmp_path / "b", late_ms=4.0, workload=HOSTILE)
    with_claim(b, name=HOSTILE, sentence=HOSTILE + "x" * 300, verdict="refuted")
    assert call(["diff", str(a), str(b)]) == 6
    told = capsys.readouterr().out
    assert "a [red]" in told
    assert HOSTILE in told
    path = tmp_path / "diff-a [red]-b.html"
    with chromium() as browser:
        for look in ({}, {"dark": True}, {"width": 390, "height": 844}):
            page = browser.open(path, **look)
            assert page.requests == [path.as_uri()]
            page.unfold()
            assert page.axe() == []
            assert page.overflow() == 0, look
            assert page.broken() == []
            assert page.ask("document.scripts.length") == 0
            page.close()
