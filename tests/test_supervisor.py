"""What the supervisor starts ends with its owner, whatever way that ends; and nothing else does."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import leftovers
import pytest
from waiting import eventually

from workbench.errors import ServiceError
from workbench.runtimes.children import keeper
from workbench.runtimes.folders import new_folder, passing, stale_folders, sweep
from workbench.runtimes.supervisor import descendants

DAEMON = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\ntime.sleep(300)"
DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(300)"


def python(code, **options):
    return keeper().spawn([sys.executable, "-I", "-S", "-c", code], **options)


def test_the_end_of_a_child_is_told_with_its_code_and_time():
    ends = []
    began = time.monotonic_ns()
    child = python("raise SystemExit(7)", on_exit=ends.append)
    assert child.wait(5) == 7
    assert eventually(lambda: ends == [child])
    assert began < child.ended_ns < time.monotonic_ns()
    assert repr(child).endswith("ended with 7")
    assert not child.signal(signal.SIGTERM)


def test_a_start_that_is_interrupted_leaves_nothing():
    """As by Ctrl-C while the supervisor starts it: whoever asked for it gets no child, so nobody could end it."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    os.kill(keeper().pid, signal.SIGSTOP)  # so that it is certainly not there yet
    goes_on = threading.Timer(0.3, os.kill, (keeper().pid, signal.SIGCONT))
    goes_on.start()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            keeper().spawn(["sleep", "31.4159"])
    finally:
        signal.signal(signal.SIGALRM, before)
        goes_on.join()
    python("").wait(5)  # by now that other one would be there
    assert eventually(lambda: not sleeping("31.4159"), within_s=5)


def sleeping(how_long):
    lines = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if os.access(file, os.R_OK)]
    return [line for line in lines if line.split(b"\0")[:2] == [b"sleep", how_long.encode()]]


def test_pipes_carry_lines():
    child = python("for line in open(0): print(line.upper(), end='', flush=True)", pipes=True)
    print("one", file=child.stdin)
    assert child.stdout.readline() == "ONE\n"
    child.stdin.close()
    assert child.wait(5) == 0
    child.close()


def test_output_is_appended_to_the_log(tmp_path):
    for word in ("first", "second"):
        assert python(f"import os; os.write(1, b'{word}\\n'); os.write(2, b'!\\n')", log=tmp_path / "log").wait(5) == 0
    assert (tmp_path / "log").read_text().split() == ["first", "!", "second", "!"]
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_what_cannot_be_started_says_why(tmp_path):
    with pytest.raises(ServiceError, match=r"No such file or directory \(nonesuch\)"):
        keeper().spawn(["nonesuch"])
    with pytest.raises(ServiceError, match="nowhere"):
        keeper().spawn(["true"], cwd=tmp_path / "nowhere")
    with pytest.raises(ServiceError, match="bytes"):
        keeper().spawn(["true"], env={"LARGE": "x" * 2_000_000})
    with pytest.raises(TypeError, match="sequence"):
        keeper().spawn("true")


def test_a_tree_is_stopped_continued_and_killed_as_one():
    child = keeper().spawn(["sh", "-c", "setsid sleep 300 & setsid sleep 300 & wait"])
    names = lambda: [Path(f"/proc/{pid}/comm").read_text().strip() for pid in descendants(child.pid)]  # noqa: E731
    assert eventually(lambda: names() == ["sleep", "sleep"])
    below = descendants(child.pid)
    states = lambda: {Path(f"/proc/{pid}/stat").read_text().split()[2] for pid in [child.pid, *below]}  # noqa: E731
    assert child.signal_tree(signal.SIGSTOP) == 3
    assert eventually(lambda: states() == {"T"})
    assert child.signal_tree(signal.SIGCONT) == 3
    assert eventually(lambda: states() == {"S"})
    child.signal_tree(signal.SIGSTOP)
    child.kill()
    assert child.returncode == -signal.SIGKILL
    assert not set(below) & set(descendants(keeper().pid))
    child.kill()  # a second time does nothing


def test_a_namespace_of_its_own_hides_that_we_are_root(tmp_path):
    child = keeper().spawn(["id", "-u"], namespace=True, log=tmp_path / "log")
    assert child.wait(5) == 0
    assert (tmp_path / "log").read_text().strip() == "1000"


OWNER = """
import os, signal, sys, time
from workbench.runtimes.children import keeper
from workbench.runtimes.folders import new_folder
folder = new_folder(keeper().keep)
(folder / "file").touch()
daemon = keeper().spawn([sys.executable, "-c", {daemon!r}], cwd=folder)
deaf = keeper().spawn([sys.executable, "-c", {deaf!r}], cwd=folder)
halted = keeper().spawn(["sleep", "300"], cwd=folder)
halted.signal(signal.SIGSTOP)
daemon.wait()
print("ready", keeper().pid, deaf.pid, halted.pid, flush=True)
{ending}
"""


