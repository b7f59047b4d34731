"""A mount that nobody else sees, and that goes with those who do.

As root the program gets a mount namespace of its own; anybody else a user namespace with it, in which they keep their
user id. In both, mounts of the outside still arrive nowhere and leave nothing behind.
"""

from __future__ import annotations

import ctypes
import os

DEVICE = "/dev/fuse"

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE, _MNT_DETACH = 2, 4, 0x4000, 1 << 18, 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _SIGKILL = 1, 4, 9


def own_namespace() -> None:
    """Leave the namespace of the others. Raises `OSError`, whose file name says what was not allowed."""
    uid, gid, parent = os.geteuid(), os.getegid(), os.getppid()
    if uid == 0:
        _check(_LIBC.unshare(_CLONE_NEWNS), "a mount namespace of its own")
    else:
        _check(_LIBC.unshare(_CLONE_NEWNS | _CLONE_NEWUSER), "a user and mount namespace of its own")
        for name, text in {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}.items():
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - pathlib takes as long to import as the rest
                file.write(text)
        _LIBC.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # else nobody could enter the namespaces
        _LIBC.prctl(_PR_SET_PDEATHSIG, _SIGKILL)  # the change of rights has cleared it
        if os.getppid() != parent:
            os._exit(1)
    _check(_LIBC.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "mounts of its own")


class Mount:
    """The disk in its place. ``device`` is where the kernel asks."""

    def __init__(self, folder: str) -> None:
        self._folder = os.fsencode(folder)
        self.device = -1
        self.renew()

    def renew(self) -> None:
        """Mount it, in place of the mount before: the kernel forgets all it knew of that. Raises `OSError`."""
        self.remove()
        self.device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
        options = (
            f"fd={self.device},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()},"
            "allow_other,default_permissions"
        )
        flags = _MS_NOSUID | _MS_NODEV
        _check(_LIBC.mount(b"workbench", self._folder, b"fuse.workbench", flags, options.encode()), "mount")

    def remove(self) -> None:
        if self.device >= 0:
            _LIBC.umount2(self._folder, _MNT_DETACH)
            os.close(self.device)  # whoever still waits for an answer gets an error
            self.device = -1


def _check(failed: int, what: str) -> None:
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
