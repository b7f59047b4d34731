"""Namespaces that a process leaves or enters before it turns into its program.

Imported by children of the supervisor, by its bare name, and only by those who need it: standard library only.
"""

# ruff: noqa: PTH116, PTH123 - pathlib would take as long to import as all the rest

from __future__ import annotations

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_UNPRIVILEGED = 1000  # the user a process with its own user namespace sees itself as


def own() -> None:
    """A user namespace of its own, in which it is an ordinary user. Raises `OSError`."""
    uid, gid = os.geteuid(), os.getegid()
    _check(_LIBC.unshare(_CLONE_NEWUSER))
    maps = {"setgroups": "deny", "uid_map": f"{_UNPRIVILEGED} {uid} 1", "gid_map": f"{_UNPRIVILEGED} {gid} 1"}
    for name, text in maps.items():
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def enter(pid: int) -> None:
    """The mount namespace of another process, and its user namespace if that is another one. Raises `OSError`."""
    for name, kind in (("user", _CLONE_NEWUSER), ("mnt", _CLONE_NEWNS)):
        theirs = f"/proc/{pid}/ns/{name}"
        if os.stat(theirs).st_ino != os.stat(f"/proc/self/ns/{name}").st_ino:
            with open(theirs, "rb") as namespace:
                _check(_LIBC.setns(namespace.fileno(), kind))


def _check(failed: int) -> None:
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
