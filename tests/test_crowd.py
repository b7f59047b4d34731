"""What others took of the processors: seen, told, and held against nothing that is not a matter of time."""

import subprocess
import time

import pytest

from workbench.checkers import durable, latency
from workbench.history import History, Operation, Window
from workbench.runs.crowd import Crowd

WINDOW = Window(fault="kill redis", began=1.0, healed=1.5, proof="It was gone.")


def history(others_cpu):
    """A slow append that was lost, and a read that shows it."""
    append = Operation(client=0, kind="append", key="k0", value=1, called=0.1, returned=0.9, outcome="ok")
    read = Operation(client=0, kind="read", key="k0", value=[], called=2.0, returned=2.1, outcome="ok")
    return History.of([append, read], windows=[WINDOW], facts={"others_cpu": others_cpu})


def test_what_others_take_is_what_neither_a_process_nor_those_below_it_took():
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        try:
            of_all, of_sleeper = Crowd(), Crowd(pid=sleeper.pid)
            until = time.thread_time() + 0.5
            while time.thread_time() < until:
                pass
            ours, everybodys = of_all.others(["embedded"]), of_sleeper.others(["embedded"])
            for other in ("docker", "reused", "elsewhere"):
                assert of_all.others(["embedded", other]) is None, "its processes are below nobody here"
        finally:
            sleeper.kill()
    assert 0 <= ours < everybodys <= 1, "what this process took is another's for the sleeper, and its own for itself"


def test_without_a_kernel_that_tells_nothing_is_known(monkeypatch):
    monkeypatch.setattr("workbench.runs.crowd._spent", lambda pid: None)
    assert Crowd().others([]) is None


@pytest.mark.parametrize(("share", "told"), [(0.6, True), (0.1, False)])
def test_a_refutation_by_time_tells_that_the_machine_was_busy_with_something_else(share, told):
    crowded = "other processes took 60% of this machine's processors"
    found = latency(history(share), p99_ms=1, faults=False)
    assert found.verdict == "refuted"
    assert found.text.endswith(f" Meanwhile {crowded}.") is told
    assert (crowded in repr(history(share))) is told


def test_what_is_lost_is_lost_however_busy_the_machine_was():
    assert "processors" not in durable(history(0.6)).text
    assert durable(history(0.6)).verdict == "refuted"
