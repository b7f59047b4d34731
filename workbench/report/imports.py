"""Notebook libraries without their detours."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

_DETOURS = ("rfc3987_syntax", "pyarrow")
_lock = threading.Lock()


@contextlib.contextmanager
def direct() -> Iterator[None]:
    """Import nbformat, nbclient, nbconvert and papermill inside this block.

    All of them import jsonschema, which imports ``rfc3987_syntax`` if it can: an optional format check whose grammar is
    parsed for up to two seconds of CPU at every import. And papermill imports pyarrow, in case a notebook lies on
    Hadoop. Both go without it in here, as where it is not installed.
    """
    with _lock:
        masked = [name for name in _DETOURS if sys.modules.setdefault(name, None) is None]  # type: ignore[arg-type]
        try:
            yield
        finally:
            for name in masked:
                del sys.modules[name]