@contextlib.contextmanager
def owner(ending):
    """A process that has started things and then ends; its marker, itself, the pids of what it started."""
    name, value = "WORKBENCH_TEST", f"{os.getpid()}-{time.monotonic_ns()}"
    code = textwrap.dedent(OWNER).format(daemon=DAEMON, deaf=DEAF, ending=ending)
    argv, env = [sys.executable, "-c", code], {**os.environ, name: value}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, env=env, text=True, **pipes) as process:
        pids = [int(word) for word in process.stdout.readline().split()[1:]]
        assert len(pids) == 3
        yield f"{name}={value}", process, pids


@pytest.mark.parametrize(
    "ending",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os.kill(os.getpid(), signal.SIGINT)",
        "sys.exit(0)",
        "os._exit(0)",
        "raise ValueError",
        "import threading; threading.Thread(target=time.sleep, args=(300,), daemon=True).start()",
    ],
)
def test_nothing_outlives_the_owner(ending):
    with owner(ending) as (marker, process, pids):
        process.wait(10)
        assert leftovers.left(marker, process.pid, pids) == []


def test_nothing_outlives_the_owner_though_its_fork_does():
    fork = "copy = os.fork()\nif copy == 0: time.sleep(300)\nprint(copy, flush=True)\nos._exit(0)"
    with owner(fork) as (marker, process, pids):
        copy = int(process.stdout.readline())
        process.wait(10)
        try:
            assert leftovers.left(marker, process.pid, pids, but=[copy]) == []
            assert leftovers.alive(copy)
        finally:
            os.kill(copy, signal.SIGKILL)


def test_a_killed_supervisor_takes_its_children_along_and_is_replaced():
    gone = keeper()
    child = gone.spawn(["sleep", "300"])
    os.kill(gone.pid, signal.SIGKILL)
    assert child.wait(5) == -signal.SIGKILL
    assert eventually(lambda: not Path(f"/proc/{child.pid}").exists(), within_s=5)
    assert eventually(lambda: bool(gone.ended))
    with pytest.raises(ServiceError, match="the supervisor is gone"):
        gone.spawn(["true"])
    gone.stop()
    assert keeper() is not gone
    assert keeper().spawn(["true"]).wait(5) == 0


FORK = """
import os, warnings
from workbench.runtimes.children import keeper
warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads
child, parents = keeper().spawn(["sleep", "300"]), keeper().pid
if os.fork() == 0:
    print(keeper().pid != parents, keeper().spawn(["true"]).wait(5), flush=True)
    raise SystemExit
os.wait()
print(child.alive, keeper().pid == parents)
"""


def test_a_fork_has_a_supervisor_of_its_own_and_leaves_its_parents_alone():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True 0\nTrue True\n"
    assert done.stderr == ""


def test_a_stale_folder_is_swept_and_a_living_one_is_not():
    mine = new_folder(keeper().keep)
    told = subprocess.run(
        [sys.executable, "-c", "from workbench.runtimes.folders import new_folder; print(new_folder(str))"],
        capture_output=True,
        text=True,
        check=True,
    )
    stale = Path(told.stdout.strip())
    (stale / "file").touch()
    assert stale in stale_folders()
    assert mine not in stale_folders()
    assert stale in sweep()
    assert not stale.exists()
    assert mine.exists()
    keeper().forget(mine)
    mine.rmdir()


def test_what_a_killed_command_had_for_itself_is_swept(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # else a clean in another test may be quicker
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = "import os; from workbench.runtimes.folders import passing\nwith passing() as place:\n"
    code += "    (place / 'file').touch(); print(place, flush=True); os.kill(os.getpid(), 9)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    left = Path(told.stdout.strip())
    assert left.exists()
    assert left in sweep()
    with passing() as mine:
        assert mine not in sweep()
    assert not mine.exists()


def test_no_space_for_data_says_where_and_what_to_do():
    with pytest.raises(ServiceError, match=r"No space .* MiB are needed.*TMPDIR"):
        new_folder(str, room=1 << 60)


@pytest.mark.parametrize("ending", ["stop", "SIGKILL"])
def test_last_acts_are_done_when_every_process_has_ended(ending, tmp_path):
    """One that cannot be run, and one that was asked for twice, are no trouble."""
    code = f"""
        import os, signal, sys
        from workbench.runtimes.children import keeper
        child = keeper().spawn(["sleep", "60"])
        there = f"str(os.path.exists('/proc/{{child.pid}}'))"
        act = f"import os; open({str(tmp_path)!r} + '/' + {{there}}, 'a').write('x')"
        keeper().last(["/no/such/program"])
        for _ in range(2):
            keeper().last([sys.executable, "-I", "-S", "-c", act])
        if {ending!r} == "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], timeout=30, check=False)
    assert eventually(lambda: (tmp_path / "False").exists() and (tmp_path / "False").read_text() == "x")
    assert not (tmp_path / "True").exists()
