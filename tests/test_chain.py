"""The seal of a folder: whatever is changed of it is found, and what is found is no more than is known."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_histories import append, of, read

from workbench import chain
from workbench.evidence.code import code, source_sum

ENVIRONMENT = {"schema": 1, "parameters": {"clients": 8, "seed": 7}, "code": {"version": "0.1.0", "sha256": "0" * 64}}
VERDICT = {"schema": 1, "claims": [{"name": "durable", "verdict": "held", "text": "All there."}], "concluded": True}


def make(folder):
    """A notebook's folder, with a real history of a few operations."""
    of(append(1, 1), append(2, 2), read([1, 2], 6)).save(folder / "history")
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    (folder / "verdict.json").write_text(json.dumps(VERDICT))
    (folder / "logs").mkdir()
    (folder / "logs" / "redis.log").write_text("ready\n")
    return folder


@pytest.fixture
def folder(tmp_path):
    made = make(tmp_path / "tour")
    chain.write(made)
    return made


def what(folder):
    return [(each.file, each.what) for each in chain.check(folder)]


def test_the_chain_is_what_it_is_said_to_be(folder):
    lines = [json.loads(line) for line in (folder / "chain.jsonl").read_text().splitlines()]
    files = [line["file"] for line in lines]
    assert files[0] == "environment.json" and files[-1] == "verdict.json"
    assert files[1:-1] == ["history/history.parquet", "history/run.json", "logs/redis.log"]
    before = "workbench chain 1"
    for line in lines:
        assert line["sha256"] == hashlib.sha256((folder / line["file"]).read_bytes()).hexdigest()
        before = hashlib.sha256(f"{before}\n{line['file']}\n{line['sha256']}".encode()).hexdigest()
        assert line["link"] == before
    assert chain.head(folder) == before == chain.write(folder)
    assert chain.check(folder) == [] == chain.beside(folder)


def test_every_flipped_byte_is_found(folder):
    tried = 0
    for path in [*folder.glob("history/*"), *folder.glob("*.json*")]:
        data = path.read_bytes()
        for at in range(len(data)):
            flipped = bytearray(data)
            flipped[at] ^= 1 << at % 8
            path.write_bytes(flipped)
            assert chain.check(folder), f"byte {at} of {path.name}"
            tried += 1
        path.write_bytes(data)
    assert chain.check(folder) == []
    assert tried > 3000


def test_a_file_that_is_cut_short_at_any_byte_is_found(folder):
    for path in (folder / "history" / "run.json", folder / "chain.jsonl"):
        data = path.read_bytes()
        for at in range(0, len(data), 3):
            path.write_bytes(data[:at])
            assert chain.check(folder), f"{path.name} of {at} bytes"
        path.write_bytes(data)


def test_a_chain_that_lost_whole_lines_or_has_them_in_another_order_is_found(folder):
    path = folder / "chain.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for n in range(len(lines)):
        path.write_bytes(b"".join(lines[:n] + lines[n + 1 :]))
        assert what(folder) == [("chain.jsonl", "chain torn")], n
    path.write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))
    assert what(folder)[0] == ("chain.jsonl", "order")
    path.write_bytes(b"".join([*lines, lines[-1]]))
    assert what(folder) == [("chain.jsonl", "chain torn")]
    path.write_bytes(b"".join(lines) + b"\n")
    assert what(folder) == [("chain.jsonl", "chain torn")]
    path.write_bytes(b"".join(lines).replace(b'"sha256":"', b'"sha256":"0', 1))
    assert what(folder) == [("chain.jsonl", "chain torn")], "no file is accused"


def test_what_happened_to_a_file_is_said(folder):
    one, other = folder / "history" / "history.parquet", folder / "history" / "run.json"
    one.rename(folder / "aside")
    other.rename(one)
    (folder / "aside").rename(other)
    assert what(folder) == [("history/history.parquet", "changed"), ("history/run.json", "changed")]
    one.unlink()
    assert what(folder)[0] == ("history/history.parquet", "missing")
    os.mkfifo(one)
    assert what(folder)[0] == ("history/history.parquet", "changed")
    shutil.rmtree(folder / "history")
    assert [each for _, each in what(folder)] == ["missing", "missing"]
    (folder / "chain.jsonl").unlink()
    assert what(folder) == [("chain.jsonl", "missing")]
    assert chain.head(folder) is None


def test_pages_are_not_covered_and_what_came_later_is_told(folder):
    for name in ("report.html", "report.pdf", "index.html", "junit.xml", "summary.md"):
        (folder / name).write_text("derived")
    assert chain.check(folder) == [] == chain.beside(folder)
    (folder / "history-2").mkdir()
    (folder / "history-2" / "run.json").write_text("{}")
    assert chain.check(folder) == []
    assert [(each.file, each.what) for each in chain.beside(folder)] == [("history-2/run.json", "not covered")]


def test_nothing_can_be_added_to_a_history_that_was_sealed(folder):
    (folder / "history" / "samples.jsonl").write_text("{}")
    assert what(folder) == [("history/samples.jsonl", "added")]
    assert chain.beside(folder) == []


