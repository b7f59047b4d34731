"""What is happening, told to whoever watches: one JSON line per event, appended to the file that
``WORKBENCH_PROGRESS`` names. Without that variable nothing is written.

Events and their fields (times in seconds, rates in operations per second):

    service  name, state ("starting" | "ready" | "stopped" | "died"), program, ready_ms
    run      t, duration, rate, ok, fail, info        about five times a second while a run goes on
    fault    verb, state ("begin" | "proven" | "unproven" | "impossible" | "heal"), t, text
    claim    name, verdict, text
    note     text
"""

from __future__ import annotations

import json
import os
from typing import Any

VARIABLE = "WORKBENCH_PROGRESS"


def tell(event: str, **fields: Any) -> None:
    """Append one event. Watching is never a reason to fail: an unwritable file is ignored."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    line = json.dumps({"event": event, **fields}, default=str) + "\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
    except OSError:
        pass
