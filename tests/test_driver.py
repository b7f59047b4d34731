"""A driver: when its clients are due, that they are on time, and that it ends as it should."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recite import Doors, Recite

from workbench.driver import Counts, Share, Spec, Step
from workbench.driver.counts import StepCounts
from workbench.driver.spec import asking, dues
from workbench.driver.stage import OPENING
from workbench.history.disk import columns_of, rows_of
from workbench.workloads import Appends


def spec(folder, workload=None, **fields):
    workload = workload or Recite()
    clients = fields.pop("clients", 2)
    share = Share(
        workload=Share.dump(workload), urls={}, run="a1b2c30", clients=list(range(clients)),
        ranks=list(range(clients)), of=clients,
    )  # fmt: skip
    given = {"seed": 7, "rate_hz": 100.0, "duration_s": 0.5, "timeout_s": 0.2, "steady_s": 0.25, **fields}
    rate_hz = given.pop("rate_hz")
    steady = Step(begin_s=given.get("opening_s", 0.0), end_s=given["duration_s"], rate_hz=rate_hz) if rate_hz else None
    given = {"steps": [steady] if steady else None, **given}  # unless there are more
    return Spec(part=str(Path(folder) / "part-0.bin"), path=sys.path, clients=clients, shares=[share], **given)


def due_times(asked, client):
    return [due.at_s for due in dues(asked, client)]


# --- the schedule


@given(
    st.integers(0, 99), st.integers(1, 20), st.floats(0.5, 500), st.floats(0.1, 20), st.integers()
)  # fmt: skip
def test_due_times_come_from_the_seed_alone(client, clients, rate_hz, duration_s, seed):
    asked = spec("/", clients=clients, rate_hz=rate_hz, duration_s=duration_s, seed=seed)
    due = due_times(asked, client)
    assert due == due_times(asked, client)
    assert due == sorted(due)
    assert all(0 <= at < duration_s for at in due)
    period = clients / rate_hz
    assert abs(len(due) - duration_s / period) < 1
    assert all(n * period <= at <= (n + 1) * period for n, at in enumerate(due))


def test_a_run_asks_what_its_rate_says_whatever_the_seed():
    for seed in range(20):
        asked = spec("/", clients=8, rate_hz=400.0, duration_s=8.0, seed=seed)
        assert sum(len(due_times(asked, client)) for client in range(8)) == 3200


def test_clients_and_seeds_differ():
    one, other = spec("/", seed=1), spec("/", seed=2)
    assert due_times(one, 0) != due_times(one, 1)
    assert due_times(one, 0) != due_times(other, 0)
    assert asking(1, 0).random() != asking(1, 1).random() != asking(2, 0).random()


def test_a_workload_is_handed_over_as_it_is():
    workload = Appends(keys=3, store="mongo", via="app")
    share = Share(workload=Share.dump(workload), urls={}, run="", clients=[], ranks=[], of=0)
    assert msgspec.json.decode(msgspec.json.encode(share), type=Share).load() == workload


def test_counts_add_up():
    both = Counts(ok=1, late=2, worst_late_s=0.1, turns=5, cpu_s=1) + Counts(ok=2, fail=1, worst_late_s=0.3, turns=4)
    assert both == Counts(ok=3, fail=1, late=2, worst_late_s=0.3, turns=5, cpu_s=1)
    assert both.returned == 4
    steps = Counts(steps=[StepCounts(due=2, started=1, busy_s=0.4)]) + Counts(steps=[StepCounts(due=3, busy_s=0.3)])
    assert steps.steps == [StepCounts(due=5, started=1, busy_s=0.4)]


# --- the process


class Process:
    """A driver, spoken to as its owner does."""

    def __init__(self, given):
        self.child = subprocess.Popen(
            [sys.executable, "-m", "workbench.driver"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        )  # fmt: skip
        self.told = []
        self.say(msgspec.to_builtins(given))

    def say(self, order):
        self.child.stdin.write(json.dumps(order) + "\n")

    def until(self, name):
        for line in self.child.stdout:
            self.told.append(json.loads(line))
            if name in self.told[-1]:
                return self.told[-1][name]
        raise AssertionError(f"it ended without {name}: {self.told}")

    def go(self):
        self.until("ready")
        self.say({"go": time.monotonic_ns() + 10_000_000})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


def record(folder):
    rows, parts = rows_of(folder)
    assert not any(part.damaged for part in parts)
    return columns_of(rows), parts[0]


def played(folder, given):
    with Process(given) as driver:
        driver.go()
        done = driver.until("done")
        driver.say({"final": done["turns"], "within_s": 1})
        driver.until("end")
        assert driver.child.wait(5) == 0
    return record(folder)


@pytest.mark.parametrize("quick", [False, True])
def test_a_driver_asks_everything_on_time_and_ends(tmp_path, quick):
    columns, part = played(tmp_path, spec(tmp_path, Recite(quick=quick)))
    assert part.ended
    said = columns.kind.codes == columns.kind.code("say")
    assert said.sum() == 50
    due = sorted(at for client in range(2) for at in due_times(spec("/"), client))
    assert sorted(columns.intended[said]) == pytest.approx(due, abs=1e-6)
    assert (columns.called >= columns.intended).all()
    looks = columns.called[columns.kind.codes == columns.kind.code("look")]
    assert 0.25 <= looks[0] < 0.5 <= looks[1] <= looks[2]
    assert "25" in columns.key.names  # what the final ask was told of the turns


def test_no_callback_begins_anything_after_the_end_of_a_closed_loop(tmp_path):
    given = spec(tmp_path, Recite(quick=True, broken=2), clients=50, rate_hz=None, duration_s=0.1, steady_s=0.05)
    columns, _ = played(tmp_path, given)
    said = columns.where(columns.kind.codes == columns.kind.code("say"))
    assert (said.outcome == 1).any()
    assert (said.called < 0.1).all()


def test_the_same_seed_asks_the_same_whichever_way(tmp_path):
    asked = []
    for quick in (False, True):
        folder = tmp_path / str(quick)
        folder.mkdir()
        columns, _ = played(folder, spec(folder, Recite(quick=quick)))
        asked.append(
            sorted(zip(columns.intended, columns.client, columns.key.texts(), columns.value, strict=True))[:40]
        )
    assert [row[1:] for row in asked[0]] == [row[1:] for row in asked[1]]


@pytest.mark.parametrize("quick", [False, True])
def test_errors_and_time_outs_are_recorded_and_nothing_is_repeated(tmp_path, quick):
    workload = Recite(broken=5, slow=7, quick=quick)
    columns, _ = played(tmp_path, spec(tmp_path, workload, rate_hz=40.0, duration_s=1.0))
    said = columns.where(columns.kind.codes == columns.kind.code("say"))
    outcome = {(client, value): code for client, value, code in zip(said.client, said.value, said.outcome, strict=True)}
    assert len(outcome) == len(said.value)
    for (_, value), code in outcome.items():
        assert code == (1 if value % 5 == 1 else 2 if value % 7 == 1 else 0)
    took = (said.returned - said.called)[said.outcome == 2]
    assert (took >= 0.199).all()
    assert (took < 0.5).all()


@pytest.mark.parametrize("quick", [False, True])
def test_late_starts_catch_up_and_latency_counts_from_the_intended_start(tmp_path, quick):
    columns, _ = played(tmp_path, spec(tmp_path, Recite(slow=1000, quick=quick), clients=1, rate_hz=100.0))
    said = columns.where(columns.kind.codes == columns.kind.code("say"))
    assert len(said.value) == 50
    waited = (said.intended > said.called[1]) & (said.intended < said.returned[1])
    assert waited.sum() > 10
    assert (said.called[waited] >= said.returned[1]).all()


def test_final_asks_are_repeated_until_answered_and_no_longer_than_they_may(tmp_path):
    with Process(spec(tmp_path, Recite(mute=True), duration_s=0.2)) as driver:
        driver.go()
        driver.until("done")
        driver.say({"final": 1, "within_s": 0.5})
        driver.until("end")
    columns, part = record(tmp_path)
    final = columns.where((columns.kind.codes == columns.kind.code("look")) & (columns.called > 0.2))
    assert part.ended
    assert 4 <= len(final.value) <= 14
    assert (final.outcome == 1).all()


@pytest.mark.parametrize("quick", [False, True])
def test_a_closed_loop_asks_as_soon_as_it_is_answered_and_rests_after_an_error(tmp_path, quick):
    columns, _ = played(tmp_path, spec(tmp_path, Recite(quick=quick, broken=100), rate_hz=None, duration_s=0.3))
    assert len(columns.value) > 100
    assert (columns.intended == columns.called).all()
    one = columns.where((columns.client == 0) & (columns.kind.codes == columns.kind.code("say")))
    broken = [i for i, code in enumerate(one.outcome) if code == 1][:-1]
    assert broken
    assert all(one.called[i + 1] - one.returned[i] >= 0.019 for i in broken)


def test_what_could_not_be_sent_was_not_done_and_the_next_is_tried(tmp_path):
    columns, _ = played(tmp_path, spec(tmp_path, Recite(quick=True, wild="pose")))
    said = columns.where(columns.kind.codes == columns.kind.code("say"))
    assert len(said.value) == 50
    assert (said.outcome == 1).all()


@pytest.mark.parametrize("rate_hz", [100.0, None])
def test_what_a_connection_hears_is_recorded_from_when_it_was_due(tmp_path, rate_hz):
    columns, _ = played(tmp_path, spec(tmp_path, Recite(chatty=True), rate_hz=rate_hz))
    said, heard = (columns.where(columns.kind.codes == columns.kind.code(kind)) for kind in ("say", "hear"))
    assert len(said.value) == len(heard.value) > 40
    due = {(client, value): at for client, value, at in zip(said.client, said.value, said.intended, strict=True)}
    for client, value, intended, called in zip(heard.client, heard.value, heard.intended, heard.called, strict=True):
        assert intended == called == due[client, value]
    assert (heard.outcome == 0).all()


def test_a_rate_in_steps_is_counted_step_by_step(tmp_path):
    rates = (20.0, 200.0, 40.0)
    steps = [Step(begin_s=0.3 * n, end_s=0.3 * (n + 1), rate_hz=rate) for n, rate in enumerate(rates)]
    given = spec(tmp_path, Recite(quick=True), steps=steps, duration_s=0.9)
    assert [sum(due.step == n for client in range(2) for due in dues(given, client)) for n in range(3)] == [6, 60, 12]
    with Process(given) as driver:
        driver.go()
        counted = driver.until("done")
        driver.say({"stop": True})
        driver.until("end")
    assert [(step["due"], step["started"]) for step in counted["steps"]] == [(6, 6), (60, 60), (12, 12)]
    assert all(0 < step["busy_s"] < 0.4 for step in counted["steps"])
    assert counted["rss_end"] >= counted["rss_before"] > 1_000_000
    columns, _ = record(tmp_path)
    said = columns.intended[columns.kind.codes == columns.kind.code("say")]
    assert [((said >= step.begin_s) & (said < step.end_s)).sum() for step in steps] == [6, 60, 12]


def test_connections_are_opened_one_after_the_other_where_that_is_asked(tmp_path):
    given = spec(tmp_path, Doors(), clients=10, opening_s=0.5, duration_s=1.0, rate_hz=100.0)
    columns, _ = played(tmp_path, given)
    opened = columns.where(columns.kind.codes == columns.kind.code("open"))
    assert sorted(opened.intended) == pytest.approx([0.025 + 0.05 * n for n in range(10)])
    assert {*opened.key.texts()} == {"door"}
    assert {*opened.value} == {"ajar"}
    said = columns.where(columns.kind.codes == columns.kind.code("say"))
    assert (said.intended >= 0.5).all()
    assert len(said.value) == 50


def test_so_many_connections_are_opened_at_once_and_no_more(tmp_path):
    clients = 3 * OPENING
    columns, _ = played(tmp_path, spec(tmp_path, Doors(), clients=clients, rate_hz=None, timeout_s=1.0))
    opened = columns.where(columns.kind.codes == columns.kind.code("open"))
    assert sorted(opened.client) == list(range(clients))
    at_once = [((opened.called <= at) & (opened.returned > at)).sum() for at in opened.called]
    assert max(at_once) <= OPENING


def test_a_driver_without_an_owner_writes_what_it_has_and_ends(tmp_path):
    with Process(spec(tmp_path, duration_s=30.0)) as driver:
        driver.go()
        driver.until("counts")
        driver.child.stdin.close()
        assert driver.child.wait(5) in (0, 1)
    columns, part = record(tmp_path)
    assert part.ended
    assert len(columns.value) > 0


def test_a_driver_that_is_told_to_stop_stops(tmp_path):
    with Process(spec(tmp_path, duration_s=30.0)) as driver:
        driver.go()
        driver.until("counts")
        driver.say({"stop": True})
        assert driver.until("end")["ok"] > 0
        assert driver.child.wait(5) == 0


def test_how_far_a_long_set_up_is_is_told(tmp_path):
    with Process(spec(tmp_path, Recite(tables=4))) as driver:
        driver.until("ready")
    assert [*driver.told, {}][0]["prepared"] in (1, 2)
    assert len(driver.told) >= 3


def test_what_goes_wrong_in_setting_up_is_told(tmp_path):
    with Process(spec(tmp_path, Recite(deaf=True))) as driver:
        assert driver.until("error") == "OSError: nobody listens"


@pytest.mark.parametrize(
    ("wild", "said"),
    [
        ("connect", "'recitals' did not connect within 5 s"),
        ("next", "'recitals' asks None"),
        ("key", "whose kind|key=5.* is no Ask"),
        ("classify", r"classifies ValueError\('broken'\) as None"),
        ("outcome", r"classifies ValueError\('broken'\) as \('maybe', 'broken'\)"),
    ],
)
@pytest.mark.parametrize("quick", [False, True])
def test_a_workload_that_does_what_it_should_not_is_told_and_ends_the_driver(tmp_path, wild, said, quick):
    with Process(spec(tmp_path, Recite(wild=wild, quick=quick))) as driver:
        if wild != "connect":
            driver.go()
        assert re.search(said, driver.until("error"))
        assert driver.child.wait(10) == (0 if wild == "connect" else 1)


def test_a_driver_whose_disk_is_full_hands_its_rows_over(tmp_path):
    (tmp_path / "part-0.bin").symlink_to("/dev/full")
    with Process(spec(tmp_path)) as driver:
        driver.go()
        driver.until("done")
        driver.say({"stop": True})
        driver.until("end")
        assert "No space left on device" in driver.told[-1]["failure"]
        assert any("rows" in told for told in driver.told)
