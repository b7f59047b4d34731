"""The logs on a notebook's page: in the order of time, with the faults between them, sized, and without secrets."""

import json
import re

import pytest
from test_report import NOTEBOOK, read

from workbench import report
from workbench.history import History, Window
from workbench.history.sealed import seal
from workbench.records import read_run
from workbench.redact import Redactor
from workbench.report import logs
from workbench.report.logs import MOST_BYTES

KILL = Window(fault="kill redis", began=1.0, healed=2.0, proof="its process is gone")
NONE = Redactor()


@pytest.fixture
def folder(tmp_path):
    """A notebook's folder without logs."""
    place = tmp_path / "20260102T030405Z-tour-abcdef" / "tour"
    (place / "logs").mkdir(parents=True)
    (place / "notebook.ipynb").write_text(json.dumps(NOTEBOOK))
    return place


def ran(folder, name, logs, *, windows=(KILL,)):
    """A run in which these lines arrived at these times; None: before it."""
    History.of([], windows=windows).save(folder / name)
    told = [{"logs": {stem: f"{stem}.log" for stem in logs}}]
    for stem, lines in logs.items():
        path = folder / "logs" / f"{stem}.log"
        count = path.read_text().count("\n") if path.exists() else 0
        with path.open("a") as file:
            for at, text in sorted(lines, key=lambda line: line[0] is not None):
                file.write(f"{text}\n")
                if at is None:
                    count += 1
        told.append({"at": 0.0, "lines": {stem: count}})
        for number, (at, _) in enumerate([line for line in lines if line[0] is not None], count + 1):
            told.append({"at": at, "lines": {stem: number}})
    (folder / name / "logs.jsonl").write_text("".join(f"{seal(record)}\n" for record in told))


def collect(folder, redactor):
    (note,) = read_run(folder.parent).notes
    return logs.collect(note, redactor)


def shown(book):
    return [(row.at, row.text) for row in book.rows]


def test_lines_of_all_services_stand_in_the_order_of_time_with_the_faults_between_them(folder):
    ran(
        folder,
        "history",
        {
            "redis": [(None, "starting"), (2.1, "ready again")],
            "app": [(0.5, "served"), (1.05, "WARNING: redis is lost"), (3.0, "served")],
        },
    )
    book = collect(folder, NONE)
    assert shown(book) == [
        ("", "starting"),
        ("0.00", "the run begins"),
        ("0.50", "served"),
        ("1.00", "kill redis begins"),
        ("1.05", "WARNING: redis is lost"),
        ("2.00", "kill redis is healed"),
        ("2.10", "ready again"),
        ("3.00", "served"),
    ]
    assert [row.text for row in book.rows if row.under] == ["kill redis begins", "WARNING: redis is lost"]
    assert [row.level for row in book.rows if row.level] == ["warning"]
    assert book.logs == ("redis", "app")
    assert book.headline == "5 lines, 1 warning or error"


def test_runs_stand_one_after_the_other(folder):
    ran(folder, "history", {"redis": [(None, "starting"), (0.1, "first")]}, windows=())
    ran(folder, "history-2", {"redis": [(None, "between"), (0.1, "second")]}, windows=())
    ran(folder, "history-10", {"redis": [(0.1, "tenth")]}, windows=())
    with (folder / "logs" / "redis.log").open("a") as file:
        file.write("bye\n")
    assert [text for _, text in shown(collect(folder, NONE))] == [
        "starting",
        "history begins",
        "first",
        "between",
        "history-2 begins",
        "second",
        "history-10 begins",
        "tenth",
        "bye",
    ]


def test_logs_of_services_without_a_run_are_there_as_well(folder):
    services = {"redis": {"program": "redis 7.0.15", "log": "redis.log"}, "relay": {"log": "none.log"}, "odd": 3}
    (folder / "services.json").write_text(json.dumps([services, 4]))
    (folder / "logs" / "redis.log").write_text("FATAL: cannot start\n")
    (folder / "logs" / "kernel.log").write_text("not of a service\n")
    book = collect(folder, NONE)
    assert shown(book) == [("", "FATAL: cannot start")]
    assert book.logs == ("redis",)


@pytest.mark.parametrize("text", ["", "{ torn", "3"])
def test_without_logs_there_is_no_section(folder, text):
    (folder / "services.json").write_text(text)
    assert collect(folder, NONE) is None
    report.write(folder.parent)
    assert 'id="logs"' not in read(folder / "report.html")[0]


def test_of_a_long_log_what_matters_is_shown_and_the_rest_is_counted(folder, monkeypatch):
    lines = [(n / 1000, f"line {n} {'x' * 100}") for n in range(1, 6001)]
    lines[4000] = (4.001, "ERROR: far from every fault")
    ran(folder, "history", {"app": lines})
    book = collect(folder, NONE)
    texts = [row.text for row in book.rows if row.kind == "line"]
    assert sum(map(len, texts)) < MOST_BYTES * 1.1
    assert any(text.startswith("line 1 ") for text in texts), "how it began"
    assert "ERROR: far from every fault" in texts
    for when in (0.99, 1.01, 1.99, 2.01, 6.0):
        assert any(row.at == f"{when:.2f}" for row in book.rows), when
    assert len(texts) + sum(row.cut for row in book.rows) == book.lines == 6000
    assert book.headline == f"6,000 lines, 1 warning or error; {len(texts):,} lines are shown"
    monkeypatch.setattr(logs, "MOST_READ", 100_000)  # what is before the end that is looked at is counted as well
    late = collect(folder, NONE)
    assert sum(row.kind == "line" for row in late.rows) + sum(row.cut for row in late.rows) == late.lines == 6000
    report.write(folder.parent)
    assert " more of app</code>" in read(folder / "report.html")[0]


@pytest.mark.parametrize("name", ["../../secret.txt", "/etc/passwd", "link.log", "..", "../../logs/secret.txt"])
def test_no_file_outside_of_the_folder_reaches_the_page(folder, name):
    (folder.parent / "logs").mkdir()
    for secret in (folder.parent / "secret.txt", folder.parent / "logs" / "secret.txt"):
        secret.write_text("an error of root\n")
    (folder / "logs" / "link.log").symlink_to(folder.parent / "secret.txt")
    (folder / "services.json").write_text(json.dumps({"redis": {"log": name}}))
    assert collect(folder, NONE) is None


def test_secrets_do_not_reach_the_page(folder, monkeypatch):
    monkeypatch.setenv("WORKBENCH_SECRETS", "open-sesame")
    ran(folder, "history", {"app": [(0.5, "login with open-sesame to redis://:hunter2@127.0.0.1")]})
    report.write(folder.parent)
    text, _ = read(folder / "report.html")
    assert "login with [redacted]" in text
    assert "open-sesame" not in text
    assert "hunter2" not in text


def test_the_section_asks_nothing_runs_nothing_and_every_log_can_be_hidden(folder):
    ran(folder, "history", {"redis": [(0.1, "<script>alert(1)</script>")], "app": [(1.5, '{"level": "error"}')]})
    report.write(folder.parent)
    text, requests = read(folder / "report.html")
    assert requests.fetched == []
    assert requests.scripts == 0
    assert "&lt;script&gt;" in text
    for number, name in enumerate(("redis", "app")):
        assert f'id="log-{number}" checked> {name}' in text
        assert f".logs:has(#log-{number}:not(:checked)) .log-{number} " in text
    assert re.search(r'<li class="log-1 error under">.*<abbr title="error">✕</abbr>', text)
