"""The browser the tests of pages look with: it sees what a reader would stumble over."""

import os
import subprocess
import time

import pytest
from chromium import chromium

from workbench.errors import ProgramMissing
from workbench.report.chromium import find, started

BAD = """<!doctype html><html><head><title>t</title><meta name="viewport" content="width=device-width"></head><body>
<p style="color:#999;background:#fff">Hardly to be read.</p><div style="width:500px;height:9px"></div>
<img src="beside.png"><a href="#nowhere">a</a><a href="#here">b</a><a href="gone.html">c</a><a href="beside.html">d</a>
<h2 id="here">Here</h2></body></html>"""


@pytest.mark.browser
def test_a_page_with_faults_is_seen_to_have_them(tmp_path):
    path = tmp_path / "beside.html"
    path.write_text(BAD)
    with chromium() as browser:
        page = browser.open(path, width=390, height=844)
        assert page.requests == [path.as_uri(), (tmp_path / "beside.png").as_uri()]
        assert 100 <= page.overflow() <= 120
        assert page.broken() == ["#nowhere", "gone.html"]
        found = "\n".join(page.axe())
        for rule in ("color-contrast (serious)", "image-alt (critical)", "html-has-lang (serious)"):
            assert rule in found, rule
        assert page.png(tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
        assert browser.open(path, dark=True).ask("matchMedia('(prefers-color-scheme: dark)').matches") is True


@pytest.mark.browser
def test_nothing_is_left_of_a_browser():
    with started("--remote-debugging-port=0", "about:blank") as (process, folder):
        deadline = time.monotonic() + 30
        while not (folder / "profile" / "DevToolsActivePort").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline, "it listens nowhere"
            time.sleep(0.02)
    assert process.poll() is not None
    assert not folder.exists()
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(folder) not in listed


def test_without_a_browser_the_cure_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CHROMIUM", str(tmp_path / "none"))
    with pytest.raises(ProgramMissing, match="no program that can be started"):
        find()
    monkeypatch.delenv("WORKBENCH_CHROMIUM")
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(ProgramMissing, match="apt-get install chromium"):
        find()
