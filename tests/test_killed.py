"""Runs that are killed, and disks that fill up, at any moment: what is left is readable, and nothing in it is held."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from workbench import report
from workbench.records import read_run
from workbench.verify import verify

CELLS = [
    """
import os, signal, threading, time
from workbench import Appends, Evidence, History, Stack, durable, run
from workbench.history import Operation, Window

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def drivers():
    import psutil
    family = psutil.Process().children(recursive=True)
    return [one for one in family if "workbench.driver" in " ".join(one.cmdline())]

def soon(act):
    def wait():
        while not drivers():
            time.sleep(0.05)
        time.sleep(0.5)
        act()
    threading.Thread(target=wait, daemon=True).start()

def kept(folder):
    common = dict(client=1, workload="appends", key="k", outcome="ok", error="")
    append = Operation(kind="append", value=1, intended=1.0, called=1.0, returned=1.1, **common)
    read = Operation(kind="read", value=[1], intended=6.0, called=6.0, returned=6.1, **common)
    window = Window(fault="kill redis", began=2.0, healed=3.0, proof="refused")
    History.of([append, read], windows=[window], facts={"duration_s": 7.0}).save(folder)
    return History.read(folder)

if where == "first_cell":
    die()
evidence = Evidence(durable="Every append is still there.", other="So is every other.")
evidence
""",
    """
if where == "in_run":
    soon(die)
if where == "driver":
    soon(lambda: drivers()[0].kill())
if where in ("in_run", "driver", "wait_in_run"):
    history = run(Stack("redis").start(), Appends(), clients=2, rate_hz=100, duration_s=60)
else:
    history = kept(evidence.folder / "history")
evidence.decide(durable=durable(history))
""",
    """
if where == "wait_decided":
    time.sleep(60)
evidence.decide(other=durable(history))
if where == "concluding":
    evidence._update = die
evidence.conclude()
""",
]

COMMANDS = """
import json, os, resource, shutil, sys
from pathlib import Path
from workbench import chain, report, results
from workbench.cli import call, running
from workbench.execute import ending, engine, many
from workbench.report import notebook

keep = results.keep

def fill(*given, **named):
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    return keep(*given, **named)

def left(how, act):
    def copy_before(*given, **named):
        shutil.copytree(Path("outputs/full_results"), Path("outputs", how), symlinks=True)
        return act(*given, **named)
    return copy_before

def command(how, names):
    os.environ["WORKBENCH_OUTPUTS"] = str(Path("outputs", how).absolute())
    if how == "full_results":
        many.judge = left("settling", many.judge)
        ending.chain.write = left("sealing", ending.chain.write)
        results.keep = left("results", fill)
    os._exit(call(["run", *names, "-n", "4"]))

