"""The pages: everything a reader needs on the first screen, and nothing that asks the network or runs."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_pages import PIXEL

from workbench import report
from workbench.errors import UsageError
from workbench.records import read_run
from workbench.report.ansi import to_html
from workbench.report.notebook import render

CLAIMS = [
    {
        "name": "durable",
        "sentence": "Every append <is> still there.",
        "scenarios": ["FLO-02"],
        "verdict": "refuted",
        "text": "refuted: 3 of 10 are lost & gone",
    },
    {"name": "recovered", "sentence": "Clients are served again.", "verdict": "held", "text": "Served after 0.2 s."},
]
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# What is left?\n\nAn *abstract*."},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "execution_count": 1,
            "source": "evidence",
            "outputs": [
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {"text/html": '<div role="status" aria-label="2 claims">the table</div>'},
                }
            ],
        },
        {
            "cell_type": "markdown",
            "id": "c",
            "metadata": {},
            "source": "## The picture\n\n![far](https://far.example/x.png)",
        },
        {
            "cell_type": "code",
            "id": "d",
            "metadata": {},
            "execution_count": 2,
            "source": "plot()",
            "outputs": [
                {"output_type": "display_data", "metadata": {}, "data": {"image/png": PIXEL, "text/plain": "figure"}},
                {
                    "output_type": "display_data",
                    "metadata": {"image/png": {"alt": "A dot."}},
                    "data": {"image/png": PIXEL},
                },
            ],
        },
    ],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def run(tmp_path):
    """A run's folder with one notebook."""
    folder = tmp_path / "20260102T030405Z-tour-abcdef"
    place = folder / "tour"
    (place / "logs").mkdir(parents=True)
    (place / "history").mkdir()
    (place / "notebook.ipynb").write_text(json.dumps(NOTEBOOK))
    (place / "verdict.json").write_text(json.dumps({"claims": CLAIMS, "verdict": "refuted"}))
    (place / "services.json").write_text(
        json.dumps([{"services": {"redis": {"program": "redis 7.0.15", "runtime": "embedded"}}}])
    )
    (place / "environment.json").write_text(
        json.dumps(
            {
                "parameters": {"clients": 8},
                "seed": 7,
                "python": "3.11.7",
                "machine": {"system": "Linux", "kernel": "6.1", "processors_usable": 2, "memory_bytes": 2**34},
                "git": {"commit": "0123456789abcdef", "changed": True},
            }
        )
    )
    results = {"command": "workbench run tour", "seconds": 12.3, "notebooks": [{"name": "tour", "folder": "tour"}]}
    (folder / "results.json").write_text(json.dumps(results))
    return folder


