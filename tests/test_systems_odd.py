"""Systems that are described in an odd place, or by odd texts."""

import os
import socket
import subprocess
import threading
from types import SimpleNamespace

import pytest

from workbench import System, Writes, load_system
from workbench.errors import NotProven, UsageError
from workbench.faults.probes import frozen
from workbench.systems.ready import Ready

BASE = 'from workbench import System\nsystem = System("shop", command="serve {port}")\n'
MORE = """
@{0}.operation
async def write(connection, key, value): ...
@{0}.operation
async def read(connection, key): return []
"""


def test_a_system_is_loaded_again_from_the_file_that_was_named(tmp_path):
    (tmp_path / "base_of_shop.py").write_text(BASE)
    (tmp_path / "more.py").write_text("from base_of_shop import system as shop\n" + MORE.format("shop"))
    assert Writes(tmp_path / "more.py").system == f"{tmp_path}/more.py:shop"


def test_a_folder_may_have_a_colon_in_its_name(tmp_path):
    path = tmp_path / "a:b" / "shop.py"
    path.parent.mkdir()
    path.write_text(BASE)
    assert load_system(path).where == load_system(f"{path}:system").where == f"{path}:system"


def test_a_mistake_in_what_a_file_imports_is_told_with_its_own_file(tmp_path):
    (tmp_path / "broken_for_shop.py").write_text("ok = 1\ndef x(:\n")
    (tmp_path / "shop.py").write_text("import broken_for_shop\n")
    with pytest.raises(UsageError, match=r"shop.py cannot be loaded: .* in line 2 of .*broken_for_shop.py: def x"):
        load_system(tmp_path / "shop.py")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"command": "cd app && python shop.py {port}"}, "not run by a shell.* env, the folder into cwd"),
        ({"command": "DEBUG=1 python shop.py {port}"}, "not run by a shell"),
        ({"before": "migrate | tee log"}, "before is not run by a shell"),
        ({"command": ["", "{port}"]}, "with the program first"),
        ({"command": ["serve\0", "{port}"]}, "with the program first"),
        ({"env": {"A": "hidden\0"}}, "without null bytes; the value of 'A' is of type str"),
        ({"env": {"A": b"hidden"}}, "'A' is of type bytes"),
        ({"cwd": "a\0b"}, "cwd is a folder"),
        ({"limit_s": float("inf")}, "limit_s is the seconds"),
    ],
)
def test_what_no_program_can_be_started_with_is_refused(options, said):
    with pytest.raises(UsageError, match=said) as raised:
        System("shop", **({"command": "serve {port}"} | options))
    assert "hidden" not in str(raised.value)
    assert System("shop", command=["sh", "-c", "cd app && serve {port}"]).command[0] == "sh"


def test_a_length_that_is_no_number_is_no_length():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: many\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        place = SimpleNamespace(host="127.0.0.1", port=server.getsockname()[1])
        with pytest.raises(ConnectionError, match=r"GET / was answered 'HTTP/1\.1 503 Busy'"):
            Ready.of("shop", "/", listens=True).check(place, listens=True, timeout_s=5)


def test_a_process_that_has_ended_is_not_stopped():
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(NotProven, match=f"its process {ended.pid} is not there"):
        frozen(SimpleNamespace(name="worker", last_pid=ended.pid))
    ended.wait()
