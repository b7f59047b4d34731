"""The command: what it prints, what it refuses before anything starts, and the exit code of every ending."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench.cli import call
from workbench.cli.project import Notebook, Project
from workbench.cli.selecting import matches
from workbench.errors import UsageError

FIXTURES = Path(__file__).parent / "notebooks"
ROOT = Path(__file__).parent.parent


def prepare(root):
    """A project with the notebooks of the fixtures."""
    shutil.copytree(FIXTURES, root / "notebooks")
    (root / "parameters").mkdir()
    (root / "parameters" / "quick.yaml").write_text("clients: 3\nseconds: 0.1\n")
    (root / "deeper").mkdir()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A project in which ``held`` was run."""
    root = tmp_path_factory.mktemp("recorded")
    prepare(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("WORKBENCH_OUTPUTS", raising=False)
        assert call(["run", "held"]) == 0
    return root


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project; the working directory is below its root."""
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path / "deeper")
    monkeypatch.delenv("WORKBENCH_OUTPUTS", raising=False)
    return tmp_path


@pytest.fixture
def ran(project, recorded):
    """A project in which ``held`` was run."""
    shutil.copytree(recorded / "outputs", project / "outputs", symlinks=True)
    return project


def nothing_started(project: Path) -> bool:
    return not (project / "outputs").exists()


def test_what_is_unknown_is_executed_again_what_is_refuted_is_not_and_all_runs_are_kept(project, capfd):
    notebook = project / "notebooks" / "unknown.ipynb"
    told = json.loads(notebook.read_text())
    told["cells"][-1]["source"] = [
        "seen = Path('seen')\n",
        "verdict = 'held' if seen.exists() else 'unknown'\n",
        "seen.touch()\n",
        "state(verdict, f'{verdict}: this time', concluded=True)\n",
        "if verdict == 'unknown': raise ClaimUnknown('durable: unknown')",
    ]
    notebook.write_text(json.dumps(told))
    assert call(["run", "unknown", "refuted", "held", "--again", "2"]) == 1, "a refuted claim is final"
    first, second = sorted(path.name for path in (project / "outputs").glob("2*"))
    shown = capfd.readouterr().out
    assert f"Unknown in {first}, so executed again: unknown\n" in shown
    assert "Red before, and not executed again: refuted. Repeat: workbench run refuted\n" in shown
    assert (project / "outputs" / "latest").resolve().name == second
    of = [json.loads((project / "outputs" / name / "results.json").read_text()) for name in (first, second)]
    assert [[(n["name"], n["verdict"]) for n in one["notebooks"]] for one in of] == [
        [("unknown", "unknown"), ("refuted", "refuted"), ("held", "held")],
        [("unknown", "held")],
    ]
    assert call(["run", "unknown", "--again", "2"]) == 0, "what holds is not executed again"
    assert len(list((project / "outputs").glob("2*"))) == 3


def test_who_asks_for_the_end_while_it_goes_on_means_what_would_be_executed_again_too(project, monkeypatch):
    def ended(project, notebooks, chosen, **options):
        asked.append([notebook.name for notebook in notebooks])
        return {"unknown": 6, "held": 2}, project.outputs

    asked = []
    monkeypatch.setattr("workbench.cli.running.run_chosen", ended)
    assert call(["run", "unknown", "held", "--again", "3"]) == 2
    assert asked == [["unknown", "held"]]


def test_what_stays_unknown_ends_with_6(project):
    assert call(["run", "unknown", "--again", "1"]) == 6
    assert len(list((project / "outputs").glob("2*"))) == 2


def test_what_is_red_stands_last(project, capfd):
    assert call(["run", "refuted", "held", "unknown"]) == 1
    rows = [line for line in capfd.readouterr().out.splitlines() if line[:1] in "●▲✕" and line]
    assert [row.split()[1] for row in rows[-3:]] == ["held", "unknown", "refuted"]


def test_a_run_shows_every_claim_and_ends_with_the_path_of_its_page(project, capfd):
    assert call(["run", "held", "refuted", "--profile", "quick", "-p", "label", "loud"]) == 1
    shown = capfd.readouterr().out
    assert "● held" in shown
    assert "held with 3 clients, 100.0 per second, label 'loud'" in shown
    assert "✕ refuted" in shown
    assert shown.splitlines()[-1].endswith("outputs/latest/index.html")
    latest = project / "outputs" / "latest"
    assert latest.is_symlink()
    results = json.loads((latest / "results.json").read_text())
    assert [(n["name"], n["exit_code"], n["verdict"]) for n in results["notebooks"]] == [
        ("held", 0, "held"),
        ("refuted", 1, "refuted"),
    ]
    assert results["exit_code"] == 1
    assert (latest / "held" / "report.html").exists()


def test_a_failed_notebook_is_one_paragraph_on_the_terminal(project, capfd):
    assert call(["run", "broken"]) == 3
    shown = capfd.readouterr()
    assert "raised ZeroDivisionError: division by zero" in shown.out
    assert "Traceback" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "held", "-p", "client", "3"], 4, "no parameter 'client'; did you mean 'clients'?"),
        (["run", "held", "-p", "clients", "many"], 4, "clients expects int, got 'many'"),
        (["run", "held", "-p", "clients"], 4, "its value is missing"),
        (["run", "held", "--profile", "quik"], 4, "There is no profile 'quik'; did you mean 'quick'?"),
        (["run", "held", "-f", "none.yaml"], 4, "none.yaml cannot be read"),
        (["run", "held", "--profil", "quick"], 4, "--profil"),
        (["run", "held", "-n", "0"], 4, "'-n'"),
        (["run"], 4, "Name at least one notebook"),
        (["run", "held", "--all"], 4, "not both"),
        (["run", "held", "-k", "and"], 4, "cannot be read"),
        (["run", "bare"], 4, "no cell tagged 'parameters'"),
        (["run", "hold"], 5, "There is no notebook 'hold'; did you mean 'held'?"),
        (["run", "held", "hold"], 5, "There is no notebook 'hold'"),
        (["run", "-k", "nowhere"], 5, "No notebook matches 'nowhere'"),
        (["dance"], 4, "dance"),
        (["show", "hold"], 5, "did you mean 'held'?"),
        (["report", "yesterday"], 4, "There is no run 'yesterday'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(project, capfd, arguments, code, message):
    assert call(arguments) == code
    assert message in " ".join(capfd.readouterr().err.split())
    assert nothing_started(project)


def test_a_file_that_is_no_notebook_is_refused(project, capfd):
    for text in ("", "{", "{}", "[]", '{"cells": [1]}'):
        (project / "notebooks" / "odd.ipynb").write_text(text)
        assert call(["run", "odd"]) == 4
        assert "cannot be read as a notebook" in capfd.readouterr().err


def test_a_defect_of_the_workbench_does_not_look_like_a_verdict(project, capfd, monkeypatch):
    monkeypatch.setattr("workbench.cli.app", None)
    assert call(["list"]) == 3
    assert "defect of the workbench" in capfd.readouterr().err


def test_a_refusal_starts_nothing_and_does_not_wait(project):
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "run", "held", "-p", "client", "3"], capture_output=True, check=False
    )
    assert done.returncode == 4
    assert time.monotonic() - began < 10  # 0.7 s as a rule, on a machine that does other things as well more


def test_a_profile_may_name_parameters_of_other_notebooks_but_of_no_stranger(project, capfd):
    assert call(["run", "held", "--profile", "quick"]) == 0
    (project / "parameters" / "quick.yaml").write_text("durations: 1")
    assert call(["run", "held", "--profile", "quick"]) == 4
    assert "no parameter 'durations'" in capfd.readouterr().err


def test_outputs_that_cannot_be_written_are_an_error(project, capfd, monkeypatch):
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(project / "parameters" / "quick.yaml"))
    assert call(["run", "held"]) == 3
    shown = capfd.readouterr()
    assert "cannot be written" in shown.err
    assert "Does the happy path hold?" not in shown.out


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("results.json", "The results of this run cannot be written"),
        ("junit.xml", "Its record is whole; free some space and make them: workbench report "),
    ],
)
def test_outputs_that_fill_up_are_an_error_after_the_verdicts(project, capfd, file, message):
    (project / "notebooks" / "filling.ipynb").write_text(
        (FIXTURES / "held.ipynb")
        .read_text()
        .replace("concluded=True)", f"concluded=True); (record.parent.parent / '{file}').mkdir()")
    )
    assert call(["run", "filling"]) == 3
    shown = capfd.readouterr()
    assert "held with 8 clients" in " ".join(shown.out.split())
    assert message in shown.err
    assert "index.html" not in shown.out
    assert "Traceback" not in shown.err


def test_a_secret_on_the_command_line_is_nowhere_in_what_is_kept(project, capfd, monkeypatch):
    given = ["-p", "password", "Tr0ub4dor-2", "-p", "password", "Tr0ub4dor-3"]  # nobody hears of the first
    monkeypatch.setattr(sys, "argv", ["workbench", "run", "secret", *given])
    assert call(sys.argv[1:]) == 3
    shown = capfd.readouterr()
    assert "Tr0ub4dor-3" not in shown.out + shown.err
    for file in (project / "outputs").rglob("*"):
        assert not file.is_file() or b"Tr0ub4dor" not in file.read_bytes(), file


def test_ctrl_c_keeps_what_there_is_and_ends_with_2(project):
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "run", "slow", "held"], stdout=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + 20
        while not list((project / "outputs").glob("*/slow/started")) and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 2
    assert "Interrupted in code cell" in shown
    latest = project / "outputs" / "latest"
    assert (latest / "slow" / "healed").exists()
    assert (latest / "slow" / "report.html").exists()
    assert "Not decided: the run was interrupted." in (latest / "index.html").read_text()
    assert json.loads((latest / "results.json").read_text())["exit_code"] == 2


def test_notebooks_are_found_by_name_number_path_and_expression(project, capfd, monkeypatch):
    (project / "notebooks" / "held.ipynb").rename(project / "notebooks" / "01-held.ipynb")
    for names in (["held"], ["01-held"], ["../notebooks/01-held.ipynb"]):
        assert [one.name for one in Project.find().select(names)] == ["01-held"]
    assert call(["run", "-k", "happy and not refuted"]) == 0


@pytest.mark.parametrize(
    ("expression", "fits"),
    [("held", True), ("path and not kill", True), ("(kill or HELD)", True), ("not held", False), ("kill", False)],
)
def test_expressions(expression, fits):
    assert matches(expression, Notebook(FIXTURES / "held.ipynb")) is fits


@pytest.mark.parametrize("expression", ["happy path", "held and", "(held", "", "held == held"])
def test_an_expression_that_cannot_be_read_is_refused(expression):
    with pytest.raises(UsageError, match="cannot be read"):
        matches(expression, Notebook(FIXTURES / "held.ipynb"))


def test_list_and_show(project, capfd):
    assert call(["list", "-k", "held or slow"]) == 0
    shown = capfd.readouterr().out
    assert "Does the happy path hold?" in shown
    assert "refuted" not in shown
    assert call(["show", "held"]) == 0
    shown = capfd.readouterr().out
    assert "A notebook whose claim holds." in shown
    assert "concurrent clients" in shown


def test_show_reads_claims_and_scenarios():
    failover = Notebook(ROOT / "notebooks" / "failover.ipynb")
    assert "FLO-02" in failover.scenarios
    assert failover.claims
    assert failover.abstract


def test_report_makes_the_pages_anew(ran, capfd):
    folder = (ran / "outputs" / "latest").resolve()
    (folder / "index.html").unlink()
    (folder / "results.json").unlink()  # as after a runner that was killed
    assert call(["report", folder.name]) == 0
    assert capfd.readouterr().out.strip() == str(folder / "index.html")
    assert "Does the happy path hold?" in (folder / "index.html").read_text()


def test_clean_removes_runs_and_nothing_else(ran, capfd):
    (ran / "outputs" / "gallery").mkdir()
    assert call(["clean"]) == 0
    assert (ran / "outputs" / "latest").exists()
    assert call(["clean", "--outputs"]) == 0
    assert [path.name for path in (ran / "outputs").iterdir()] == ["gallery"]


def test_clean_keeps_what_it_did_not_make(project, capfd):
    outputs = project / "outputs"
    mine, empty, elsewhere = (outputs / f"20260101T000000Z-{n}-abcdef" for n in ("mine", "empty", "link"))
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("years of work")
    empty.mkdir()
    (project / "kept").mkdir()
    (project / "kept" / "verdict.json").write_text("{}")
    elsewhere.symlink_to(project / "kept")
    (outputs / "notes").mkdir()
    (outputs / "notes" / "verdict.json").write_text("{}")
    assert call(["clean", "--outputs"]) == 0
    assert sorted(path.name for path in outputs.iterdir()) == sorted([mine.name, elsewhere.name, "notes"])
    assert (project / "kept" / "verdict.json").exists()
    assert "1 run removed" in capfd.readouterr().out


def test_nobody_takes_an_older_run_for_the_last_one(ran, capfd):
    project = ran
    (project / "outputs" / "latest").unlink()
    (project / "outputs" / "latest").mkdir()
    assert call(["run", "held"]) == 3
    shown = capfd.readouterr()
    assert "is in the way" in shown.err
    assert "Does the happy path hold?" not in shown.out
    (project / "outputs" / "latest").rmdir()
    with subprocess.Popen([sys.executable, "-m", "workbench", "run", "slow"], stdout=subprocess.DEVNULL) as runner:
        end = time.monotonic() + 30
        while not list((project / "outputs").glob("latest/slow/logs/progress.jsonl")) and time.monotonic() < end:
            time.sleep(0.05)
        runner.kill()
    latest = project / "outputs" / "latest"
    assert "-slow-" in latest.resolve().name
    assert not (latest / "index.html").exists()
    assert call(["report", str(latest)]) in (0, 4)  # 4: there was nothing on disk yet


def test_notebooks_of_any_name(project, capfd):
    names = ["a b", "naïve ü", "odd [bold] #1%20", "[red]x"]
    for name in names:
        shutil.copy(FIXTURES / "held.ipynb", project / "notebooks" / f"{name}.ipynb")
    assert call(["run", *names]) == 0
    shown = capfd.readouterr().out
    for name in names:
        assert f"{name}  " in shown
        assert (project / "outputs" / "latest" / name / "report.html").exists()


def test_a_time_out_is_a_number_of_seconds(project, capfd):
    for value in ("nan", "inf", "0", "soon"):
        assert call(["run", "held", "--cell-timeout", value]) == 4
    assert nothing_started(project)


def test_version_and_help(capfd):
    assert call(["--version"]) == 0
    assert capfd.readouterr().out.startswith("workbench ")
    assert call(["--help"]) == 0
    assert "Exit codes" in capfd.readouterr().out


def test_plain_papermill_works_with_every_profile(tmp_path):
    """On a fixture: the project's own notebooks need services. A name it does not know is a warning to papermill."""
    profiles = [word for path in sorted((ROOT / "parameters").glob("*.yaml")) for word in ("-f", path)]
    done = subprocess.run(
        [sys.executable, "-m", "papermill", FIXTURES / "held.ipynb", tmp_path / "out.ipynb", *profiles],
        env={**os.environ, "WORKBENCH_RUN": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "verdict.json").read_text())["claims"][0]["verdict"] == "held"


def test_the_doctor_tries_every_service_and_names_the_cure(project):
    def examine(**env: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "workbench", "doctor"],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, " ".join(done.stdout.split())

    code, shown = examine()
    assert code == 0
    for part in (
        "Python 3.",
        "redis",
        "postgres",
        "mongo",
        "reference",
        "ready in",
        "user namespaces",
        "disks that forget",
        "disk",
    ):
        assert part in shown, part
    code, shown = examine(WORKBENCH_REDIS="/nowhere/redis-server")
    assert code == 3
    assert "WORKBENCH_REDIS=/nowhere/redis-server is not a program" in shown
    assert "Not every experiment can run here: see redis." in shown
