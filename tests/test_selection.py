"""Which notebooks are meant: tags, expressions, names, what was red last time, and all of them at once."""

import json
import shutil
from pathlib import Path

import pytest

from workbench.cli import call
from workbench.cli.beginning import notebook
from workbench.cli.project import Notebook, Project
from workbench.cli.selecting import red_in, tags_of
from workbench.errors import NothingSelected, UsageError

HELD = json.loads((Path(__file__).parent / "notebooks" / "held.ipynb").read_text())
TAGGED = {"first": ["smoke", "auth"], "second": ["chaos"], "third": ["load", "our-own"], "plain": None}


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    for name, tags in TAGGED.items():
        ours = {} if tags is None else {"workbench": {"tags": tags}}
        document = {**HELD, "metadata": {**HELD["metadata"], **ours}}
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(json.dumps(document))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_OUTPUTS", raising=False)
    return Project(tmp_path)


def chosen(project, *names, **conditions):
    return [notebook.name for notebook in project.select(names, **conditions)]


def test_tags_select_any_of_them_and_all_conditions_hold_together(project):
    assert chosen(project, tags=["smoke"]) == ["first"]
    assert chosen(project, tags=["Smoke", "our-own"]) == ["first", "third"]
    assert chosen(project, tags=["smoke", "chaos"], expression="not second") == ["first"]
    assert chosen(project, "third", "first", tags=["smoke", "load"]) == ["third", "first"]
    assert chosen(project, every=True, tags=["chaos"]) == ["second"]
    assert chosen(project, expression="our-own or plain") == ["plain", "third"], "-k sees tags too"


@pytest.mark.parametrize(
    ("names", "conditions", "message"),
    [
        ([], {"tags": ["smok"]}, "No notebook has the tag 'smok'; did you mean 'smoke'? There is: auth, chaos, load"),
        ([], {"tags": ["smoke", "caos"]}, "No notebook has the tag 'caos'; did you mean 'chaos'?"),
        (["second"], {"tags": ["smoke"]}, "None of the notebooks named has the tag 'smoke'. There is: first"),
        ([], {"tags": ["smoke"], "expression": "second"}, "No notebook has the tag 'smoke' and matches 'second'."),
        ([], {"failed": True}, "Nothing was red last time: there is no run in "),
    ],
)
def test_what_selects_nothing_says_why(project, names, conditions, message):
    with pytest.raises(NothingSelected) as told:
        project.select(names, **conditions)
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ("smoke", "is a list of words"),
        (["Smoke"], "'Smoke' in metadata.workbench.tags is no tag; did you mean 'smoke'?"),
        (["two words"], "is no tag"),
        ([3], "3 in metadata.workbench.tags is no tag"),
    ],
)
def test_tags_that_nobody_can_spell_are_refused(tags, message):
    with pytest.raises(UsageError, match="odd") as told:
        tags_of({"workbench": {"tags": tags}}, where=Path("odd.ipynb"))
    assert message in str(told.value)


def test_what_is_no_metadata_of_ours_has_no_tags(tmp_path):
    assert tags_of(None, where=tmp_path) == tags_of({"workbench": 3}, where=tmp_path) == ()
    assert tags_of({"workbench": {"tags": ["b", "a", "b"]}}, where=tmp_path) == ("b", "a")


def test_a_new_notebook_has_tags_and_list_and_show_tell_them(project, capfd):
    (project.root / "notebooks" / "fresh.ipynb").write_text(json.dumps(notebook("fresh")))
    assert Notebook(project.root / "notebooks" / "fresh.ipynb").tags == ("e2e", "chaos")
    assert call(["list", "-t", "chaos", "-t", "load"]) == 0
    shown = capfd.readouterr().out
    assert "first" not in shown
    assert "load our-own" in shown
    assert call(["show", "third"]) == 0
    assert "load our-own" in capfd.readouterr().out
    assert call(["list", "-t", "lod"]) == 5


def run_left(project, codes):
    """A run that came to its end: name → exit code."""
    folder = project.outputs / "20260102T030405Z-some-abc123"
    folder.mkdir(parents=True)
    listed = [{"name": n, "exit_code": c, "notebook": f"notebooks/{n}.ipynb"} for n, c in codes.items()]
    (folder / "results.json").write_text(json.dumps({"notebooks": listed}))
    (project.outputs / "latest").symlink_to(folder.name)
    return folder


def test_only_what_was_red_last_time(project):
    run_left(project, {"first": 0, "second": 1, "third": 6})
    assert chosen(project, failed=True) == ["second", "third"]
    assert chosen(project, failed=True, tags=["load"]) == ["third"]
    assert chosen(project, "third", failed=True) == ["third"]
    with pytest.raises(NothingSelected, match=r"was red in the last run \(there: second, third\)"):
        project.select(["first"], failed=True)


def test_nothing_was_red(project, capfd):
    run_left(project, {"first": 0})
    assert call(["run", "--failed"]) == 5
    assert "Nothing was red in the last run, 20260102T030405Z-some-abc123" in " ".join(capfd.readouterr().err.split())


def test_a_red_notebook_of_elsewhere_is_found_again_and_one_that_is_gone_is_named(project):
    folder = run_left(project, {})
    elsewhere = shutil.copytree(project.root / "notebooks", project.root / "drafts") / "first.ipynb"
    told = {"notebooks": [{"name": "first", "exit_code": 3, "notebook": str(elsewhere)}]}
    (folder / "results.json").write_text(json.dumps(told))
    assert [found.path for found in project.select([], failed=True)] == [elsewhere]
    told["notebooks"][0] |= {"name": "gone", "notebook": "notebooks/gone.ipynb"}
    (folder / "results.json").write_text(json.dumps(told))
    with pytest.raises(NothingSelected, match="There is no notebook 'gone'"):
        project.select([], failed=True)


def test_of_a_killed_run_all_that_did_not_conclude_are_red(tmp_path):
    verdicts = {
        "good": {"concluded": True, "verdict": "held", "exit_code": 0},
        "early": {"concluded": False, "verdict": "held"},
        "bad": {"concluded": True, "verdict": "refuted", "exit_code": 1},
    }
    for name, verdict in verdicts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "verdict.json").write_text(json.dumps(verdict))
    (tmp_path / "never_begun").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "verdict.json").write_text('{"concluded": tr')
    assert list(red_in(tmp_path)) == ["bad", "early", "never_begun", "torn"]
