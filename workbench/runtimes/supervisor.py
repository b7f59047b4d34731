"""The supervisor: a process of its own that starts every other process, and leaves nothing when its owner dies.

Run as ``python -I -S supervisor.py <socket descriptor> <owner's pid>``; it needs the standard library only and boots
in about 20 ms. It lives in its own session, so neither Ctrl-C nor a kill of the owner's process group reaches it.

* The owner's death is seen by pidfd (a forked copy of the owner may hold the socket open) and by the socket's end.
* It is a subreaper: a daemon that forks twice comes back to it, so its descendants in /proc are everything it started.
* Children carry PDEATHSIG, so a killed supervisor takes its own children along.
* It removes what outlives processes: the folders it was told about, and the System V segments of killed servers.

Messages are JSON, one per SOCK_SEQPACKET datagram. Requests carry an ``id`` that the answer repeats:

    {"id", "do": "spawn", "argv", "env", "cwd", "log", "pipes", "user": [uid, gid], "namespace", "inside": pid,
     "mortal": bool}                         → {"id", "pid"} (with pipes: descriptors of its stdin and stdout)
    {"id", "do": "signal", "pid", "signal"}  → {"id", "sent": bool}            the process alone
    {"id", "do": "tree", "pid", "signal"}    → {"id", "sent": number}          it and all its descendants
    {"id", "do": "keep" | "forget", "folder"}→ {"id"}                          remove this folder at the end, or don't
    {"id", "do": "last", "argv"}             → {"id"}                          run this once everything has ended
    {"id", "do": "outlive", "heir": pid}     → {"id"}                          see outliving.py
    {"do": "stop"}                           → kills everything, removes the folders, closes the socket

Unasked it reports ``{"exit": pid, "code": returncode, "at": monotonic_ns}`` as soon as a process it started ends
(a negative code is the signal that ended it). A request that fails is answered ``{"id", "error", "path"}``.
"""

# ruff: noqa: PTH123, PTH208 - pathlib would take as long to import as all the rest

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36
LARGEST_MESSAGE = 1 << 20
QUIET = (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE)


