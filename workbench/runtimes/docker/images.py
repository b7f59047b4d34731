"""Images: which one a service is started from, and that it is there before anything starts."""

from __future__ import annotations

import http.client
import os
import queue
import re
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from workbench.errors import ProgramMissing, ServiceError
from workbench.progress import tell
from workbench.runtimes.docker import reaper
from workbench.runtimes.docker.engine import explained

if TYPE_CHECKING:
    from workbench.runtimes.docker.engine import Engine

FIRST_SIGN_S = 2.0
"""How long a registry may take to say that it has an image."""
LATER_SIGN_S = 60.0
"""How long a pull may then be silent."""


def variable(entry: str) -> str:
    """The environment variable that names the image of an entry: ``WORKBENCH_REDIS_IMAGE``."""
    return f"WORKBENCH_{re.sub(r'[^A-Z0-9]', '_', entry.upper())}_IMAGE"


def named(*entries: str) -> str:
    """The image that the environment names for the first of these that it names one for, "" if for none."""
    return next((image for entry in entries if (image := os.environ.get(variable(entry), "").strip())), "")


def prefixed(pinned: str) -> str:
    """A pinned name with the registry that testcontainers is told to take such images from, if it is."""
    from testcontainers.core.config import testcontainers_config

    return f"{testcontainers_config.hub_image_name_prefix}{pinned}"


def is_there(host: str, name: str) -> bool:
    """Whether the engine at ``host`` has an image; False too when it does not answer."""
    try:
        return reaper.ask(host, "GET", f"/images/{quote(name)}/json")[0] == 200
    except (OSError, http.client.HTTPException, ValueError):
        return False


def obtain(engine: Engine, name: str, *, entry: str) -> dict[str, Any]:
    """What the engine knows of an image, pulled if it is not there and can be.

    Raises `ProgramMissing` if it cannot, within seconds, and `UsageError` for what is no name of an image.
    """
    from docker.errors import ImageNotFound

    with explained(f"{entry}: the image {name} cannot be looked at"):
        try:
            return _inspected(engine, name)
        except ImageNotFound:
            pass
    _pull(engine, name, entry=entry)
    with explained(f"{entry}: the image {name} was pulled and cannot be looked at"):
        return _inspected(engine, name)


def _inspected(engine: Engine, name: str) -> dict[str, Any]:
    found: dict[str, Any] = engine.api.inspect_image(name)
    return found


def _pull(engine: Engine, name: str, *, entry: str) -> None:
    """Pull an image, and tell how far it is."""
    news: queue.SimpleQueue[dict[str, Any] | BaseException | None] = queue.SimpleQueue()
    tell("service", name=entry, state="starting", program=f"pulling {name}")

    def pull() -> None:
        try:
            for event in engine.api.pull(name, stream=True, decode=True):
                news.put(event)
            news.put(None)
        except BaseException as error:  # told in the thread that waits
            news.put(error)

    threading.Thread(target=pull, name=f"pull-{entry}", daemon=True).start()
    patience, status = FIRST_SIGN_S, ""
    while True:
        try:
            event = news.get(timeout=patience)
        except queue.Empty:
            raise _missing(entry, name, f"its registry was silent for {patience:g} s") from None
        if event is None:
            return
        if isinstance(event, BaseException):
            raise _missing(entry, name, str(getattr(event, "explanation", None) or event)) from None
        if "error" in event:
            raise _missing(entry, name, str(event["error"]))
        patience = LATER_SIGN_S
        if event.get("status") != status:  # the bytes of each layer come many times a second
            status = str(event.get("status", ""))
            tell("note", text=f"{entry}: {name}: {status} {event.get('id', '')}".rstrip())


def _missing(entry: str, name: str, why: str) -> ServiceError:
    return ProgramMissing(
        f"{entry}: the image {name} is not on this machine and cannot be pulled: {why.strip().rstrip('.')}. Bring it "
        f"here (docker pull {name}, or docker load), or name one that is here or in a registry within reach: "
        f'images={{"{entry}": "registry.local/{name}"}}, or the environment variable {variable(entry)}. '
        'The runtime "embedded" needs none.'
    )
