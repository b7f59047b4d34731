"""Pages in a browser, as a reader has them who got one file: nothing is asked for, nothing hinders or sticks out."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from chromium import chromium
from small_pages import CELLS, notebook_folder, plot, shown

from workbench import report
from workbench.cli import call
from workbench.errors import WorkbenchError
from workbench.report.pdf import print_pages

LOOKS = {"light": {}, "dark": {"dark": True}, "phone": {"width": 390, "height": 844}}
WIDE = {
    "cell_type": "code",
    "source": "f(" + "x" * 300 + ")  # why",
    "outputs": [
        {"output_type": "stream", "name": "stdout", "text": "w" * 400},
        {"output_type": "error", "traceback": ["\x1b[1;31mE\x1b[0m: " + "v" * 300]},
        {
            "output_type": "display_data",
            "data": {"text/html": f"<table><tr>{'<th>column</th>' * 20}</tr></table>"},
        },
        {"output_type": "stream", "name": "stderr", "text": "\n".join(map(str, range(60)))},
    ],
}


@pytest.fixture
def run(tmp_path):
    """A run whose notebooks have everything that can be on a page."""
    folder = tmp_path / "20260102T030405Z-tour-abcdef"
    entries = []
    for name in ("tour", "other way#1"):
        place = notebook_folder(folder / name)
        cells = [
            *CELLS,
            *shown(plot(1)),
            WIDE,
            {"cell_type": "markdown", "source": "|a|b|\n|-|-|\n" + f"|{'y' * 300}|1|\n"},
        ]
        (place / "notebook.ipynb").write_text(json.dumps({"cells": cells}))
        (place / "services.json").write_text(
            json.dumps([{"redis": {"program": "redis 7", "log": "redis.log", "options": {"a": 1}}}])
        )
        (place / "logs").mkdir()
        (place / "logs" / "redis.log").write_text("".join(f"WARNING line {n} {'z' * 90}\n" for n in range(30)))
        entries.append({"name": name, "folder": name, "seconds": 3.2, "tags": ["chaos"], "reason": "A cell failed."})
    (folder / "results.json").write_text(json.dumps({"command": "workbench run " + "x" * 200, "notebooks": entries}))
    report.write(folder)
    return folder


@pytest.mark.browser
def test_report_and_index_in_a_browser(run):
    with chromium() as browser:
        for path in (run / "tour" / "report.html", run / "index.html"):
            for look, values in LOOKS.items():
                page = browser.open(path, **values)
                assert page.overflow() == 0, (path.name, look)
                page.unfold()
                assert page.axe() == [], (path.name, look)
                assert page.overflow() == 0, (path.name, look)
                assert page.broken() == [], (path.name, look)
                assert page.requests == [path.as_uri()]
                page.close()


@pytest.mark.browser
def test_a_page_prints_as_pdf(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path))
    place = run / "tour"
    assert call(["report", str(place), "--pdf"]) == 0
    assert capsys.readouterr().out.split() == [str(place / "report.html"), str(place / "report.pdf")]
    printed = (place / "report.pdf").read_bytes()
    assert printed.startswith(b"%PDF-")
    assert print_pages([place / "report.html"]) == [place / "report.pdf"]
    assert (place / "report.pdf").read_bytes() == printed


def stuck(path: Path, *, seconds: int, before: str = ":") -> Path:
    """A browser that never ends by itself, nor does its child. Each sleeps ``seconds``, by which they are found."""
    path.write_text(f"#!/bin/sh\necho 'cannot print'\nsleep {seconds} & {before}; exec sleep {seconds}\n")
    path.chmod(0o755)
    return path


def test_a_browser_that_prints_nothing_is_ended_with_its_children(run, tmp_path, monkeypatch):
    seconds = 10_000_000 + os.getpid()
    monkeypatch.setenv("WORKBENCH_CHROMIUM", str(stuck(tmp_path / "stuck", seconds=seconds)))
    with pytest.raises(WorkbenchError, match=r"(?s)was not done within 0.5 s.*It said: …cannot print") as raised:
        print_pages([run / "tour" / "report.html"], within_s=0.5)
    assert raised.value.exit_code == 3
    assert not (run / "tour" / "report.pdf").exists()
    assert sleeping(seconds) == []


def test_nothing_stays_of_a_browser_whose_caller_is_asked_to_end(run, tmp_path, monkeypatch):
    seconds = 20_000_000 + os.getpid()
    program = stuck(tmp_path / "killer", seconds=seconds, before="sleep 0.5; kill -TERM $PPID")
    monkeypatch.setenv("WORKBENCH_CHROMIUM", str(program))
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(KeyboardInterrupt):
        print_pages([run / "tour" / "report.html"])
    assert sleeping(seconds) == []
    assert list(folder.iterdir()) == []


def sleeping(seconds: int) -> list[str]:
    listed = subprocess.run(["pgrep", "-f", f"^sleep {seconds}$"], capture_output=True, text=True, check=False)
    return listed.stdout.split()


def test_without_a_browser_there_are_pages_and_a_cure(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_CHROMIUM", str(tmp_path / "none"))
    (run / "index.html").unlink()
    assert call(["report", run.name, "--pdf"]) == 3
    assert "WORKBENCH_CHROMIUM is" in capsys.readouterr().err
    assert (run / "index.html").exists()
