"""Ryuk, testcontainers' own cleaner: a container that removes what a session made once nobody holds a connection to it.

It is started where its image is there and nobody has switched it off (``TESTCONTAINERS_RYUK_DISABLED``). The supervisor
cleans up in any case, sooner; Ryuk is for the machine whose supervisor was killed as well.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from workbench.runtimes.docker.images import is_there

if TYPE_CHECKING:
    from workbench.runtimes.docker.engine import Engine


def ryuk_image() -> str:
    """The name of its image, "" if it is switched off."""
    from testcontainers.core.config import testcontainers_config

    return "" if testcontainers_config.ryuk_disabled else str(testcontainers_config.ryuk_image)


def begin_ryuk(engine: Engine) -> None:
    """Start it beside everything else, if it can be had without pulling; nothing waits for it, or fails with it."""
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import Reaper

    image = ryuk_image()
    testcontainers_config.ryuk_disabled = True  # else every container's start would pull it, and fail if it cannot

    def begin() -> None:
        try:
            Reaper.get_instance()
        except Exception:  # whatever keeps it from running, the supervisor is there
            return

    if image and is_there(engine.host, image):
        threading.Thread(target=begin, name="ryuk", daemon=True).start()
