"""The in-memory record: what it holds, how it is filtered, and how it reads as a sentence and as a table."""

import math
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from workbench.errors import HistoryError
from workbench.history import Doubt, History, Labels, Operation, Window, disk
from workbench.history.folder import shown

KILL = Window(fault="kill redis", began=1.0, healed=2.5, proof="its process is gone")


def operation(
    called, returned, *, kind="append", key="k0", value=None, outcome="ok", workload="appends in redis", **also
):
    return Operation(
        client=also.pop("client", 0),
        kind=kind,
        key=key,
        value=value,
        called=called,
        returned=returned,
        outcome=outcome,
        workload=workload,
        **also,
    )


@pytest.fixture
def history():
    return History.of(
        [
            operation(0.5, 0.6, value=1, client=1),
            operation(0.1, 0.2, value=10_001, intended=0.05),
            operation(1.2, 1.3, value=2, outcome="fail", error="ConnectionRefusedError", client=1),
            operation(2.9, math.nan, value=3, outcome="info", error="never returned"),
            operation(3.0, 3.1, kind="read", value=[10_001, 1]),
            operation(3.0, 3.1, kind="echo", key="", value=7, workload="sessions"),
        ],
        windows=[KILL],
        facts={"seed": 7},
    )


def test_operations_are_kept_in_the_order_of_their_calls(history):
    assert [o.value for o in history] == [10_001, 1, 2, 3, [10_001, 1], 7]
    assert str(list(History.of(history))) == str(list(history))  # as text: NaN differs from itself


def test_an_operation_that_gives_no_intended_start_was_intended_when_it_was_called(history):
    assert [o.intended for o in history] == [0.05, 0.5, 1.2, 2.9, 3.0, 3.0]


def test_the_repr_is_a_sentence(history):
    assert repr(history) == ("6 operations by 2 clients in 3.1 s: 4 ok · 1 fail · 1 info; kill redis 1.0–2.5 s")
    doubted = History.of(history, doubts=[Doubt("saturated", "The client was saturated.")])
    assert repr(doubted).endswith("in doubt: The client was saturated.")
    assert repr(History.of([])) == "an empty history: no operation was recorded"
    assert str(Window(fault="pause app", began=1.0, healed=None)) == "pause app 1.0–… s"
    assert str(list(history)[3]) == "client 0: append k0 3 → info (never returned), 2.900–never s"


def test_it_is_filtered_by_what_operations_are(history):
    assert len(history.where(kind="append")) == 4
    assert len(history.where(kind=["append", "read", "no such kind"])) == 5
    assert len(history.where(kind=[])) == 0
    assert len(history.where(workload="appends")) == 5
    assert len(history.where(workload="sessions", kind="append")) == 0
    assert len(history.where(workload=["sessions", "appends"])) == len(history)
    assert [o.value for o in history.where(outcome="fail")] == [2]
    assert [o.value for o in history.where(key="k0", also=lambda c: c.client == 1)] == [1, 2]
    assert len(history.where(key="no such key")) == 0
    assert len(history.where(workload="append")) == 0  # whole words only
    assert history.where(kind="read").windows == (KILL,)
    assert history.where(fault="redis").windows == (KILL,)
    assert history.where(fault=["mongo", "red"]).windows == ()
    assert [o.value for o in history.where(client=1)] == [1, 2]
    assert [o.value for o in history.where(client=range(0, 9, 2), kind="append")] == [10_001, 3]
    assert len(history.where(client=range(0))) == len(history.where(client=[])) == 0
    assert [o.called for o in history.where(called=(0.5, 2.9))] == [0.5, 1.2]
    assert len(history.where(called=(None, 0.5))) == 1
    assert len(history.where(called=(3, None))) == 2


def test_it_knows_where_it_is_from_until_somebody_changes_it(history, tmp_path):
    assert history.origin.lost
    history.save(tmp_path / "history")
    again = History.read(tmp_path / "history" / "run.json")
    assert (again.origin.folder, again.origin.steps, again.origin.lost) == (str(tmp_path / "history"), (), "")
    part = again.where(kind=iter(["append"])).until(2)
    assert part.origin.steps == ({"where": {"kind": ["append"]}}, {"until": 2.0})
    assert replace(part).origin.lost
    assert again.where(also=lambda c: c.client == 1).origin.lost.startswith("was filtered by a function")


