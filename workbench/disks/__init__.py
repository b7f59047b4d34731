"""A disk that forgets: a file system whose power can be lost, whose syncs can be slow or fail, and that can be full.

A program of its own (`program`) that speaks to the kernel on /dev/fuse, needs nothing but the standard library and
imports nothing of the workbench but this room. It is mounted over a folder, in a mount namespace that only those see
who are started inside, and passes everything on to the same folder below. Whoever writes to the folder from outside
writes below the disk: that counts as durable at once.

What is durable, and survives a loss of power:

* a file's contents, when ``fsync``, ``fdatasync`` or ``msync`` of it has returned; writes to a file opened with O_SYNC
  or O_DSYNC when they return. All that was written to it since is undone as a whole;
* names (what was made, removed, renamed), when anything was synced after them: there is one journal, written in order,
  as ext4 and XFS have it. A file whose name is durable and whose contents are not is there, as it was last synced: a
  new one is empty;
* owners, rights and times, at once.

What it does not imitate: a real disk may keep any part of what was not synced, in any order, and may tear a block; here
all of it is gone. Names are promised elsewhere only for a sync of their folder: ext4 and XFS take them along with other
syncs, but not with one that has nothing to tell the journal (``fdatasync`` of a file that was only written over), so
that a program which counts on it may pass here and lose a name there. After a sync that failed, Linux takes the data
for clean and a second sync succeeds without it; here a second sync that succeeds has synced everything. ``sync`` and
``syncfs`` of the whole system reach no disk of this kind. Extended attributes, pipes, sockets, nameless files, punched
holes and exchanges of names are refused.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path

_PROBE = Path(__file__).parent / "probe.py"
_BARE = [sys.executable, "-I", "-S"]
_BOOT = (
    "import sys; house = type(sys)('workbench'); house.__path__ = [sys.argv[1]]; sys.modules['workbench'] = house; "
    "from workbench.disks.program import main; sys.exit(main(*sys.argv[2:]))"
)


def command(folder: PathLike[str], aside: PathLike[str]) -> Sequence[str]:
    """What to start for a disk over ``folder``. What is removed from it waits in the new folder ``aside``."""
    return [*_BARE, "-c", _BOOT, str(Path(__file__).parents[1]), fspath(folder), fspath(aside)]


def probe(file: PathLike[str], *, size: int, sync: bool) -> Sequence[str]:
    """What to start inside a disk to see how it does; see `workbench.disks.probe`."""
    return [*_BARE, str(_PROBE), fspath(file), str(size), *(["--sync"] if sync else [])]
