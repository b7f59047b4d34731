"""What it takes to undo what was not synced.

Of a file's contents: its size and, block by block, its bytes as they were when it was last synced, remembered before
they are changed for the first time since. Of names: what was made, removed and moved, in order. Names are kept as a
journaling file system keeps them: one journal, so that whoever syncs anything makes all durable that happened to
names before. What is removed waits in a folder aside until then.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from workbench.disks.nodes import Node

BLOCK = 4096


class Before:
    """What one file that has changed since contained when it was last synced."""

    def __init__(self, file: int) -> None:
        self.size = os.fstat(file).st_size
        self.blocks: dict[int, bytes] = {}

    def remember(self, file: int, begin: int, end: int) -> None:
        """Called before the bytes from ``begin`` to ``end`` change; what lies beyond the synced size is new anyway."""
        for block in range(begin // BLOCK, -(-min(end, self.size) // BLOCK)):
            if block not in self.blocks:
                at = block * BLOCK
                size = min(BLOCK, self.size - at)
                self.blocks[block] = os.pread(file, size, at).ljust(size, b"\0")  # a hole that was cut off is not there

    def remember_cut(self, file: int, size: int) -> None:
        """Called before the file is cut to ``size`` bytes. Holes need not be remembered: they are zeros again."""
        end = size
        while True:
            try:
                begin = os.lseek(file, end, os.SEEK_DATA)
                end = os.lseek(file, begin, os.SEEK_HOLE)
            except OSError as error:
                if error.errno != errno.ENXIO:  # not the last of the data, but nobody tells where holes are
                    self.remember(file, end, self.size)
                return
            self.remember(file, begin, end)

    def shrink(self, file: int) -> int:
        """Give back the room that it has taken since, which others may need; how many bytes that are undone."""
        added = max(0, os.fstat(file).st_size - self.size)
        if added:
            os.ftruncate(file, self.size)
        return added

    def restore(self, file: int) -> int:
        """Undo everything else; how many bytes that were not synced are gone by that."""
        os.ftruncate(file, self.size)
        for block, data in self.blocks.items():
            os.pwrite(file, data, block * BLOCK)
        return sum(map(len, self.blocks.values()))


class Names:
    """What happened to names since anything was last synced. ``aside`` is an open folder for what was removed."""

    def __init__(self, aside: int) -> None:
        self._aside = aside
        self._count = 0
        self._journal: list[tuple[str, Node, bytes, Node | None, bytes, int]] = []

    def __len__(self) -> int:
        return len(self._journal)

    def made(self, parent: Node, name: bytes) -> None:
        self._journal.append(("made", parent, name, None, b"", _inode(parent.path_fd, name)))

    def moved(self, parent: Node, name: bytes, to: Node, new: bytes) -> None:
        self._journal.append(("moved", parent, name, to, new, _inode(to.path_fd, new)))

    def remove(self, parent: Node, name: bytes) -> None:
        """Take a name away. Whatever it named lives on aside."""
        self._count += 1
        kept = b"%d" % self._count
        os.rename(name, kept, src_dir_fd=parent.path_fd, dst_dir_fd=self._aside)
        self._journal.append(("removed", parent, name, None, kept, 0))

    def commit(self) -> int:
        """Everything that happened until now is durable; how many removals that were."""
        removed = [kept for what, _, _, _, kept, _ in self._journal if what == "removed"]
        self._journal.clear()
        for kept in removed:
            _delete(self._aside, kept)
        return len(removed)

    def forget(self) -> int:
        """Undo everything, the last first; how much it was.

        What the owner of the folder has replaced meanwhile, below the disk, stays.
        """
        undone = len(self._journal)
        while self._journal:
            what, parent, name, to, other, inode = self._journal.pop()
            with contextlib.suppress(OSError):
                if what == "removed":
                    if _inode(parent.path_fd, name):
                        _delete(self._aside, other)
                    else:
                        os.rename(other, name, src_dir_fd=self._aside, dst_dir_fd=parent.path_fd)
                elif to is not None:
                    if _inode(to.path_fd, other) == inode:
                        os.rename(other, name, src_dir_fd=to.path_fd, dst_dir_fd=parent.path_fd)
                elif _inode(parent.path_fd, name) == inode:
                    _delete(parent.path_fd, name)
        return undone


def _inode(folder: int, name: bytes) -> int:
    """0 if there is nothing of that name."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino
    except FileNotFoundError:
        return 0


def _delete(folder: int, name: bytes) -> None:
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.rmdir(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)
