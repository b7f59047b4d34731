"""A kernel that ends before it answers: why, and with which exit code."""

from pathlib import Path

import pytest

from workbench.execute.ending import Job
from workbench.execute.kernel import Kernel
from workbench.execute.many import execute

NOTEBOOK = Path(__file__).parent / "notebooks" / "held.ipynb"


@pytest.fixture
def job(tmp_path):
    (tmp_path / "ipykernel.py").write_text("print('no kernel today')\nraise SystemExit(7)\n")
    (tmp_path / "held").mkdir()
    return Job("held", NOTEBOOK, tmp_path / "held", {}, environment={"PYTHONPATH": str(tmp_path)})


def test_it_is_a_death_with_its_last_words(job, tmp_path):
    (ended,) = execute([job], cwd=tmp_path, cell_timeout_s=30)
    assert (ended.verdict, ended.exit_code) == ("unknown", 3)
    assert "The kernel died in its first moments (it ended while it started), with exit code 7" in ended.reason
    assert ended.reason.endswith("logs/kernel.log: no kernel today")


def test_whoever_ended_it_is_told_of_an_interruption(job, tmp_path, monkeypatch):
    monkeypatch.setattr(Kernel, "stopping", True)  # as a second Ctrl-C does, which kills it
    (ended,) = execute([job], cwd=tmp_path, cell_timeout_s=30)
    assert (ended.verdict, ended.exit_code) == ("unknown", 2)
    assert ended.reason == "Interrupted in the first moments of its kernel; what was recorded so far is kept."
