"""What a reader of a page would stumble over: looked for in pages of runs of all kinds, without a browser."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_pages import notebook_folder

from workbench import report
from workbench.cli import call
from workbench.report.markup import inert, shows
from workbench.report.outline import Outline
from workbench.report.told import counterexample, named, numbers, value


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "20260102T030405Z-tour-abcdef"
    notebook_folder(folder / "tour")
    entry = {"name": "tour", "folder": "tour", "seconds": 3.2, "tags": ["chaos"]}
    (folder / "results.json").write_text(
        json.dumps({"schema": 1, "command": "workbench run tour", "notebooks": [entry]})
    )
    return folder


@pytest.fixture
def by_hand(tmp_path):
    return notebook_folder(tmp_path / "20260102T030405Z-by-hand-abcdef")


class Faults(HTMLParser):
    """What hinders a reader, and what a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.levels: list[int] = []
        self.places: set[str] = set()
        self.links: list[str] = []
        self.feed(text)
        self.found += ["not one h1"] * (self.levels.count(1) != 1)
        self.found += [f"h{after} after h{before}" for before, after in pairwise(self.levels) if after > before + 1]

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "html" and not values.get("lang"):
            self.found.append("no language")
        if tag == "img" and not values.get("alt"):
            self.found.append("a picture without words")
        if tag == "th" and values.get("scope") not in ("col", "row"):
            self.found.append("a header cell of nothing")
        if tag in ("script", "link", "iframe", "object", "embed", "form", "base"):
            self.found.append(f"<{tag}>")
        if tag != "a" and any(
            re.match("(https?:)?//", str(values.get(name))) for name in ("src", "href", "data", "srcset", "action")
        ):
            self.found.append(f"a resource elsewhere: {values}")
        self.found += [name for name in values if name.startswith("on")]
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if place := values.get("id"):
            self.found += [f"the place {place} twice"] * (place in self.places)
            self.places.add(place)
        if tag == "a":
            self.links.append(str(values.get("href")))


def pages(folder: Path) -> list[Path]:
    return [report.write(folder), *report.pages(folder)]


def test_no_page_hinders_its_reader(run):
    for page in pages(run):
        seen = Faults(page.read_text())
        assert seen.found == []
        for link in seen.links:
            there = link.startswith("https:") or (
                link[1:] in seen.places if link[0] == "#" else (page.parent / link).exists()
            )
            assert there, link


def test_what_was_refuted_stands_first_with_the_operations_that_show_it(run):
    text = (report.write(run).parent / "tour" / "report.html").read_text()
    places = [
        text.index(words)
        for words in ("Nothing is lost.", "2 operations of appends in redis", 'class="frame"', "It is back.")
    ]
    assert places == sorted(places)
    assert "<td>[1, 2] and 4 more</td>" in text
    assert "<dt>recovery max (s)</dt><dd>0.25</dd>" in text
    assert '<caption>steps</caption>\n<thead><tr><th scope="col">offered (per second)</th>' in text
    assert "<code>a, b</code>: it has no sockets" in text
    assert "<code>c</code>: &lt;other&gt;" in text
    assert "nothing: it proves nothing" in text, "a fault that no probe saw"
    assert "numpy 2.1" in text
    assert "workbench verify 20260102T030405Z-tour-abcdef/tour" in text


def test_long_reports_have_a_table_of_contents(run):
    text = (report.write(run).parent / "tour" / "report.html").read_text()
    assert '<a href="#Part-3">Part 3</a>' in text
    assert '<h3 id="Deep">' in text, "no level is left out"


def test_a_run_made_by_hand_has_a_page_and_no_link_to_an_index(by_hand):
    page = report.write(by_hand)
    assert page == by_hand / "report.html"
    text = page.read_text()
    assert "index.html" not in text
    assert "workbench verify 20260102T030405Z-by-hand-abcdef<" in text
    assert not (by_hand / "index.html").exists()


def test_a_run_made_by_hand_needs_no_notebook(by_hand):
    (by_hand / "notebook.ipynb").unlink()
    text = report.write(by_hand).read_text()
    assert "No executed notebook was kept" in text
    assert "Nothing is lost." in text
    assert not (by_hand / "index.html").exists()
    for name in ("verdict.json", "environment.json"):
        (by_hand / name).unlink()
    assert "Nothing was claimed" in report.write(by_hand).read_text()


