"""Files of record are there as a whole or not at all, at whatever moment their writer is killed; and only files are
read as such, whatever a folder from elsewhere holds."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import sys
from pathlib import Path
from typing import Any, BinaryIO


def write(path: Path, data: bytes | str) -> None:
    """Write beside, then rename over. Text becomes UTF-8; bytes it was read from and that were none stay as they were.

    Raises `OSError`; what was there before is then still there, and nothing new.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data.encode(errors="surrogateescape") if isinstance(data, str) else data)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def opened(path: Path) -> BinaryIO:
    """Open a file for reading. Raises `OSError`, also of a pipe, which would be waited for, and of a device, which has
    no end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return os.fdopen(descriptor, "rb")


def read(path: Path, *, most: int = sys.maxsize) -> bytes:
    """What stands in a file. Raises `OSError`, also if it is no file, or larger than ``most`` bytes."""
    with opened(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return file.read()


def write_json(path: Path, record: Any) -> None:
    """The same, of a record that people read, too: indented, what JSON cannot hold as text (infinity as "inf")."""
    write(path, json.dumps(_plain(record), indent=1, ensure_ascii=False, default=str, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