pids = {how: os.fork() or command(how, names) for how, names in json.loads(sys.argv[1]).items()}
Path("pids.json").write_text(json.dumps(pids))
codes = {how: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for how, pid in pids.items()}
Path("codes.json").write_text(json.dumps(codes))
"""
"""Many a ``workbench run`` at once; what they need is imported once. A runner that is killed, and has no kernel any
more, leaves what is on disk at this moment: of one that comes to its end that is copied, at each moment of interest."""


def write(notebooks: Path, name: str, *, where: str) -> None:
    cells = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# What if it is killed: {name}?"},
        {
            "cell_type": "code",
            "id": "parameters",
            "metadata": {"tags": ["parameters"]},
            "source": f'where: str = "{where}"  # where it dies',
            "outputs": [],
            "execution_count": None,
        },
        *(
            {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": source.strip(), "outputs": [],
             "execution_count": None}
            for n, source in enumerate(CELLS)
        ),
    ]  # fmt: skip
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (notebooks / f"{name}.ipynb").write_text(json.dumps(notebook))


IN_KERNEL = ["first_cell", "in_run", "concluding", "driver"]
"""One runner runs them side by side: it survives them all."""
AT_ITS_END = ["settling", "sealing", "results", "full_results"]
FROM_OUTSIDE = {"starting": "begin", "wait_in_run": "run", "wait_decided": "claim", "full_in_run": "run"}
"""Until which event of its notebook the runner lives."""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folder of each run, after it was killed."""
    home = tmp_path_factory.mktemp("killed")
    (home / "notebooks").mkdir()
    for name in IN_KERNEL:
        write(home / "notebooks", name, where=name)
    for name in ("full_results", *FROM_OUTSIDE):
        write(home / "notebooks", name, where="wait_in_run" if name == "full_in_run" else name)
    wanted = {"kernels": IN_KERNEL} | {name: [name] for name in (*FROM_OUTSIDE, "full_results")}
    env = {name: value for name, value in os.environ.items() if name != "WORKBENCH_RUN"}
    command = [sys.executable, "-c", COMMANDS, json.dumps(wanted)]
    commands = subprocess.Popen(command, cwd=home, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        waiting, end = dict(FROM_OUTSIDE), time.monotonic() + 90
        while waiting and time.monotonic() < end and commands.poll() is None:
            for name in [name for name, event in waiting.items() if told(home, name, event)]:
                runner = psutil.Process(json.loads((home / "pids.json").read_text())[name])
                fill_up(runner) if name == "full_in_run" else runner.kill()
                del waiting[name]
            time.sleep(0.02)
        shown, _ = commands.communicate(timeout=90)
    finally:
        family = psutil.Process(commands.pid).children(recursive=True) if commands.poll() is None else []
        for process in [*family, commands]:
            process.kill()
        commands.wait()
    codes = json.loads((home / "codes.json").read_text())
    assert "was destroyed" not in shown, "what asyncio says of a loop that nobody closed"
    assert codes["kernels"] == codes["full_in_run"] == codes["full_results"] == 3, shown
    assert {codes[name] for name in ("starting", "wait_in_run", "wait_decided")} == {-9}, shown
    return {name: outputs_of(home, name) for name in (*wanted, *AT_ITS_END)}


def outputs_of(home: Path, how: str) -> Path:
    return next(path for path in (home / "outputs" / how).iterdir() if path.is_dir() and not path.is_symlink())


def told(home: Path, name: str, event: str) -> bool:
    with contextlib.suppress(OSError, StopIteration):
        text = (outputs_of(home, name) / name / "logs" / "progress.jsonl").read_text()
        return any(f'"event": "{event}"' in line for line in text.splitlines())
    return False


def fill_up(runner: psutil.Process) -> None:
    """From here on nothing that runs can make a file longer, as on a full disk."""
    for process in [runner, *runner.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
    for process in runner.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "redis-server" in process.name():
                process.send_signal(signal.SIGKILL)  # the run is to end before its minute is over


@pytest.mark.parametrize("where", [*FROM_OUTSIDE, *AT_ITS_END])
def test_a_run_that_was_cut_off_is_readable_and_nothing_in_it_is_held(killed, where):
    run = read_run(killed[where])
    (note,) = run.notes
    assert not run.whole and note.reason and note.verdict == "unknown"
    assert {claim.verdict for claim in note.claims} <= {"unknown"}
    assert len(note.claims) == (0 if where == "starting" else 2)
    page = report.write(killed[where]).read_text()
    assert note.title in page
    verified = verify(killed[where])
    assert verified.exit_code == 6
    assert "cut off before it was sealed" in verified.sentence
    alone = verify(note.folder)
    assert alone.exit_code == 6 and read_run(note.folder).notes[0].verdict == "unknown"


def test_what_held_until_then_is_said(killed):
    (note,) = read_run(killed["wait_decided"]).notes
    assert note.claims[0].measured.startswith("Held until then: All ")
    assert note.claims[1].measured == "Not decided: the notebook ended before."
    first, second = verify(killed["wait_decided"]).claims
    assert (first.state, second.state) == ("unsure", "agrees")
    assert "its history says so again" in first.why


@pytest.mark.parametrize("where", IN_KERNEL)
def test_a_notebook_whose_kernel_or_driver_was_killed_is_settled_and_sealed(killed, where):
    run = read_run(killed["kernels"])
    note = next(note for note in run.notes if note.name == where)
    assert run.whole and note.reason and not note.concluded and note.verdict == "unknown"
    assert {claim.verdict for claim in note.claims} <= {"unknown"}
    stored = (note.folder / "verdict.json").read_text()
    assert '"held"' not in stored
    assert (run.results["summary"]["held"], run.results["summary"]["unknown"]) == (0, 6)
    verified = verify(note.folder)
    assert verified.breaks == []
    assert verified.exit_code == 6
    if where == "concluding":
        assert [claim.measured[:16] for claim in note.claims] == ["Held until then:"] * 2


def test_the_run_around_them_is_whole(killed):
    verified = verify(killed["kernels"])
    assert verified.breaks == []
    assert verified.exit_code == 6
    assert report.write(killed["kernels"]).exists()
    assert verify(killed["kernels"]).breaks == []
