"""The loop of the disk: the kernel asks on /dev/fuse, the workbench on standard input.

    {"do": "forget"}             power is lost: → {"files", "bytes", "names"} that were not synced, and are gone
    {"do": "settle"}             all that was written until now is durable
    {"do": "slow", "ms": 200}    so much later a sync is done and answered; 0: at once
    {"do": "fail", "on": true}   every sync fails: EIO
    {"do": "fill", "on": true}   nothing may grow and nothing be made: ENOSPC
    {"do": "state"}              → {"writes", "syncs", "unsynced_files", "unsynced_names"}

One JSON object per line, answered by one. The first line it writes is {"ready": true}, or {"error", "what", "errno"}
if the disk cannot be. It ends when standard input does.
"""

from __future__ import annotations

import errno
import gc
import heapq
import json
import os
import select
import time

from workbench.disks import protocol
from workbench.disks.mount import Mount, own_namespace
from workbench.disks.requests import Files

_LOOK_S = 0.05
"""So often it is seen whether somebody who waits for a slow sync is being killed."""

_TAKEN_BACK = (errno.EINTR, errno.EAGAIN, errno.ENOENT)
_SIGKILL = 1 << 8
_CONTROL = 0


class Disk:
    """One disk in its place, until standard input ends."""

    def __init__(self, folder: str, aside: str) -> None:
        """Raises `OSError`, whose file name says what was not possible."""
        os.mkdir(aside, 0o700)  # noqa: PTH102 - pathlib takes as long to import as all the rest
        below = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        self._files = Files(os.open(folder, below), os.open(aside, below))
        self._mount = Mount(folder)
        self._buffer = bytearray(protocol.LARGEST_REQUEST)
        self._view = memoryview(self._buffer)
        self._slow_s = 0.0
        self._late: list[tuple[float, int, int, tuple[int, int, int, int, bytes]]] = []  # due, number, thread, request
        self._said = b""  # the beginning of a line
        self._poll = select.poll()
        for descriptor in (_CONTROL, self._mount.device):
            self._poll.register(descriptor, select.POLLIN)

    def serve(self) -> None:
        while True:
            ready = [descriptor for descriptor, _ in self._poll.poll(self._patience_ms())]
            if self._mount.device in ready:
                self._take()
            if self._late:
                self._answer_late()
            if _CONTROL in ready and not self._obey():
                self._mount.remove()
                return

    # --- the kernel

    def _take(self) -> None:
        """One request of the kernel."""
        try:
            length = os.readv(self._mount.device, [self._buffer])
        except OSError as error:
            if error.errno in _TAKEN_BACK:
                return
            raise
        _, operation, number, node, uid, gid, thread, _ = protocol.REQUEST.unpack_from(self._buffer)
        body = self._view[protocol.REQUEST.size : length]
        if operation == protocol.FORGET:
            self._files.forget_node(node, protocol.number(body))
        elif operation == protocol.BATCH_FORGET:
            for at in range(8, 8 + 16 * protocol.number(body, 0, 4), 16):
                self._files.forget_node(protocol.number(body, at), protocol.number(body, at + 8))
        elif operation == protocol.INTERRUPT:
            pass
        elif self._slow_s and self._files.is_sync(operation, body):
            due = time.monotonic() + self._slow_s
            heapq.heappush(self._late, (due, number, thread, (operation, node, uid, gid, bytes(body))))
        else:
            self._answer(number, operation, node, uid, gid, body)

    def _answer(self, number: int, operation: int, node: int, uid: int, gid: int, body: memoryview) -> None:
        try:
            answer, failure = self._files.handle(operation, node, uid, gid, body), 0
        except OSError as error:
            answer, failure = b"", error.errno or errno.EIO
        self._send(number, answer, failure)

    def _send(self, number: int, answer: bytes, failure: int) -> None:
        head = protocol.ANSWER.pack(protocol.ANSWER.size + len(answer), -failure, number)
        try:
            os.writev(self._mount.device, [head, answer])
        except OSError as error:
            if error.errno not in _TAKEN_BACK:
                raise

    # --- slow syncs

    def _patience_ms(self) -> float | None:
        if not self._late:
            return None
        return max(0.0, min(_LOOK_S, self._late[0][0] - time.monotonic())) * 1000

    def _answer_late(self) -> None:
        """Those that are due; and those whose asker is being killed, which the kernel holds until it is answered."""
        now = time.monotonic()
        waiting = []
        for late in sorted(self._late):
            due, number, thread, (operation, node, uid, gid, body) = late
            if due <= now:
                self._answer(number, operation, node, uid, gid, memoryview(body))
            elif _dying(thread):
                self._send(number, b"", errno.EINTR)
            else:
                waiting.append(late)
        self._late = waiting

    # --- the workbench

    def _obey(self) -> bool:
        """What the workbench asks; False when it is gone."""
        data = os.read(_CONTROL, 1 << 16)
        *lines, self._said = (self._said + data).split(b"\n")
        for line in lines:
            _say(self._do(json.loads(line)))
        return bool(data)

    def _do(self, asked: dict[str, object]) -> dict[str, object]:
        act = asked["do"]
        if act == "forget":
            return {**self._lose_power()}
        if act == "settle":
            self._files.settle()
        elif act == "slow":
            self._slow_s = float(str(asked["ms"])) / 1000
        elif act == "fail":
            self._files.contents.failing = bool(asked["on"])
        elif act == "fill":
            self._files.contents.full = bool(asked["on"])
        return {**self._files.state()}

    def _lose_power(self) -> dict[str, int]:
        """The kernel's memory of the files is lost, too: it gets a new mount that it knows nothing of."""
        lost = self._files.lose_power()
        self._late.clear()
        self._poll.unregister(self._mount.device)
        self._mount.renew()
        self._poll.register(self._mount.device, select.POLLIN)
        return lost


def _dying(thread: int) -> bool:
    try:
        with open(f"/proc/{thread}/status") as status:  # noqa: PTH123 - as above
            return any(line.startswith("SigPnd:") and int(line[7:], 16) & _SIGKILL for line in status)
    except OSError:
        return True


def _say(answer: dict[str, object]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def main(folder: str, aside: str) -> int:
    gc.disable()  # nothing here refers to itself, and a pause would be taken for the disk's
    try:
        own_namespace()
        disk = Disk(folder, aside)
    except OSError as error:
        _say({"error": error.strerror or str(error), "what": str(error.filename), "errno": error.errno or 0})
        return 1
    _say({"ready": True})
    disk.serve()
    return 0
