"""Every way a notebook can end: the exit code, the reason, what is kept, and that nothing is left."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import eventually

from workbench import chain
from workbench.errors import WorkbenchError
from workbench.execute.ending import Ended, Failure, Job, judge, overall
from workbench.execute.folder import check_room, new_run_folder, point_latest
from workbench.execute.many import execute

NOTEBOOKS = Path(__file__).parent / "notebooks"


def job(name: str, folder: Path, **parameters: object) -> Job:
    place = folder / name
    place.mkdir()
    return Job(name, NOTEBOOKS / f"{name}.ipynb", place, parameters)


def run(name: str, folder: Path, *, cell_timeout_s: float = 30.0, **parameters: object) -> Ended:
    return execute([job(name, folder, **parameters)], cwd=folder, cell_timeout_s=cell_timeout_s)[0]


def verdicts(ended: Ended) -> dict:
    return json.loads((ended.job.folder / "verdict.json").read_text())


def cells(ended: Ended) -> list[dict]:
    return json.loads((ended.job.folder / "notebook.ipynb").read_text())["cells"]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_notebook_whose_claims_hold_ends_with_0_and_gets_its_parameters(tmp_path):
    ended = run("held", tmp_path, clients=12, label="loud")
    assert (ended.verdict, ended.exit_code, ended.reason) == ("held", 0, "")
    assert ended.claims[0]["text"] == "held with 12 clients, 100.0 per second, label 'loud'"
    injected = next(cell for cell in cells(ended) if "injected-parameters" in cell["metadata"].get("tags", []))
    assert "clients = 12" in "".join(injected["source"])
    assert (ended.job.folder / "logs" / "kernel.log").exists()


@pytest.mark.parametrize(("name", "code"), [("refuted", 1), ("unknown", 6)])
def test_the_verdict_of_the_last_cell_is_the_exit_code(tmp_path, name, code):
    ended = run(name, tmp_path)
    assert (ended.verdict, ended.exit_code, ended.reason) == (name, code, "")
    assert cells(ended)[-1]["outputs"][-1]["output_type"] == "error"


def test_a_failing_cell_ends_with_3_and_its_claims_are_unknown(tmp_path):
    ended = run("broken", tmp_path)
    assert (ended.verdict, ended.exit_code) == ("unknown", 3)
    assert ended.reason == (
        "Code cell 3 of 3 (“The system”) raised ZeroDivisionError: division by zero. "
        "The traceback is in the executed notebook."
    )
    assert "ZeroDivisionError" in "".join(cells(ended)[-1]["outputs"][-1]["traceback"])
    assert verdicts(ended)["claims"][0] == {
        "name": "durable",
        "sentence": "Every append is still there.",
        "verdict": "unknown",
        "text": "Not decided: a cell failed.",
    }


@pytest.mark.parametrize(
    ("name", "why"), [("silent", "without stating a claim"), ("unconcluded", "evidence.conclude()")]
)
def test_a_notebook_that_concludes_nothing_is_never_a_success(tmp_path, name, why):
    ended = run(name, tmp_path)
    assert ended.exit_code == 3
    assert why in ended.reason


@pytest.mark.parametrize(
    ("ename", "code"),
    [("UsageError", 4), ("UnknownService", 4), ("ServiceExited", 3), ("Interrupted", 2), ("ValueError", 3), ("Any", 3)],
)
def test_an_exception_of_the_workbench_keeps_its_exit_code(tmp_path, ename, code):
    ended = judge(Job("n", tmp_path / "n.ipynb", tmp_path), Failure("exception", "Why.", ename), seconds=1)
    assert (ended.verdict, ended.exit_code, ended.reason) == ("unknown", code, "Why.")


HELD = {"name": "durable", "sentence": "S.", "verdict": "held", "text": "All there."}


@pytest.mark.parametrize("kind", ["exception", "timeout", "died", "interrupted", "broken"])
@pytest.mark.parametrize("concluded", [True, False])
def test_a_notebook_that_broke_off_is_not_held_though_its_claims_are(tmp_path, kind, concluded):
    (tmp_path / "verdict.json").write_text(json.dumps({"claims": [HELD], "concluded": concluded}))
    ended = judge(Job("n", tmp_path / "n.ipynb", tmp_path), Failure(kind, "Why.", "E"), seconds=1)
    assert (ended.verdict, ended.exit_code, ended.reason) == ("unknown", 2 if kind == "interrupted" else 3, "Why.")
    assert verdicts(ended)["verdict"] == "unknown"
    assert verdicts(ended)["claims"] == [{**HELD, "verdict": "unknown", "text": "Held until then: All there."}]
    assert verdicts(ended)["concluded"] is False
    assert chain.check(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{ torn",
        "[]",
        '{"concluded": true}',
        '{"claims": 7, "concluded": true}',
        '{"claims": [], "concluded": true}',
        '{"claims": [{"verdict": []}]}',
    ],
)
def test_a_torn_or_empty_record_is_never_a_success(tmp_path, text):
    (tmp_path / "verdict.json").write_text(text)
    ended = judge(Job("n", tmp_path / "n.ipynb", tmp_path), None, seconds=1)
    assert (ended.verdict, ended.exit_code) == ("unknown", 3)


def test_what_cannot_be_kept_is_not_promised(tmp_path):
    (tmp_path / "verdict.json").write_text(json.dumps({"claims": [HELD], "concluded": True}))
    (tmp_path / f".verdict.json.{os.getpid()}").mkdir()  # in the way, as a full disk is
    ended = judge(Job("n", tmp_path / "n.ipynb", tmp_path), None, seconds=1)
    assert (ended.verdict, ended.exit_code, ended.claims[0]["verdict"]) == ("unknown", 3, "unknown")
    assert ended.reason.startswith("verdict.json could not be written and sealed: ")


def test_a_death_that_a_cell_did_not_want_to_hear_of_is_heard(tmp_path):
    record = {"claims": [{**HELD, "verdict": "unknown"}], "concluded": True, "exit_code": 3}
    (tmp_path / "verdict.json").write_text(json.dumps(record))
    ended = judge(Job("n", tmp_path / "n.ipynb", tmp_path), None, seconds=1)
    assert (ended.verdict, ended.exit_code) == ("unknown", 3)
    assert "A service ended unasked" in ended.reason


def test_a_cell_time_out_is_recorded_as_one_and_the_cell_may_heal(tmp_path):
    ended = run("slow", tmp_path, cell_timeout_s=1.5)
    assert (ended.verdict, ended.exit_code) == ("unknown", 3)
    assert "ran out of time: code cell 4 of 5 (“The fault”) was still running after 1.5 s" in ended.reason
    assert verdicts(ended)["claims"][0]["text"] == "Not decided: a cell ran out of time."
    failed = next(cell for cell in cells(ended) if cell["metadata"]["papermill"]["exception"])
    assert failed["metadata"]["papermill"]["status"] == "failed"
    assert failed["outputs"][-1]["ename"] == "CellTimeout"
    assert (ended.job.folder / "healed").exists()
    assert not (ended.job.folder / "went-on").exists()


def test_a_kernel_that_dies_leaves_its_last_words_and_what_was_recorded(tmp_path):
    ended = run("dies", tmp_path)
    assert (ended.verdict, ended.exit_code) == ("unknown", 3)
    assert "The kernel died in code cell 4 of 4 (“The fault”), with exit code 7" in ended.reason
    assert "the last words" in ended.reason
    assert "shown before" in json.dumps(cells(ended)[4]["outputs"])
    assert verdicts(ended)["claims"][0]["text"] == "Not decided: the kernel died."


def test_a_secret_is_nowhere_in_what_is_kept(tmp_path):
    secret = "Tr0ub4dor/3 &"
    ended = run("secret", tmp_path, password=secret, url=f"redis://:{secret}@127.0.0.1")
    assert ended.exit_code == 3
    shapes = [secret, "Tr0ub4dor", "VHIwdWI0ZG9y", "Ryb3ViNGRvc", "UcjB1YjRkb3"]
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert not [shape for shape in shapes if shape in file.read_text()], file
    assert secret not in json.dumps(ended.as_json())
    assert "ValueError: cannot log in with [redacted]" in ended.reason


def test_a_password_made_for_a_service_is_nowhere_in_what_a_killed_kernel_leaves(tmp_path):
    ended = run("learned", tmp_path)
    assert "died" in ended.reason
    secret = (ended.job.folder / "backwards.txt").read_text()[::-1]
    assert len(secret) > 30
    assert [file for file in tmp_path.rglob("*") if file.is_file() and secret in file.read_text()] == []
    assert "AUTH [redacted] was refused" in (ended.job.folder / "logs" / "redis.log").read_text()
    assert "the password is [redacted]" in json.dumps(cells(ended))


def test_notebooks_run_side_by_side_each_in_a_folder_of_its_own(tmp_path):
    ended = execute([job(name, tmp_path) for name in ("held", "refuted", "unknown")], cwd=tmp_path, parallel=3)
    assert [each.exit_code for each in ended] == [0, 1, 6]
    assert [each.job.name for each in ended] == ["held", "refuted", "unknown"]


def test_events_come_in_their_order(tmp_path):
    seen = []
    execute([job("held", tmp_path)], cwd=tmp_path, watch=lambda job, event: seen.append(event))
    assert [event["event"] for event in seen] == ["begin", "cell", "cell", "cell", "end"]
    assert [event["phase"] for event in seen[1:-1]] == ["Does the happy path hold?"] * 2 + ["The fault"]


@pytest.mark.parametrize(
    ("codes", "code"),
    [([], 3), ([0, 0], 0), ([0, 4], 4), ([0, 6], 6), ([6, 1], 1), ([1, 4, 6], 4), ([1, 3, 4, 6], 3), ([3, 2, 1], 2)],
)
def test_of_several_notebooks_the_worst_counts(codes, code):
    assert overall(codes) == code


# -- endings from outside

RUNNER = """
import sys
from pathlib import Path
from workbench.execute.ending import Job
from workbench.execute.many import execute
folder = Path(sys.argv[1])
jobs = [Job(name, Path(sys.argv[2]) / f"{name}.ipynb", folder / name) for name in ("slow", "held")]
for job in jobs:
    job.folder.mkdir()
