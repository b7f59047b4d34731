"""Notebook libraries without a two-second detour."""

from __future__ import annotations

import sys


def quicken() -> None:
    """Call before the first import of nbformat, nbclient, nbconvert or papermill.

    All of them import jsonschema, which imports ``rfc3987_syntax`` if it can: an optional format check whose grammar is
    parsed for two seconds of CPU at every import. Masked, jsonschema goes without it, as where it is not installed.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