def test_counts_and_duration(history):
    assert (history.count("ok"), history.count("fail"), history.count("info")) == (4, 1, 1)
    assert history.duration_s == pytest.approx(3.1)
    assert History.of([]).duration_s == 0


def test_the_frame_has_the_documented_columns(history):
    frame = history.frame()
    assert dict(frame.dtypes.astype(str)) == {
        "client": "int32",
        "workload": "category",
        "kind": "category",
        "key": "category",
        "value": "object",
        "intended": "float64",
        "called": "float64",
        "returned": "float64",
        "outcome": "category",
        "error": "category",
        "latency_ms": "float64",
    }
    assert frame.latency_ms[0] == pytest.approx(150)
    assert np.isnan(frame.latency_ms[3])
    assert list(frame.outcome.cat.categories) == ["ok", "fail", "info"]


def test_labels_are_codes_of_distinct_texts():
    labels = Labels.of(["a", "b", "a"])
    assert labels.names == ("a", "b")
    assert labels.texts() == ["a", "b", "a"]
    assert (labels.code("b"), labels.code("c")) == (1, -1)


def test_it_is_saved_and_read(history, tmp_path):
    history.save(tmp_path / "history")
    again = History.read(tmp_path / "history")
    assert str(list(again)) == str(list(history))
    assert again.windows == (KILL,)
    assert again.doubts == ()
    assert again.facts == {"seed": 7, "path": str(tmp_path / "history")}
    assert list(History.read(tmp_path / "history" / "history.parquet")) != []


def test_where_there_is_no_history_the_error_says_what_was_looked_for(tmp_path):
    with pytest.raises(HistoryError, match=r"There is no history in .*neither run\.json nor history\.parquet"):
        History.read(tmp_path)


def test_until_leaves_out_what_came_later():
    calls = ((0.5, 1.5), (1.9, 2.1), (1.0, math.nan), (2.5, 3.0))
    operations = [
        Operation(client=i, kind="read", called=a, returned=b, outcome="ok") for i, (a, b) in enumerate(calls)
    ]
    windows = [Window(fault="kill redis", began=t, healed=t + 0.5) for t in (1.5, 2.0)]
    history = History.of(operations, windows=windows, facts={"duration_s": 5.0}).until(2.0)
    assert ([o.client for o in history], history.windows) == ([0], (windows[0],))
    assert history.facts["duration_s"] == 2.0


def test_a_folder_on_a_full_disk_is_refused(tmp_path):
    code = """
import resource, sys
from workbench.history.folder import run_folder
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
run_folder()
"""
    given = {**os.environ, "WORKBENCH_RUN": str(tmp_path / "run")}
    ended = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True)
    assert "run cannot be written: File too large. Free some space" in ended.stderr
    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_is_shown_as_on_every_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path / "outputs"))
    assert shown(tmp_path / "outputs" / "a" / "tour") == "outputs/a/tour"
    assert shown(tmp_path.parent) == str(tmp_path.parent)


NEVER = Doubt("impossible", "It cannot be killed here.", "kill redis", 1.5)


def test_a_fault_that_never_began_is_a_doubt_and_no_window_also_of_a_run_that_was_cut_off(tmp_path):
    disk.begin(tmp_path, {"duration_s": 3.0})
    disk.append_window(tmp_path, 0, fault="kill redis", began=1.5)
    disk.append_window(tmp_path, 0, impossible="It cannot be killed here.")
    disk.append_window(tmp_path, 1, fault="pause mongo", began=2.0, proof="seen")
    history = History.read(tmp_path)
    assert [window.fault for window in history.windows] == ["pause mongo"]
    assert NEVER in history.doubts
    history.save(tmp_path)
    assert NEVER in History.read(tmp_path).doubts


def test_a_doubt_of_one_fault_is_left_out_where_another_is_looked_at():
    whole = Doubt("saturated", "The client was saturated.")
    history = History.of([], windows=[Window(fault="pause mongo", began=2, healed=3)], doubts=[NEVER, whole])
    assert history.where(fault="redis").doubts == (NEVER, whole)
    assert history.where(fault="mongo").doubts == (whole,)
    assert history.where(workload="appends").doubts == (NEVER, whole)
    assert history.until(1.0).doubts == (whole,)
    assert history.until(2.0).doubts == (NEVER, whole)
