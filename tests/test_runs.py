"""A run, with real services: what it returns, what it refuses, and that it always heals and leaves a record."""

import _thread
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from recite import Recite

from workbench import (
    Appends,
    Delay,
    History,
    Kill,
    Nothing,
    Partition,
    Pause,
    Sessions,
    Stack,
    Steps,
    Stop,
    between,
    every,
    run,
)
from workbench.errors import DriverError, FaultError, HistoryError, NotProven, UsageError


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_RUN", str(tmp_path_factory.mktemp("stack")))
        with Stack("redis", "app") as stack:
            yield stack


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    return tmp_path


def kinds(history):
    return [doubt.kind for doubt in history.doubts]


def drivers_alive():
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one as well
            if "workbench.driver" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found


def asked(history):
    """What was asked, without when it was answered; final reads left out."""
    c = history.columns
    on_schedule = c.intended < c.called
    rows = zip(c.client.tolist(), c.kind.texts(), c.key.texts(), c.value, np.round(c.intended, 9), strict=True)
    return sorted(
        (client, at, kind, key, value if kind == "append" else None)
        for (client, kind, key, value, at), scheduled in zip(rows, on_schedule.tolist(), strict=True)
        if scheduled
    )


# --- what it returns


def test_a_kill_under_load_is_recorded(stack, folder, monkeypatch):
    monkeypatch.setenv("WORKBENCH_PROGRESS", str(folder / "progress"))
    history = run(stack, Appends(), faults=[between(0.6, 1.0, Kill("redis"))], rate_hz=300, duration_s=1.6, seed=3)
    assert history.doubts == ()
    (window,) = history.windows
    assert window.fault == "kill redis"
    assert 0.6 <= window.began < window.healed
    assert window.proof
    assert history.count("ok") > 200
    assert history.count("fail") > 30
    appends = history.where(kind="append")
    assert len(set(appends.columns.value)) == len(appends)
    finals = history.where(kind="read", also=lambda c: c.called >= 1.6)
    assert {operation.key for operation in finals} == {f"k{n}" for n in range(8)}
    assert finals.count("ok") == len(finals)
    assert history.facts["due"] == history.facts["started_of_due"] == 480
    assert history.facts["seed"] == 3
    assert {*history.facts["service_rss_bytes"]["redis"]} == {"before", "loaded"}
    assert drivers_alive() == []

    assert history.facts["path"] == str(folder / "history")
    files = ["history.parquet", "logs.jsonl", "run.json", "samples.jsonl"]
    assert sorted(path.name for path in (folder / "history").iterdir()) == files
    again = History.read(folder / "history")
    assert repr(again) == repr(history)
    assert list(map(str, again)) == list(map(str, history))

    told = [json.loads(line) for line in (folder / "progress").read_text().splitlines()]
    assert [event["state"] for event in told if event["event"] == "fault"] == ["begin", "proven", "heal"]
    assert any(event["event"] == "run" and event["rate"] > 0 for event in told)


def test_several_workloads_share_the_clients_and_several_drivers_play_them(stack, folder):
    history = run(
        stack, [Appends(via="app"), Sessions(sockets=2)], clients=8, rate_hz=160, duration_s=1.2, drivers=2,
        faults=[between(0.8, 1.0, Nothing())],
    )  # fmt: skip
    assert "unproven" not in kinds(history)
    by = {
        name: set(history.where(workload=name).columns.client.tolist())
        for name in ("appends in redis via app", "sessions")
    }
    assert by == {"appends in redis via app": {0, 2, 4, 6}, "sessions": {1, 3, 5, 7}}
    counts = [(operation.key, operation.value) for operation in history.where(kind="count")]
    for account in ("account 0", "account 1"):  # whose sockets one driver holds
        open_ = [value for key, value in counts if key == account]  # in the steady state, at the end, when closed
        assert open_ == [{"reported": n, "open": n} for n in (2, 2, 0)]
    assert len(history.where(kind="connect")) == 4
    values = history.where(kind="append").columns.value
    assert len(set(values)) == len(values)


