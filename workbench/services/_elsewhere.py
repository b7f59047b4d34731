"""A service that runs elsewhere already, known by its URL."""

from __future__ import annotations

from workbench.errors import UsageError
from workbench.services import Service


def elsewhere(url: str, *, entry: str) -> Service:
    """What the stack's entry says of a service that is not ours to start. Raises `UsageError` for what is no URL."""
    raise UsageError(f"{entry}: a service is given by its options or as an object; got the text {url!r}.")