def test_nothing_changed_gives_the_same_bytes(run, monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path))
    names = ("index.html", "tour/report.html", "junit.xml", "summary.md")
    assert call(["report", str(run)]) == 0
    before = [(run / name).read_bytes() for name in names]
    (run / "tour" / "report.html").unlink()
    (run / "junit.xml").write_text("another")
    assert call(["report", run.name]) == 0
    assert [(run / name).read_bytes() for name in names] == before


def test_a_folder_of_one_notebook_gets_its_page_alone(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path))
    (tmp_path / "latest").symlink_to(run.name)
    assert call(["report", f"{run.name}/tour"]) == 0
    assert capsys.readouterr().out.split() == [str(run / "tour" / "report.html")]
    assert "../index.html" in (run / "tour" / "report.html").read_text()
    assert not (run / "index.html").exists()
    assert call(["report", "latest"]) == 0
    assert (run / "index.html").exists()


def test_records_of_newer_versions_and_cut_off_runs_say_so(run):
    path = run / "tour" / "verdict.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 99'))
    (run / "results.json").unlink()
    for page in pages(run):
        assert "A newer version of the workbench" in page.read_text()
    assert "This run was cut off" in (run / "index.html").read_text()


@pytest.mark.parametrize(
    "text", ["", "[]", "{ torn", '{"cells": 3}', '{"cells": [3, {}, {"cell_type": "code", "outputs": [{}]}]}']
)
def test_a_notebook_that_cannot_be_read_leaves_a_page_with_the_verdicts(run, text):
    (run / "tour" / "notebook.ipynb").write_text(text)
    report.write(run)
    assert "Nothing is lost." in (run / "tour" / "report.html").read_text()


# -- its parts


def test_values_are_written_as_people_write_them():
    given = [None, True, 12345, 0.940370507, 12345.6, [], [1, 2.5], {"a": 1}, "text"]
    assert list(map(value, given)) == ["–", "yes", "12,345", "0.9404", "12,346", "none", "1, 2.5", "a 1", "text"]
    single, tables = numbers({"steps": [{"a": n} for n in range(40)], "n": list(range(100))})
    assert (tables[0].cut, single[0][1][-7:]) == (15, "75 more")


def test_names_of_measures_tell_their_unit():
    names = ("recovery_max_s", "p95_ms_low", "steady_rate_hz", "s", "lost_share_low")
    assert list(map(named, names)) == [
        "recovery max (s)",
        "p95 low (ms)",
        "steady rate (per second)",
        "s",
        "lost share low",
    ]


def test_moments_that_differ_look_different():
    table = counterexample([{"called_s": 1.00001, "returned_s": 1.00002}, {"called_s": 1.0, "returned_s": None}])
    assert [row[:2] for row in table.rows] == [("1.00000", "never"), ("1.00001", "1.00002")]
    assert counterexample([]) is None


@given(st.lists(st.integers(1, 6), max_size=9))
def test_whatever_headings_a_notebook_has_no_level_is_left_out(levels):
    outline = Outline("top")
    for level in levels:
        outline.over(f"<h{level}>top</h{level}>")
    found = [1, *(heading.level for heading in outline.headings)]
    assert all(after <= before + 1 for before, after in pairwise(found))
    assert len({heading.place for heading in outline.headings} | {"top"}) == len(levels) + 1


@pytest.mark.parametrize(
    ("markup", "left"),
    [
        ('<img src="https://far.example/x.png" alt="x">', '<a href="https://far.example/x.png">x</a>'),
        ("<img src=data:image/png;base64,A>", '<img alt="Picture under “H”" src=data:image/png;base64,A>'),
        ('<b onclick="x()" class="c">a</b>', '<b class="c">a</b>'),
        (
            "<tr><th>n<th>m</tr><tr><th>a<td>1</tr>",
            '<tr><th scope="col">n<th scope="col">m</tr><tr><th scope="row">a<td>1</tr>',
        ),
    ],
)
def test_markup_of_strangers_is_made_fit(markup, left):
    assert inert(markup, heading="H") == left


def test_what_shows_nothing_without_its_script_is_known():
    assert not shows("<div id=a></div><style>b{c:d}</style> &nbsp;")
    assert shows("<img src=a>") and shows("<i>a</i>")