def test_the_same_seed_asks_the_same_at_the_same_times(stack, folder):
    one, same, other = (asked(run(stack, Appends(), rate_hz=200, duration_s=0.4, seed=seed)) for seed in (1, 1, 2))
    assert len(one) == 80
    assert one == same
    assert one != other
    assert {path.name for path in folder.iterdir()} >= {"history", "history-2", "history-3"}


@pytest.mark.parametrize("wrong", [(), (0,), (-1, 5), ("5",), (float("nan"),), (True,)])
def test_steps_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError, match="Steps "):
        Steps(*wrong)
    with pytest.raises(UsageError, match="numbers above 0; got 0"):
        Steps(5, each_s=0)


def test_steps_say_what_they_are():
    assert repr(Steps(500, 1000, each_s=2)) == "500, 1,000 operations/s, each for 2 s"


def test_a_closed_loop_needs_no_rate(stack, folder):
    history = run(stack, Appends(), clients=2, duration_s=0.3)
    assert history.doubts == ()
    assert history.count("ok") == len(history) > 100


# --- what it refuses


@dataclass(frozen=True)
class Half:
    name = "half"


class Unhandy(Recite):
    def __reduce__(self):
        raise TypeError("it holds a socket")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"clients": 0}, "clients is from 1"),
        ({"clients": 2.5}, "clients is a whole number"),
        ({"rate_hz": -1}, "rate_hz is a number above 0"),
        ({"rate_hz": "400"}, "rate_hz is a number above 0"),
        ({"duration_s": float("nan")}, "duration_s is a number above 0"),
        ({"timeout_s": 0}, "timeout_s is a number above 0"),
        ({"seed": "seven"}, "seed is a whole number"),
        ({"clients": True}, "clients is a whole number"),
        ({"duration_s": 0}, "duration_s is a number above 0"),
        ({"duration_s": float("inf")}, "duration_s is a number above 0"),
        ({"rate_hz": float("nan")}, "rate_hz is a number above 0"),
        ({"steady": 99}, "steady is the share"),
        ({"rate_hz": Steps(10, 20), "duration_s": 3}, "The steps last 2 s, and so does the run; got duration_s=3"),
        ({"opening_s": -1}, "opening_s is a number above 0"),
        ({"opening_s": 8}, "opening_s is a part of the run, which lasts 8 s; got 8"),
        ({"drivers": 9}, "drivers is from 1 to 8"),
        ({"faults": [Kill("redis")]}, "between"),
        ({"faults": Kill("redis")}, r"a list of between\(…\) and every\(…\); got Kill"),
        ({"faults": between(1, 2, Kill("redis"))}, "a list of between"),
        ({"faults": [between(1, 2, Kill("reddis"))]}, "no 'reddis' in this stack.*did you mean 'redis'"),
        ({"faults": [between(1, 2, Stop("mongo"))]}, "no 'mongo' in this stack"),
        ({"faults": [between(1, 2, Partition("ap", "redis"))]}, "no link between ap and redis.*app → redis"),
        ({"faults": [between(1, 2, Delay("reddis"))]}, "no link to reddis"),
        ({"faults": [between(1, 4, Kill("redis")), between(3, 5, Pause("redis"))]}, "both hold the process of redis"),
        ({"faults": [every(3, Partition("redis")), between(3, 5, Partition("app", "redis"))]}, "both hold the timeout"),
        ({"faults": [between(1, 30, Kill("redis"))]}, "is not healed before the run ends"),
        ({"faults": [every(2, Nothing(), lasting=1.9), between(3, 5, Nothing())]}, "before .* has healed"),
        ({"workload": []}, "cannot share 8 clients"),
        ({"workload": Appends}, "the class Appends is no workload"),
        ({"workload": Half()}, "it has no prepare, connect"),
        ({"workload": [Appends(), Appends(keys=3)]}, "both called 'appends in redis'"),
        ({"workload": Appends(store="postgres")}, "needs postgres in the stack"),
        ({"workload": Unhandy()}, "cannot be handed to another process: it holds a socket"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(stack, folder, given, said):
    workload = given.pop("workload", Appends())
    with pytest.raises(UsageError, match=said):
        run(stack, workload, **given)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("stack", ["redis", Stack, None])
def test_a_run_needs_a_stack(stack, folder):
    with pytest.raises(UsageError, match="needs a stack that was started"):
        run(stack, Appends())


def test_a_workload_of_the_notebook_itself_is_refused(stack, folder, monkeypatch):
    monkeypatch.setattr(Half, "__module__", "__main__")
    for name in ("prepare", "connect", "next", "do", "classify", "close", "steady", "final"):
        monkeypatch.setattr(Half, name, print, raising=False)
    monkeypatch.setattr(Half, "services", (), raising=False)
    monkeypatch.setattr(Half, "connect_kind", None, raising=False)
    with pytest.raises(UsageError, match="Put the class into a file beside the notebook"):
        run(stack, Half())


def test_a_service_that_does_not_run_is_named(folder):
    stack = Stack("redis")
    with pytest.raises(UsageError, match="redis is not there yet"):
        run(stack, Appends())


# --- what makes it doubtful


def test_an_absurd_rate_saturates_the_driver(stack, folder):
    history = run(stack, Appends(), rate_hz=500_000, duration_s=0.3, timeout_s=0.2)
    (doubt,) = history.doubts
    assert doubt.kind == "saturated"
    assert "asked were 500,000 operations/s, offered " in doubt.text


def test_a_rate_in_steps_that_the_driver_cannot_offer_saturates_it(stack, folder):
    workload = Recite(quick=True)  # which is answered at once: nobody else can be slow
    history = run(stack, workload, clients=100, rate_hz=Steps(200, 500_000, each_s=0.4), timeout_s=0.2)
    (doubt,) = history.doubts
    assert doubt.kind == "saturated"
    assert "asked were 500,000 operations/s from 0.4 s on" in doubt.text
    assert history.facts["rate_hz"] == 500_000
    assert [(step["begin_s"], step["rate_hz"]) for step in history.facts["steps"]] == [(0.0, 200.0), (0.4, 500_000.0)]
    assert history.facts["steps"][1]["due"] > 50_000


def test_a_step_that_the_driver_makes_up_for_later_is_told_of(stack, folder):
    history = run(stack, Recite(quick=True), clients=100, rate_hz=Steps(200, 500_000, each_s=0.2), timeout_s=30)
    first, last = history.facts["steps"]
    assert last["started"] == last["due"]
    assert last["behind"] > 0.5 * last["due"]
    assert first["behind"] < 0.5 * first["due"]


@pytest.mark.parametrize("quick", [False, True])
def test_clients_that_are_busy_in_the_last_steps_are_no_doubt(stack, folder, quick):
    history = run(
        stack, Recite(takes_s=0.05, quick=quick), clients=4, rate_hz=Steps(20, 400, each_s=0.5), timeout_s=0.2
    )
    assert history.doubts == ()
    first, last = history.facts["steps"]
    assert first["due"] == first["started"]
    assert 8 <= first["due"] <= 12  # two or three times each
    assert last["started"] < 0.8 * last["due"]
    steadily = run(stack, Recite(takes_s=0.05, quick=quick), clients=4, rate_hz=400, duration_s=0.5, timeout_s=0.2)
    assert kinds(steadily) == ["saturated"]
    assert "all 4 clients were busy" in steadily.doubts[0].text


@dataclass(frozen=True)
class Blunt:
    """A fault that does nothing and cannot be seen."""

    breaks: bool = False

    def __str__(self):
        return "blunt redis"

    def begin(self, stack):
        if self.breaks:
            raise OSError("the knife is lost")

    def prove(self, stack):
        raise NotProven("Redis did not feel it.")

    def heal(self, stack):
        pass


def test_a_fault_without_effect_is_doubted(stack, folder):
    history = run(stack, Appends(), rate_hz=200, duration_s=0.6, faults=[between(0.3, 0.4, Blunt())])
    assert [str(doubt) for doubt in history.doubts] == ["Redis did not feel it."]
    assert history.windows[0].proof == ""


def test_a_fault_before_the_steady_state_is_known_is_not_begun(stack, folder):
    history = run(stack, Appends(), rate_hz=200, duration_s=5, faults=[between(0.01, 1, Kill("redis"))])
    assert kinds(history) == ["unsteady"]
    assert "only " in history.doubts[0].text
    assert history.windows == ()
    assert history.duration_s < 2
    assert stack["redis"].alive


def test_a_steady_state_that_is_not_met_ends_the_run(stack, folder):
    history = run(stack, Recite(broken=5), rate_hz=200, duration_s=5, faults=[between(0.6, 4, Kill("redis"))])
    assert kinds(history) == ["unsteady"]
    assert "The steady state was not met: " in history.doubts[0].text
    assert "99.0% are needed" in history.doubts[0].text
    assert history.windows == ()
    calm = run(stack, Recite(broken=5), rate_hz=200, duration_s=0.5)
    assert calm.doubts == ()  # without a fault there is no gate: errors are what a checker judges


def test_a_service_that_dies_unasked_is_doubted_with_its_log(folder):
    with Stack("redis") as stack:
        threading.Timer(1.0, lambda: os.kill(stack["redis"].pid, signal.SIGKILL)).start()
        history = run(stack, Appends(), rate_hz=200, duration_s=20)
    (doubt,) = history.doubts
    assert doubt.kind == "died"
    assert doubt.text.startswith("redis died unasked at ")
    assert "Ready to accept connections" in doubt.text
    assert history.duration_s < 15


@pytest.fixture
def heeded():
    """Ctrl-C is: who starts the tests in the background may have had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_ctrl_c_heals_and_keeps_what_was_recorded(stack, folder):
    def interrupt():  # not before the fault is in force: on a busy machine it may take seconds until the load begins
        until = time.monotonic() + 20
        while not (folder / "history" / "windows.jsonl").exists() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.5)
        _thread.interrupt_main()

    threading.Thread(target=interrupt).start()
    history = run(stack, Appends(), rate_hz=200, duration_s=30, faults=[between(0.3, 20, Pause("redis"))])
    assert kinds(history) == ["interrupted"]
    assert history.windows[0].healed is not None
    assert not stack["redis"].paused
    assert stack["redis"].ask() < 1
    assert history.count("ok") > 20
    assert drivers_alive() == []
    assert list(map(str, History.read(folder / "history"))) == list(map(str, history))


# --- what goes wrong


def test_a_fault_that_cannot_be_begun_ends_the_run(stack, folder):
    with pytest.raises(FaultError, match=r"blunt redis could not be begun at .*: the knife is lost"):
        run(stack, Appends(), rate_hz=200, duration_s=20, faults=[between(0.3, 0.4, Blunt(breaks=True))])
    assert drivers_alive() == []
    assert len(History.read(folder / "history")) > 0


@dataclass(frozen=True)
class Spill(Pause):
    """A pause in which the record of the windows cannot be written any more."""

    def begin(self, stack):
        super().begin(stack)
        windows = Path(os.environ["WORKBENCH_RUN"]) / "history" / "windows.jsonl"
        windows.rename(windows.with_name("kept"))
        windows.mkdir()


def test_a_fault_whose_record_cannot_be_written_is_healed(stack, folder):
    with pytest.raises(HistoryError, match=r"windows\.jsonl cannot be written"):
        run(stack, Appends(), rate_hz=200, duration_s=20, faults=[between(0.3, 10, Spill("redis"))])
    assert not stack["redis"].paused
    assert stack["redis"].ask() < 1
    assert drivers_alive() == []


def test_clients_that_cannot_be_set_up_are_an_error(stack, folder):
    with pytest.raises(DriverError, match="nobody listens"):
        run(stack, Recite(deaf=True), duration_s=1)
    assert drivers_alive() == []


@dataclass(frozen=True)
class Deadly(Pause):
    """A pause in which a driver is killed after a while."""

    def begin(self, stack):
        super().begin(stack)
        threading.Timer(1.0, os.kill, (drivers_alive()[0], signal.SIGKILL)).start()


def test_a_killed_driver_is_an_error_and_its_record_is_kept(stack, folder):
    with pytest.raises(DriverError, match="ended unasked with return code -9"):
        run(stack, Appends(), rate_hz=200, duration_s=20, faults=[between(0.2, 18, Deadly("redis"))])
    assert not stack["redis"].paused
    history = History.read(folder / "history")
    assert kinds(history) == ["interrupted"]
    assert history.count("ok") > 20
    assert "never returned" in history.columns.error.names  # the paused Redis still owed answers


def test_without_room_on_the_disk_the_history_is_in_memory(stack, folder):
    def fill():
        part = folder / "history" / "part-0.bin"
        while not (part.exists() and drivers_alive()):
            time.sleep(0.01)
        resource.prlimit(drivers_alive()[0], resource.RLIMIT_FSIZE, (2000, 2000))

    threading.Thread(target=fill).start()
    history = run(stack, Appends(), rate_hz=400, duration_s=1)
    assert kinds(history) == ["damaged"]
    assert "File too large" in history.doubts[0].text
    assert "whole in memory only" in history.doubts[0].text
    assert len(history) == 408


SCRIPT = """
from workbench import *
stack = Stack("redis").start()
print("started", flush=True)
run(stack, Appends(), rate_hz=400, duration_s=60, faults=[between(1, 50, Pause("redis"))])
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_kernel_leaves_a_readable_record(tmp_path, how):
    owner = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env={**os.environ, "WORKBENCH_RUN": str(tmp_path)}, stdout=subprocess.PIPE
    )
    windows = tmp_path / "history" / "windows.jsonl"
    deadline = time.monotonic() + 30
    while not (windows.exists() and "proof" in windows.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    owner.send_signal(how)
    owner.wait()
    owner.stdout.close()
    time.sleep(0.5)  # its drivers end
    history = History.read(tmp_path / "history")
    assert kinds(history) == ["interrupted"]
    assert history.count("ok") > 300
    assert [window.fault for window in history.windows] == ["pause redis"]
    assert history.windows[0].healed is None
    assert history.facts["rate_hz"] == 400


NOTEBOOK = [
    "from workbench import *\nstack = Stack('redis').start()",
    "history = run(stack, Appends(), duration_s=1)\nhistory",
]


def test_nothing_of_the_progress_stays_in_a_notebook(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(source) for source in [*NOTEBOOK, "stack.stop()"]]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = notebook.cells[1].outputs
    assert [output.output_type for output in outputs] == ["execute_result"]
    assert "operations by 8 clients in 1.0 s" in outputs[0].data["text/plain"]


def test_importing_run_imports_nothing_heavy():
    heavy = {"pandas", "matplotlib", "pyarrow", "pymongo", "psycopg"}
    code = f"import sys, workbench.runs; print({heavy} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert shown.stdout.strip() == "set()"


CROWD = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from workbench import *
with Stack("redis") as stack:
    history = run(stack, Appends(), clients={clients}, duration_s=0.5, timeout_s=5)
    print(history.count("ok") > {clients}, history.count("fail"), history.count("info"), history.doubts)
"""


def crowd(tmp_path, **given):
    """What a run of so many clients prints in a process that may have so many descriptors."""
    return subprocess.run(
        [sys.executable, "-c", CROWD.format(**given)],
        env={**os.environ, "WORKBENCH_RUN": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip


def test_a_limit_of_descriptors_that_may_be_raised_is(tmp_path):
    assert crowd(tmp_path, soft=128, hard=2048, clients=300).stdout == "True 0 0 ()\n"


def test_too_few_descriptors_are_named_before_anything_starts(tmp_path):
    ended = crowd(tmp_path, soft=256, hard=512, clients=300)
    assert ended.returncode != 0
    assert "300 clients need 664 file descriptors in one process" in ended.stderr
    assert "the limit is 512. Raise it with `ulimit -n 664`" in ended.stderr
    assert not (tmp_path / "history").exists()