def test_a_log_may_go_on_but_not_become_another(folder):
    log = folder / "logs" / "redis.log"
    log.write_text("ready\nbye\nnow\n")
    assert chain.check(folder) == []
    assert [(each.file, each.what) for each in chain.beside(folder)] == [("logs/redis.log", "grown")]
    log.write_text("Ready\nbye\n")
    assert what(folder) == [("logs/redis.log", "changed")]
    log.write_text("rea")
    assert what(folder) == [("logs/redis.log", "changed")]
    (folder / "elsewhere").write_text("ready\nbye\n")
    log.unlink()
    log.symlink_to(folder / "elsewhere")
    assert what(folder) == [("logs/redis.log", "changed")]
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT) + "\n")
    assert ("environment.json", "changed") in what(folder)


def test_files_of_any_name_links_and_what_is_no_file(tmp_path):
    folder = make(tmp_path / "tour")
    odd = ["line\nend", "quote\"'\\", "ü ", os.fsdecode(b"\xff\xfe"), " ", "index.html"]
    for name in odd:
        (folder / "logs" / name).write_text("x")
    (folder / "link").symlink_to("nowhere")
    (folder / "logs" / "home").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    chain.write(folder)
    assert chain.check(folder) == [] == chain.beside(folder)
    (folder / "link").unlink()
    (folder / "link").write_text("nowhere")
    assert what(folder) == [("link", "changed")]
    (folder / "link").unlink()
    (folder / "link").symlink_to("elsewhere")
    assert what(folder) == [("link", "changed")]
    (folder / "logs" / "index.html").write_text("no page of ours")
    assert ("logs/index.html", "changed") in what(folder)
    (folder / "logs" / odd[0]).unlink()
    assert any(r"line\nend': missing" in str(each) for each in chain.check(folder))


@pytest.mark.parametrize("kind", ["pipe", "link to a device", "link to itself", "folder", "larger than any"])
def test_what_stands_in_the_place_of_a_chain_is_neither_waited_for_nor_read_without_end(folder, kind):
    path = folder / "chain.jsonl"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "larger than any":
        path.touch()
        os.truncate(path, 1 << 30)
    else:
        path.symlink_to("/dev/zero" if "device" in kind else path.name)
    assert what(folder) == [("chain.jsonl", "missing")]
    assert chain.head(folder) is None
    assert chain.beside(folder) == []


def test_folders_may_be_as_deep_as_they_like(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for _ in range(1100):
        Path("d").mkdir()
        os.chdir("d")
    os.chdir(folder)
    assert chain.check(folder) == [] == chain.beside(folder)
    subprocess.run(["rm", "-r", "d"], check=True)  # deeper than Python's own way to remove it goes


def test_the_chain_of_a_run_covers_its_notebooks_through_theirs(folder):
    run = folder.parent
    unsealed = make(run / "cut")
    (unsealed / "report.html").write_text("a page")
    (run / "results.json").write_text("{}")
    head = chain.write(run)
    files = [json.loads(line)["file"] for line in (run / "chain.jsonl").read_text().splitlines()]
    assert "tour/chain.jsonl" in files and "cut/verdict.json" in files and files[-1] == "results.json"
    assert not [file for file in files if file.startswith("tour/") and file != "tour/chain.jsonl"]
    (unsealed / "report.html").write_text("made anew")
    (folder / "verdict.json").write_text("{}")
    assert chain.check(run) == []
    assert chain.write(folder) != head
    assert what(run) == [("tour/chain.jsonl", "changed")]


def test_what_nothing_was_concluded_of_is_not_sealed(tmp_path):
    with pytest.raises(OSError, match="nothing to seal"):
        chain.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "file", ["/etc/passwd", "../verdict.json", "a/../../x", "", ".", "a//b", "nul\0", "\ud800", 7, None, ["x"]]
)
def test_a_line_that_names_nothing_in_the_folder_is_torn(folder, file):
    bound = hashlib.sha256(f"workbench chain 1\n{file}\n{'0' * 64}".encode(errors="replace"))
    line = {"file": file, "sha256": "0" * 64, "link": bound.hexdigest()}
    (folder / "chain.jsonl").write_text(json.dumps(line, separators=(",", ":")) + "\n")
    assert what(folder) == [("chain.jsonl", "chain torn")]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    made = make(tmp_path_factory.mktemp("sealed") / "tour")
    chain.write(made)
    return made


@given(
    file=st.sampled_from(["chain.jsonl", "verdict.json", "history/history.parquet", "environment.json"]),
    at=st.integers(0, 5000),
    away=st.integers(0, 300),
    put=st.binary(max_size=60) | st.sampled_from([b"\n", b"\r", b" ", b"{}", b'{"file":"x"}\n', b"\xff"]),
)
def test_random_edits_are_found(sealed, file, at, away, put):
    path = sealed / file
    before = path.read_bytes()
    after = before[: at % (len(before) + 1)] + put + before[at % (len(before) + 1) + away :]
    try:
        path.write_bytes(after)
        assert bool(chain.check(sealed)) == (before != after)
        chain.beside(sealed)
        chain.head(sealed)
    finally:
        path.write_bytes(before)


def test_the_code_is_told_by_the_sum_of_its_sources(tmp_path):
    assert len(code()["sha256"]) == 64 and code() == code()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.py").write_text("x = 1")
    first = source_sum(tmp_path)
    (tmp_path / "a" / "b.py").rename(tmp_path / "a" / "c.py")
    source_sum.cache_clear()
    assert source_sum(tmp_path) != first
    source_sum.cache_clear()
