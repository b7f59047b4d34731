"""Files and folders that the kernel knows by a number, each held by a descriptor, whatever it is called by now.

The scheme of libfuse's example ``passthrough_ll``: a descriptor that was opened with O_PATH stays good through renames
and removals, and everything else is reached through it.
"""

from __future__ import annotations

import contextlib
import os
import weakref


class Node:
    """One file or folder below the disk. Its descriptors are closed with it, when nobody refers to it any more."""

    def __init__(self, path_fd: int) -> None:
        self.path_fd = path_fd
        self.file = -1  # open for reading and writing, while anybody has it open or it has something to undo
        self.openings = 0
        self.lookups = 0

    def __del__(self) -> None:
        self.close_file()
        os.close(self.path_fd)

    @property
    def path(self) -> str:
        return f"/proc/self/fd/{self.path_fd}"

    def stat(self) -> os.stat_result:
        return os.fstat(self.path_fd)

    def open_file(self) -> int:
        """The descriptor to read and write by."""
        if self.file < 0:
            try:
                self.file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            except PermissionError:  # of an owner who may only read it, and is not root
                self.file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return self.file

    def close_file(self) -> None:
        if self.file >= 0:
            os.close(self.file)
            self.file = -1


class Nodes:
    """By the numbers that the kernel was given."""

    def __init__(self, root: int) -> None:
        """``root`` is an open folder; it stays the caller's."""
        self._root = root
        self.clear()

    def clear(self) -> None:
        """The kernel knows none but the root any more."""
        self._by_number = {1: Node(os.dup(self._root))}
        self._numbers: dict[tuple[int, int], int] = {}
        self._living: weakref.WeakValueDictionary[tuple[int, int], Node] = weakref.WeakValueDictionary()
        self._next = 2

    def __getitem__(self, number: int) -> Node:
        return self._by_number[number]

    def find(self, parent: Node, name: bytes) -> tuple[int, os.stat_result]:
        """The number of what is called so, counted as known to the kernel once more. Raises `FileNotFoundError`."""
        path_fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent.path_fd)
        seen = os.fstat(path_fd)
        inode = seen.st_dev, seen.st_ino
        node = self._living.get(inode)  # also one that the kernel has forgotten, and that is not synced
        if node is None:
            node = self._living[inode] = Node(path_fd)
        else:
            os.close(path_fd)
        number = self._numbers.get(inode)
        if number is None:
            number, self._next = self._next, self._next + 1
            self._by_number[number] = node
            self._numbers[inode] = number
            node.lookups = 0
        node.lookups += 1
        return number, seen

    def forget(self, number: int, lookups: int) -> None:
        """The kernel needs it less by so many times."""
        node = self._by_number.get(number)
        if node is None or number == 1:
            return
        node.lookups -= lookups
        if node.lookups <= 0:
            seen = node.stat()
            del self._by_number[number]
            with contextlib.suppress(KeyError):
                del self._numbers[seen.st_dev, seen.st_ino]
