"""Cells that Jupyter already waits to execute when a run is interrupted.

`run` keeps its record and returns, so the kernel would go on with the next cell of *Run All*, which is rarely what
somebody means who presses ■. So the next cell fails instead, if it was asked for before; Jupyter drops those behind it.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta
from typing import Any

from workbench.errors import Interrupted


def hold_back(began_s: float) -> None:
    """Have the cells not executed that were asked for before now; the run began at ``began_s`` of the monotonic clock.

    Outside of Jupyter it does nothing.
    """
    shell = _shell()
    asked = _asked(shell)
    if asked is None:
        return
    # By the clock of the browser, which may be another machine's: its request for this cell, and how long ago that is
    # at least. What it asks for later is meant.
    until = asked + timedelta(seconds=time.monotonic() - began_s)

    def refuse(lines: list[str]) -> list[str]:
        now = _asked(shell)
        if now is not None and now <= until:
            raise Interrupted(
                "This cell was not executed: it waited for a run that was interrupted. What was recorded is kept, as "
                "the result of that run; execute this cell again to go on with it."
            )
        if refuse in shell.input_transformers_cleanup:
            shell.input_transformers_cleanup.remove(refuse)
        return lines

    shell.input_transformers_cleanup.insert(0, refuse)


def _shell() -> Any:
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    return shell if hasattr(shell, "kernel") else None


def _asked(shell: Any) -> datetime | None:
    """When the cell that is executed now was asked for, as its message says."""
    try:
        date = shell.kernel.get_parent("shell")["header"]["date"]
    except (AttributeError, LookupError, TypeError):
        return None
    return date if isinstance(date, datetime) else None
