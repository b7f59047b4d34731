"""What the kernel says on /dev/fuse, and how it is answered: the structures of FUSE 7.31, by `struct`.

Source: include/uapi/linux/fuse.h of the Linux kernel. Numbers are in the machine's own byte order.
"""

from __future__ import annotations

import os
import struct
import sys

LOOKUP, FORGET, GETATTR, SETATTR, READLINK, SYMLINK = 1, 2, 3, 4, 5, 6
MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK = 8, 9, 10, 11, 12, 13
OPEN, READ, WRITE, STATFS, RELEASE, FSYNC = 14, 15, 16, 17, 18, 20
INIT, OPENDIR, READDIR, RELEASEDIR, FSYNCDIR = 26, 27, 28, 29, 30
INTERRUPT, DESTROY, BATCH_FORGET, FALLOCATE, RENAME2 = 36, 38, 42, 43, 45

NO_ANSWER = frozenset((FORGET, BATCH_FORGET, INTERRUPT))

ROOT = 1
"""The node that the kernel knows without asking."""

REQUEST = struct.Struct("=IIQQIIII")
"""Length, operation, number of the request, node, uid, gid, thread, padding: 40 bytes before every body."""

ANSWER = struct.Struct("=IiQ")
"""Length, error (negative), number of the request: 16 bytes before every answer."""

WRITING = struct.Struct("=QQIIQII")
"""Handle, offset, size, flags of the write, lock owner, flags of the file, padding: before the bytes to write."""

READING = struct.Struct("=QQI")
LARGEST_WRITE = 1 << 18
LARGEST_REQUEST = LARGEST_WRITE + 4096

# What a request to change attributes names.
MODE, UID, GID, SIZE, ATIME, MTIME, ATIME_NOW, MTIME_NOW = 1, 2, 4, 8, 16, 32, 128, 256

ATTRIBUTES_S = 1
"""Attributes of an open file are the kernel's own for so long: only it changes them."""

_ATTRIBUTES = struct.Struct("=6Q10I")
_ENTRY = struct.Struct("=4Q2I")
_VERSION = struct.Struct("=4I")
_WELCOME = struct.Struct("=4I2H2I2H8I")
_CHANGE = struct.Struct("=2I6Q8I")
_SPACE = struct.Struct("=5Q10I")
_LISTED = struct.Struct("=2Q2I")

_ASYNC_READ, _BIG_WRITES, _MAX_PAGES = 1, 1 << 5, 1 << 22
_PAGE = 4096


def welcome(body: memoryview) -> bytes:
    """The answer to the first request: which version is spoken, and how large a write may be.

    Nothing is asked for that would let the kernel keep written data to itself: every ``write`` arrives at once.
    """
    _, _, readahead, offered = _VERSION.unpack_from(body)
    flags = offered & (_ASYNC_READ | _BIG_WRITES | _MAX_PAGES)
    pages = LARGEST_WRITE // _PAGE
    return _WELCOME.pack(7, 31, readahead, flags, 16, 12, LARGEST_WRITE, 1, pages, *[0] * 9)


def attributes(seen: os.stat_result) -> bytes:
    """What is known of a file."""
    return _ATTRIBUTES.pack(
        seen.st_ino,
        seen.st_size,
        seen.st_blocks,
        seen.st_atime_ns // 10**9,
        seen.st_mtime_ns // 10**9,
        seen.st_ctime_ns // 10**9,
        seen.st_atime_ns % 10**9,
        seen.st_mtime_ns % 10**9,
        seen.st_ctime_ns % 10**9,
        seen.st_mode,
        seen.st_nlink,
        seen.st_uid,
        seen.st_gid,
        seen.st_rdev,
        _PAGE,
        0,
    )


def attributes_for_a_while(seen: os.stat_result) -> bytes:
    return struct.pack("=QII", ATTRIBUTES_S, 0, 0) + attributes(seen)


def entry(node: int, seen: os.stat_result) -> bytes:
    """A name was found. It is looked up anew each time: whoever owns the folder writes below the disk, too."""
    return _ENTRY.pack(node, 0, 0, ATTRIBUTES_S, 0, 0) + attributes(seen)


def change(body: memoryview) -> tuple[int, int, int, int, int, int, int]:
    """What is to be changed (`MODE` …), and to what: size, times of access and change (ns), mode, uid, gid."""
    what, _, _, size, _, atime, mtime, _, atime_ns, mtime_ns, _, mode, _, uid, gid, _ = _CHANGE.unpack_from(body)
    return what, size, atime * 10**9 + atime_ns, mtime * 10**9 + mtime_ns, mode, uid, gid


def space(seen: os.statvfs_result, *, full: bool) -> bytes:
    """How much room there is."""
    free = (0, 0) if full else (seen.f_bfree, seen.f_bavail)
    sizes = (seen.f_bsize, seen.f_namemax, seen.f_frsize)
    return _SPACE.pack(seen.f_blocks, *free, seen.f_files, seen.f_ffree, *sizes, *[0] * 7)


def listed(name: bytes, number: int, kind: int, place: int) -> bytes:
    """One entry of a folder; ``place`` is where the reading goes on after it."""
    packed = _LISTED.pack(number, place, len(name), kind) + name
    return packed + bytes(-len(packed) % 8)


def opened(handle: int) -> bytes:
    return struct.pack("=QII", handle, 0, 0)


def written(size: int) -> bytes:
    return struct.pack("=II", size, 0)


def number(body: memoryview, at: int = 0, size: int = 8) -> int:
    """A number in a body: a node or a handle, if nothing is said."""
    return int.from_bytes(body[at : at + size], sys.byteorder)


def words(body: memoryview) -> list[bytes]:
    """The texts in a body, each ended by a zero byte."""
    return bytes(body).split(b"\0")[:-1]
