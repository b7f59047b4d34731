"""``workbench doctor --system``: each operation asked once, and what is wrong with it said."""

import shutil
from pathlib import Path

import pytest

from workbench.cli import call, trying

SYSTEMS = Path(__file__).parent / "systems"
ROOT = Path(__file__).parent.parent


@pytest.fixture
def at(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    shutil.copy(SYSTEMS / "shop.py", tmp_path)
    return tmp_path


def test_what_works_is_told_with_its_time(at, capfd):
    assert call(["doctor", "--system", "tests/systems/echoing.py"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    for word in ("redis redis", "app echoing", "login", "connect", "echo", "ms, returned 'is anybody there?"):
        assert word in shown
    assert "Next: workbench run scale -p system tests/systems/echoing.py" in shown
    assert "The notebook failover needs write and read as well." in shown


WRONG = """
import asyncio
import time

from workbench import System

system = System("wrong", command="{python} shop.py {port}", env={"REDIS_URL": "{redis.url}"}, ready="/health")


@system.operation
async def connect(urls, token):
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    return []


@system.operation
async def write(connection, key, value):
    connection.append(value)


@system.operation
async def read(connection, key):
    return [*connection, 3]


@system.operation
async def echo(connection, text):
    return {}[text]


@system.operation
def classify(error):
    return "perhaps"
"""


def test_what_does_not_work_is_told_with_its_line(at, capfd):
    (at / "wrong.py").write_text(WRONG)
    assert call(["doctor", "--system", str(at / "wrong.py")]) == 3
    shown = " ".join(capfd.readouterr().out.split())
    assert "▲ connect works, but keeps the processor for" in shown
    assert "● write" in shown
    assert "✕ read returned [1, 2, 3] instead of [1, 2]" in shown
    assert "✕ echo raised KeyError" in shown
    assert "return {}[text]" in shown
    assert "✕ classify says 'perhaps' of a refused connection" in shown
    assert "What does not work: read, echo, classify." in shown
    assert "does not have, delete there" in shown


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise SystemExit(0)", "write raised SystemExit: 0"),
        ("__import__('os')._exit(0)", "write ended its process"),
        ("print('said by it'); time.sleep(100)", "write was not over after 1 s: it blocks, or ignores cancelling"),
    ],
)
def test_an_operation_that_exits_or_blocks_is_told(at, capfd, monkeypatch, body, said):
    monkeypatch.setattr(trying, "STUCK_S", 1.0)
    (at / "wrong.py").write_text(WRONG.replace("connection.append(value)", body))
    assert call(["doctor", "--system", str(at / "wrong.py")]) == 3
    out, err = capfd.readouterr()
    assert said in " ".join(out.split())
    assert ("said by it" in err) == ("print" in body)


@pytest.mark.parametrize(
    ("description", "code", "said"),
    [
        (WRONG.replace("shop.py", "missing.py"), 3, "No such file"),
        (WRONG.replace("{redis.url}", "{rediss.url}"), 4, "rediss"),
        ("", 4, "describes no system"),
    ],
    ids=["ends at once", "of nobody", "empty"],
)
def test_one_that_cannot_be_started_says_why(at, capfd, description, code, said):
    (at / "wrong.py").write_text(description)
    assert call(["doctor", "--system", str(at / "wrong.py")]) == code
    shown = capfd.readouterr().err
    assert said in shown
    assert "defect of the workbench" not in shown
    assert "workbench-doctor-" not in shown  # the folder is gone when the message is read


def test_an_empty_name_is_no_system(at, capfd):
    assert call(["doctor", "--system", ""]) == 4
    assert "names the file that describes a system" in capfd.readouterr().err
