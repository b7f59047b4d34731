"""The owner's side of the supervisor: start processes that cannot outlive this one.

    child = keeper().spawn(["redis-server", "redis.conf"], log=path)
    child.wait(1.0) → its return code, or None when it still runs

There is one supervisor per Python process, started on first use (about 20 ms) and told to stop at the process's end.
A fork of this process starts its own on first use and leaves its parent's alone.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import ServiceError
from workbench.runtimes import outliving, supervisor
from workbench.runtimes.child import Child as Child
from workbench.runtimes.folders import belong_to
from workbench.runtimes.limits import allow_many_files

PROGRAM = supervisor.__file__


class _Answer:
    def __init__(self, child: Child | None) -> None:
        self.child = child
        self.message: dict[str, Any] = {}
        self.descriptors: list[int] = []
        self.arrived = threading.Event()


class Keeper:
    """This process's connection to its supervisor. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._channel, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, supervisor.LARGEST_MESSAGE)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", PROGRAM, str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        allow_many_files(self._process.pid)
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._waiting: dict[int, _Answer] = {}
        self._children: dict[int, Child] = {}
        self.ended = ""  # why, once the supervisor is gone
        self.outlives = False
        self._reader = threading.Thread(target=self._read, name="workbench-supervisor", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        log: Path | str | None = None,
        pipes: bool = False,
        user: tuple[int, int] | None = None,
        namespace: bool = False,
        inside: int | None = None,
        mortal: bool = False,
        on_exit: Callable[[Child], None] | None = None,
    ) -> Child:
        """Start a program in a session of its own. It and all it starts end, at the latest, with this process.

        ``env`` is the whole environment (None: this process's own). Standard error, and standard output unless
        ``pipes``, are appended to ``log`` (None: thrown away). ``user`` (uid, gid) needs root; ``namespace`` runs it as
        an ordinary user of its own user namespace. ``inside`` is the pid of another child that runs: it sees that one's
        mounts. ``mortal``: it ends with this process even where others stay (`outlive`). ``on_exit`` is called in the
        reader's thread: it must not block.
        Raises `ServiceError` when the program cannot be started.
        """
        if isinstance(argv, str) or not argv:
            raise TypeError(f"argv is a sequence of strings with the program first, not {argv!r}")
        child = Child(self, argv, on_exit)
        answer = self._request(
            "spawn",
            child,
            argv=[os.fspath(part) for part in argv],
            env=dict(os.environ if env is None else env),
            cwd=None if cwd is None else os.fspath(cwd),
            log=None if log is None else os.fspath(log),
            pipes=pipes,
            user=user,
            namespace=namespace,
            inside=inside,
            mortal=mortal,
        )
        if pipes:
            inward, outward = answer.descriptors
            child.stdin = os.fdopen(inward, "w", buffering=1, encoding="utf-8")
            child.stdout = os.fdopen(outward, "r", buffering=1, encoding="utf-8")
        return child

    def keep(self, folder: Path) -> None:
        """Have this folder removed when this process ends, however it ends."""
        self._ask("keep", folder=os.fspath(folder))

    def forget(self, folder: Path) -> None:
        """The folder is no longer the supervisor's to remove."""
        self._ask("forget", folder=os.fspath(folder))

    def last(self, argv: Sequence[str]) -> None:
        """Have this run at the very end, when everything else has ended, however it ends. Twice the same is once."""
        self._ask("last", argv=[os.fspath(part) for part in argv])

    def outlive(self, heir: int) -> None:
        """Have it all stay when this process has ended, for as long as the process ``heir`` lives (`outliving`)."""
        self._ask("outlive", heir=heir)
        self.outlives = True
        belong_to(self.pid)

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """End the supervisor, and with it every process and folder it keeps."""
        for child in list(self._children.values()):
            child._on_exit = None  # that they end now is no news
        with contextlib.suppress(OSError):
            self._channel.send(json.dumps({"do": "stop"}).encode())
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        if threading.current_thread() is not self._reader:
            self._reader.join(1.0)
        self._channel.close()

    # --- requests and answers

    def _ask(self, act: str, **fields: Any) -> dict[str, Any]:
        return self._request(act, None, **fields).message

    def _request(self, act: str, child: Child | None, **fields: Any) -> _Answer:
        number, answer = next(self._numbers), _Answer(child)
        message = json.dumps({"id": number, "do": act, **fields}).encode()
        what = fields["argv"][0] if child is not None else act
        too_long = ServiceError(f"Cannot start {what}: arguments and environment take {len(message):,} bytes.")
        if len(message) > supervisor.LARGEST_MESSAGE:
            raise too_long
        self._waiting[number] = answer
        try:
            if self.ended:
                raise OSError(self.ended)
            self._channel.send(message)
        except OSError as error:
            del self._waiting[number]
            if error.errno == errno.EMSGSIZE:
                raise too_long from None
            raise ServiceError(f"Cannot {act} {what}: the supervisor is gone ({error}). Make a new stack.") from error
        try:
            answer.arrived.wait()
        except BaseException:  # Ctrl-C: nobody will hold what is being started, so it must not stay
            if child is not None and answer.arrived.wait(5.0) and "pid" in answer.message:
                child.kill()
            raise
        if wrong := answer.message.get("error"):
            raise ServiceError(f"Cannot {act} {what}: {wrong} ({answer.message.get('path') or what}).")
        return answer

    def _read(self) -> None:
        try:
            while True:
                data, descriptors, _, _ = socket.recv_fds(
                    self._channel, supervisor.LARGEST_MESSAGE, 2, socket.MSG_CMSG_CLOEXEC
                )
                if not data:
                    break
                self._take(json.loads(data), list(descriptors))
        except OSError:
            pass
        self.ended = self.ended or "its process ended"
        for answer in list(self._waiting.values()):
            answer.message = {"error": f"the supervisor is gone: {self.ended}"}
            answer.arrived.set()
        while self._children:  # it took them along
            self._children.popitem()[1]._end(-signal.SIGKILL, time.monotonic_ns())

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "exit" in message:
            child = self._children.pop(message["exit"], None)
            if child is not None:
                child._end(message["code"], message["at"])
        elif "broken" in message:
            self.ended = message["broken"]
        elif (answer := self._waiting.pop(message["id"], None)) is not None:
            answer.message, answer.descriptors = message, descriptors
            if answer.child is not None and "pid" in message:  # here, so that its exit finds it
                answer.child.pid = message["pid"]
                self._children[message["pid"]] = answer.child
            answer.arrived.set()

    def _leave_to_parent(self) -> None:
        """In a fork: our copies of the parent's ends are closed, nothing else is touched."""
        self._channel.close()
        self._process.returncode = 0  # not ours to wait for
        self.ended = "it belongs to the process this one was forked from"


_current: Keeper | None = None
_lock = threading.Lock()


def keeper() -> Keeper:
    """This process's supervisor, started on the first call, and again if it has ended since."""
    global _current
    with _lock:
        if _current is None or _current.ended:
            _current = Keeper()
            if heir := outliving.heir():
                _current.outlive(heir)
        return _current


def _at_exit() -> None:
    if _current is not None and not _current.outlives:
        _current.stop()


def _after_fork() -> None:
    global _current, _lock
    _lock = threading.Lock()
    if _current is not None:
        _current._leave_to_parent()
        _current = None


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)
