"""What files contain, with what it takes to undo what was not synced."""

from __future__ import annotations

import errno
import os

from workbench.disks import protocol
from workbench.disks.nodes import Node
from workbench.disks.undo import Before

_KEEP_SIZE = 1  # of fallocate
_AT_ONCE = os.O_DSYNC | os.O_SYNC


class Contents:
    """Reads, writes and syncs. ``full``: nothing may grow; ``failing``: no sync succeeds."""

    def __init__(self) -> None:
        self._unsynced: dict[Node, Before] = {}
        self.full = False
        self.failing = False
        self.writes = 0

    def __len__(self) -> int:
        """How many files are not synced."""
        return len(self._unsynced)

    def open(self, node: Node) -> None:
        node.open_file()
        node.openings += 1

    def release(self, node: Node) -> None:
        node.openings -= 1
        self._close_idle(node)

    @staticmethod
    def read(node: Node, body: memoryview) -> bytes:
        _, offset, size = protocol.READING.unpack_from(body)
        return os.pread(node.open_file(), size, offset)

    def write(self, node: Node, body: memoryview) -> int:
        _, offset, size, _, _, _, _ = protocol.WRITING.unpack_from(body)
        file = node.open_file()
        if self.full and offset + size > os.fstat(file).st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._before(node).remember(file, offset, offset + size)
        self.writes += 1
        return os.pwrite(file, body[protocol.WRITING.size :][:size], offset)

    @staticmethod
    def is_at_once(body: memoryview) -> bool:
        """Whether the body of a write says that it is to return when it is durable."""
        return bool(protocol.WRITING.unpack_from(body)[5] & _AT_ONCE)

    def resize(self, node: Node, size: int) -> None:
        file = node.open_file()
        if size > os.fstat(file).st_size:
            self.check_room()
        self._before(node).remember_cut(file, size)
        os.ftruncate(file, size)

    def allocate(self, node: Node, body: memoryview) -> None:
        offset, length, mode = protocol.number(body, 8), protocol.number(body, 16), protocol.number(body, 24, 4)
        if mode & ~_KEEP_SIZE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        self.check_room()
        if not mode:
            self._before(node)  # no byte changes, but the size may
            os.posix_fallocate(node.open_file(), offset, length)

    def sync(self, node: Node) -> None:
        """What this file contains now is durable."""
        self._unsynced.pop(node, None)
        self._close_idle(node)

    def sync_all(self) -> None:
        for node in list(self._unsynced):
            self.sync(node)

    def drop_removed(self) -> None:
        """What was removed for good has nothing to undo any more."""
        for node in [node for node in self._unsynced if not node.stat().st_nlink]:
            self.sync(node)

    def forget(self) -> tuple[int, int]:
        """Undo what was not synced: how many files and bytes that was."""
        changed = [(before, node.open_file()) for node, before in self._unsynced.items()]
        undone = sum(before.shrink(file) for before, file in changed)
        undone += sum(before.restore(file) for before, file in changed)
        self._unsynced.clear()
        return len(changed), undone

    def check_room(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def check_sync(self) -> None:
        if self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _before(self, node: Node) -> Before:
        """What is remembered of a file that is about to change."""
        found = self._unsynced.get(node)
        if found is None:
            found = self._unsynced[node] = Before(node.open_file())
        return found

    def _close_idle(self, node: Node) -> None:
        if node.openings <= 0 and node not in self._unsynced:
            node.close_file()