ended = execute(jobs, cwd=folder)
print(";".join(each.reason for each in ended), [each.exit_code for each in ended])
"""


@pytest.fixture
def runner(tmp_path):
    """A runner whose first notebook is in the middle of its long cell; (process, kernel's pid)."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(tmp_path), str(NOTEBOOKS)], stdout=subprocess.PIPE, text=True
    )
    try:
        eventually((tmp_path / "slow" / "started").exists)
        children = Path(f"/proc/{process.pid}/task").glob("*/children")
        kernel = next(int(pid) for file in children for pid in file.read_text().split())
        yield process, kernel
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_cell_heal_and_begins_no_other(tmp_path, runner, number):
    process, kernel = runner
    process.send_signal(number)
    shown, _ = process.communicate(timeout=30)
    assert "Interrupted in code cell" in shown
    assert "Not started" in shown
    assert "[2, 2]" in shown
    assert (tmp_path / "slow" / "healed").exists()
    assert not (tmp_path / "slow" / "went-on").exists()
    assert not alive(kernel)


def test_a_second_signal_ends_it_at_once(tmp_path, runner):
    process, kernel = runner
    os.kill(kernel, signal.SIGSTOP)  # it will not answer the first
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=30)
    assert "its kernel was killed" in shown
    assert not alive(kernel)