class Requests(HTMLParser):
    """Every address that a browser would fetch by itself, and every script."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.scripts = 0
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.scripts += tag == "script" or any(name.startswith("on") for name in values)
        if tag == "img":
            self.images.append(values)
        elif tag != "a":
            self.fetched += [str(values[name]) for name in ("src", "href", "data", "action") if name in values]


def read(path: Path) -> tuple[str, Requests]:
    text = path.read_text()
    requests = Requests()
    requests.feed(text)
    return text, requests


def test_the_first_screen_holds_title_verdicts_and_surroundings(run):
    index = report.write(run)
    text, _ = read(run / "tour" / "report.html")
    first = text[: text.index('<section class="notebook"')]
    for part in (
        "<h1>What is left?</h1>",
        "<em>abstract</em>",
        "Every append &lt;is&gt; still there.",
        "FLO-02",
        "3 of 10 are lost &amp; gone",
        "redis 7.0.15 (embedded)",
        "Python 3.11.7",
        "2 processors",
        "16 GiB",
        "seed 7",
        "commit 01234567 and changes",
        "2026-01-02 03:04 UTC",
    ):
        assert part in first, part
    assert "refuted: 3 of 10" not in first, "the verdict stands there already"
    assert text.count("<h1>") == 1
    assert index == run / "index.html"


def test_the_verdict_table_stands_on_a_page_once(run):
    report.write(run)
    assert "the table" not in (run / "tour" / "report.html").read_text()


def test_no_page_asks_the_network_or_runs_anything(run):
    index = report.write(run)
    for page in (index, run / "tour" / "report.html"):
        text, requests = read(page)
        assert requests.fetched == []
        assert requests.scripts == 0
        assert "default-src 'none'; img-src data:" in text
        assert not re.search(r"url\(|@import", text)


def test_pictures_are_inside_the_page_and_described(run):
    report.write(run)
    _, requests = read(run / "tour" / "report.html")
    inside = [image for image in requests.images if str(image["src"]).startswith("data:image/png")]
    first = "Picture under “The picture”"
    assert [image["alt"] for image in inside] == [first, first, "A dot."]  # the first stands on the first screen, too


def test_the_index_links_to_everything_there_is(run):
    text, _ = read(report.write(run))
    targets = re.findall(r'href="([^"]+)"', text)
    assert {"tour/report.html", "tour/notebook.ipynb", "tour/verdict.json", "tour/logs/", "tour/history/"} <= set(
        targets
    )
    assert all((run / target).exists() for target in targets)
    assert "Of 2 claims: 1 refuted, 1 held" in text
    assert "workbench run tour" in text
    assert "<dt>clients</dt><dd>8</dd>" in text


@pytest.mark.parametrize(
    ("verdicts", "headline"),
    [
        (["held", "held"], "All 2 claims held"),
        (["held"], "The claim held"),
        (["unknown"], "The claim is unknown"),
        (["held", "unknown", "refuted"], "Of 3 claims: 1 refuted, 1 unknown, 1 held"),
        ([], "Nothing was claimed"),
    ],
)
def test_the_headline_says_what_became_of_the_claims(run, verdicts, headline):
    claims = [{"name": "c", "sentence": "S.", "verdict": verdict, "text": ""} for verdict in verdicts]
    (run / "tour" / "verdict.json").write_text(json.dumps({"claims": claims}))
    assert read_run(run).headline == headline


def held(place: Path, *, concluded: bool) -> None:
    claims = [{"name": name, "sentence": "S.", "verdict": "held", "text": "It did."} for name in ("a", "b")]
    place.mkdir(exist_ok=True)
    (place / "verdict.json").write_text(json.dumps({"claims": claims, "verdict": "held", "concluded": concluded}))


def test_no_headline_says_held_of_a_notebook_that_broke_off(run):
    held(run / "tour", concluded=False)
    (run / "results.json").unlink()  # as after a runner that was killed
    assert read_run(run).headline == "Of 2 claims: 2 unknown"
    assert read_run(run).notes[0].verdict == "unknown"
    assert read_run(run).notes[0].claims[0].measured == "Held until then: It did."
    held(run / "tour", concluded=True)
    assert read_run(run).headline == "Of 2 claims: 2 unknown"
    entries = [{"folder": "tour"}, {"folder": "other", "reason": "The kernel died.", "verdict": "unknown"}]
    (run / "results.json").write_text(json.dumps({"notebooks": entries}))
    assert read_run(run).headline == "All 2 claims held, yet 1 of 2 notebooks broke off"
    assert read_run(run).notes[0].verdict == "held"


@pytest.mark.parametrize("text", ["[]", '{"notebooks": 3}', '{"notebooks": [1, {"name": "tour"}, {}]}', "{ torn"])
def test_results_of_another_shape_leave_what_lies_in_the_folders(run, text):
    (run / "results.json").write_text(text)
    assert "What is left?" in read(report.write(run))[0]


def test_links_lead_to_folders_of_any_name(run):
    (run / "results.json").unlink()
    (run / "tour").rename(run / "a b#1%20ü?")
    _, requests = read(report.write(run))
    page = re.search(r'href="([^"]+report.html)"', (run / "index.html").read_text())
    assert page
    assert unquote(page[1]) == "a b#1%20ü?/report.html"
    assert not set("#?") & set(page[1])
    assert requests.fetched == []


def test_a_run_whose_runner_was_killed_still_has_pages(run):
    (run / "results.json").unlink()
    (run / "tour" / "environment.json").write_text("{ torn")
    text, _ = read(report.write(run))
    assert "The run ended before this notebook did." in text
    assert "What is left?" in text


def test_a_notebook_that_was_never_started_has_no_link(run):
    (run / "results.json").write_text(
        json.dumps({"notebooks": [{"name": "late", "folder": "late", "title": "Too late?", "reason": "Not started."}]})
    )
    (run / "late").mkdir()
    text, _ = read(report.write(run))
    assert "Too late?" in text
    assert "late/report.html" not in text


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no run"):
        report.write(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(UsageError, match="holds no run"):
        report.write(tmp_path)


# -- the notebook's body


def rendered(tmp_path: Path, *cells: dict) -> str:
    path = tmp_path / "notebook.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "# T"}, *cells]}))
    return str(render(path))


def code(source: str, *outputs: dict) -> dict:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def test_code_is_coloured_and_escaped(tmp_path):
    body = rendered(tmp_path, code('if 1 < 2:\n    print("<b>")  # why'))
    assert '<span class="k">if</span>' in body
    assert "&lt;b&gt;" in body
    assert '<span class="c1"># why</span>' in body


def test_prose_has_tables_links_and_attachments(tmp_path):
    source = "| a | b |\n|---|---|\n| 1 | 2 |\n\n[far](https://far.example) ![dot](attachment:dot.png)"
    body = rendered(
        tmp_path, {"cell_type": "markdown", "source": source, "attachments": {"dot.png": {"image/png": PIXEL}}}
    )
    assert "<td>1</td>" in body
    assert '<a href="https://far.example">far</a>' in body
    assert f'src="data:image/png;base64,{PIXEL}" alt="dot"' in body


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (
            {"text/plain": "a < b", "text/html": ["<i>a</i>", "<script>x()</script>"]},
            '<div class="rich"><i>a</i></div>',
        ),
        ({"text/plain": "a < b"}, '<pre class="words">a &lt; b</pre>'),
        ({"text/markdown": "*a*", "text/plain": "a"}, "<em>a</em>"),
        ({"image/svg+xml": "<svg/>", "text/plain": "a"}, 'src="data:image/svg+xml;base64,PHN2Zy8+"'),
        ({"application/x-strange": "a"}, ""),
    ],
)
def test_of_several_forms_of_an_output_the_richest_is_shown(tmp_path, data, shown):
    body = rendered(tmp_path, code("x", {"output_type": "execute_result", "metadata": {}, "data": data}))
    assert shown in body
    assert "script" not in body


def test_quoted_words_of_an_output_stay_as_they_are(tmp_path):
    said = 'he said "no", and "yes"'
    body = rendered(tmp_path, code("x", {"output_type": "stream", "name": "stdout", "text": said}))
    assert f'<pre class="words">{said}</pre>' in body


@pytest.mark.parametrize(
    "markup",
    [
        '<meta http-equiv="refresh" content="0;url=https://far.example">',
        '<META http-equiv=refresh content="0;url=https://far.example"',
        "<base href=https://far.example>",
        "<link rel=prefetch href=https://far.example>",
        "<form action=https://far.example>",
        "<iframe src=https://far.example></iframe>",
        "<scr<script></script>ipt>",
    ],
)
def test_no_output_leads_away_from_the_page(tmp_path, markup):
    output = {"output_type": "execute_result", "metadata": {}, "data": {"text/html": f"<b>a</b>{markup}"}}
    body = rendered(tmp_path, code("x", output), {"cell_type": "markdown", "source": f"Prose.\n\n{markup}"})
    assert "<b>a</b>" in body
    assert "far.example" not in body
    assert "<script" not in body


def test_streams_and_tracebacks_keep_their_colours(tmp_path):
    body = rendered(
        tmp_path,
        code(
            "x",
            {"output_type": "stream", "name": "stderr", "text": "careful"},
            {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[1;31mE\x1b[0m: <v>"]},
            {"output_type": "error", "ename": "E", "evalue": "v", "traceback": []},
        ),
    )
    assert '<pre class="words stderr">careful</pre>' in body
    assert '<pre class="words error"><span class="ansi-red ansi-bold">E</span>: &lt;v&gt;</pre>' in body
    assert '<pre class="words error">E: v</pre>' in body


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[38;5;196mb\x1b[39mc", 'a<span class="ansi-red">b</span>c'),
        ("\x1b[38;2;0;200;0mb", '<span class="ansi-green">b</span>'),
        ("\x1b[38;5;241mb\x1b[m", '<span class="ansi-quiet">b</span>'),
        ("\x1b[2Ka\x07\x1b[?25hb", "ab"),
        ("\x1b[48;5;3;1mb", '<span class="ansi-bold">b</span>'),
        ("\x1b", ""),
    ],
)
def test_terminal_colours(text, shown):
    assert to_html(text) == shown


@given(st.text(st.sampled_from("a<&\x1b[]0123;m?K\x07\n")))
def test_whatever_a_terminal_would_get_a_page_stays_whole(text):
    shown = to_html(text)
    assert "\x1b" not in shown
    assert shown.count("<span") == shown.count("</span>")
    assert re.sub(r"</?span[^<>]*>", "", shown).count("<") == 0


def test_the_first_picture_stands_on_the_first_screen(run):
    report.write(run)
    text, _ = read(run / "tour" / "report.html")
    screen, notebook = (re.findall("<img [^>]*>", part) for part in text.split('<section class="notebook"'))
    assert screen == notebook[:1]
    assert len({*notebook}) == 2