def descendants(root: int) -> list[int]:
    """Every living process below ``root``, parents before children."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as stat:
                state, parent = stat.read().rpartition(b")")[2].split()[:2]
                if state not in (b"Z", b"X"):
                    children.setdefault(int(parent), []).append(int(entry))
    found = list(children.get(root, ()))
    for pid in found:  # grows while it is walked
        found += children.get(pid, ())
    return found


def send_signal(pid: int, number: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def beside(name: str) -> Any:
    """The module of this name next to this file, imported when it is needed."""
    if (here := os.path.dirname(__file__)) not in sys.path:  # noqa: PTH120
        sys.path.insert(0, here)
    return __import__(name)


class Supervisor:
    def __init__(self, channel: socket.socket, owner: int) -> None:
        self.channel = channel
        self.owner = owner
        self.folders: list[str] = []
        self.last_acts: list[list[str]] = []  # what is run at the very end
        self.running: set[int] = set()  # processes started here and not yet reaped
        self.mortal: set[int] = set()  # of them, who ends with the owner where the others outlive it
        self.outliving: Any = None
        self.creators: set[int] = set()  # reaped ones: whoever of them left shared memory behind

    # --- the loop

    def serve(self) -> None:
        self.channel.set_inheritable(False)
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for number in QUIET:
            signal.signal(number, signal.SIG_IGN)
        woken, waker = socket.socketpair()
        woken.setblocking(False)
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        stopping: list[int] = []
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        poll.register(woken, select.POLLIN)
        owner_ended = None
        with contextlib.suppress(OSError):  # a kernel without pidfd: the poll's time limit looks after the owner
            owner_ended = os.pidfd_open(self.owner)
            poll.register(owner_ended, select.POLLIN)
        while os.getppid() == self.owner and not stopping:
            ready = {descriptor for descriptor, _ in poll.poll(None if owner_ended is not None else 100)}
            if owner_ended in ready:
                break
            if woken.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    woken.recv(4096)
                self.reap()
            if self.channel.fileno() in ready and not self.answer():
                break
        if self.outliving is not None:
            self.outliving.serve(self, woken, stopping)

    def answer(self) -> bool:
        """One request; False when the owner is gone or says stop."""
        try:
            message = self.channel.recv(LARGEST_MESSAGE)
        except OSError:
            return False
        if not message:
            return False
        request = json.loads(message)
        if request["do"] == "stop":
            self.outliving = None
            return False
        descriptors: list[int] = []
        try:
            result = getattr(self, request["do"])(request, descriptors)
        except OSError as error:
            result = {"error": error.strerror or str(error), "path": error.filename}
        self.tell({"id": request["id"], **result}, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def tell(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        with contextlib.suppress(OSError):  # the owner is gone: the loop will see it
            socket.send_fds(self.channel, [json.dumps(message).encode()], descriptors or [])

    # --- what can be asked

    def spawn(self, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        opened: list[int] = []  # closed here once the child has its copies
        if request["inside"] and request["inside"] not in self.running:
            raise OSError(errno.ESRCH, "the process whose mounts it was to see has ended", request["argv"][0])
        try:
            child_out = -1
            if request["pipes"]:
                child_in, our_in = os.pipe()
                our_out, child_out = os.pipe()
                opened += [child_in, child_out]
                descriptors += [our_in, our_out]
            else:
                child_in = os.open(os.devnull, os.O_RDONLY)
                opened += [child_in]
            log = os.open(request["log"] or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            opened += [log]
            failure, report = os.pipe()
            opened += [failure, report]
            becoming = beside("becoming")
            pid = os.fork()
            if pid == 0:
                becoming.become(request, child_in, log if child_out < 0 else child_out, log, report)
            os.close(opened.pop())  # our copy of `report`, else the read below never ends
            self.running.add(pid)
            if request["mortal"]:
                self.mortal.add(pid)
            trouble = os.read(failure, 4096)  # empty as soon as the program runs
        finally:
            for descriptor in opened:
                os.close(descriptor)
        if trouble:
            os.waitpid(pid, 0)
            self.running.discard(pid)
            number, _, what = trouble.decode().partition(" ")
            raise OSError(int(number), os.strerror(int(number)), what)
        return {"pid": pid}

    def signal(self, request: dict[str, Any], _: list[int]) -> dict[str, Any]:
        pid = request["pid"]
        return {"sent": pid in self.running and send_signal(pid, request["signal"])}

    def tree(self, request: dict[str, Any], _: list[int]) -> dict[str, Any]:
        """Signal a process and all below it. Each is stopped first, parents before children, so none forks away."""
        pid, number = request["pid"], request["signal"]
        if pid not in self.running:
            return {"sent": 0}
        if number == signal.SIGCONT:
            return {"sent": sum(send_signal(member, number) for member in [*descendants(pid)[::-1], pid])}
        members = [pid]
        send_signal(pid, signal.SIGSTOP)
        while new := [member for member in descendants(pid) if member not in members]:
            for member in new:
                send_signal(member, signal.SIGSTOP)
            members += new
        if number != signal.SIGSTOP:
            for member in members:
                send_signal(member, number)
        deadline = time.monotonic() + 1
        while number == signal.SIGKILL and time.monotonic() < deadline:
            if set(members).isdisjoint(descendants(os.getpid())):
                break  # whoever starts the service again must not meet its remains
        return {"sent": len(members)}

    def keep(self, request: dict[str, Any], _: list[int]) -> dict[str, Any]:
        self.folders.append(request["folder"])
        return {}

    def forget(self, request: dict[str, Any], _: list[int]) -> dict[str, Any]:
        self.folders = [folder for folder in self.folders if folder != request["folder"]]
        return {}

    def outlive(self, request: dict[str, Any], _: list[int]) -> dict[str, Any]:
        self.outliving = beside("outliving").Outliving(request["heir"])
        return {}

    def last(self, request: dict[str, Any], _: list[int]) -> dict[str, Any]:
        self.last_acts += [request["argv"]] if request["argv"] not in self.last_acts else []
        return {}

    # --- what happens by itself

    def reap(self) -> bool:
        """Take note of who has ended; whether nobody is left."""
        nobody = True
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                pid = ended.si_pid
                if pid in self.running:
                    self.running.discard(pid)
                    with contextlib.suppress(OSError):  # what it left in its group would keep its port from the next
                        os.killpg(pid, signal.SIGKILL)
                    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    self.tell({"exit": pid, "code": code, "at": time.monotonic_ns()})
                else:
                    os.waitpid(pid, 0)
                self.creators.add(pid)
            nobody = False  # there are children, and none of them has ended
        if self.creators:
            self.creators = beside("segments").free(self.creators)
        return nobody

    def end(self) -> NoReturn:
        """Kill until nobody is left (a fork that races is caught by the next round), then remove the folders."""
        deadline = time.monotonic() + 10  # a process the kernel cannot end (stuck in a device) is not waited for
        while time.monotonic() < deadline:
            for pid in descendants(os.getpid()):
                send_signal(pid, signal.SIGKILL)
            if self.reap():
                break
            time.sleep(0.002)
        beside("aftermath").clear(self.folders, self.last_acts)
        self.channel.close()
        os._exit(0)


if __name__ == "__main__":
    supervisor = Supervisor(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
    try:
        supervisor.serve()
    except Exception as error:  # a mistake in this file must not leave anything behind either
        supervisor.tell({"broken": f"{type(error).__name__}: {error}"})
    supervisor.end()