def test_the_kernel_dies_with_a_runner_that_is_killed(tmp_path, runner):
    process, kernel = runner
    process.kill()
    process.wait()
    eventually(lambda: not alive(kernel), within_s=3.0)
    assert json.loads((tmp_path / "slow" / "verdict.json").read_text())["concluded"] is False


# -- the folder of a run


def test_latest_points_at_the_last_run(tmp_path):
    first, second = (new_run_folder(tmp_path / "outputs", ["tour"]) for _ in range(2))
    assert first != second
    assert point_latest(first).resolve() == first
    assert point_latest(second).resolve() == second


def test_a_folder_named_latest_is_not_overwritten(tmp_path):
    folder = new_run_folder(tmp_path, ["tour"])
    (tmp_path / "latest").mkdir()
    with pytest.raises(WorkbenchError, match="is in the way"):
        point_latest(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, "latest"]


def test_a_long_selection_has_a_short_name(tmp_path):
    assert "-first-and-29-more-" in new_run_folder(tmp_path, ["first"] + ["another"] * 29).name


def test_outputs_that_cannot_be_written_are_an_error_before_anything_starts(tmp_path):
    (tmp_path / "outputs").write_text("a file")
    with pytest.raises(WorkbenchError, match=r"cannot be written: .*WORKBENCH_OUTPUTS"):
        new_run_folder(tmp_path / "outputs", ["tour"])


def test_no_disk_space_is_an_error_that_says_how_much_is_missing(tmp_path):
    with pytest.raises(WorkbenchError, match=r"no disk space: .* are needed"):
        check_room(tmp_path, enough=1 << 60)
