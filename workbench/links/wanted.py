"""A proxy as a request describes it."""

from __future__ import annotations

from typing import Any, NamedTuple

from workbench.links.fields import Fields, Refused, bad
from workbench.tls import Tls

ANYWHERE = "127.0.0.1:0"
"""Where a proxy listens that is not told where: the original would listen on every interface."""


class Wanted(NamedTuple):
    """What a proxy shall be."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    door: str  # the address it shares with others, "" without one
    tls: Tls | None  # that the upstream speaks; None: it speaks what its clients speak
    of: str  # the host whose connections there are its own; "": those of nobody else


def wanted(entry: Any, where: str = "") -> Wanted:
    """Read a decoded body; ``where`` says which of several it is. Raises Refused."""
    fields = Fields(entry)
    found = Wanted(
        name=fields.text("name", ""),
        listen=fields.text("listen", "") or ANYWHERE,
        upstream=fields.text("upstream", ""),
        enabled=fields.flag("enabled", True),
        door=fields.text("door", ""),
        tls=_tls(fields),
        of=fields.text("of", ""),
    )
    for name in ("name", "upstream"):
        if not getattr(found, name):
            raise Refused(400, f"missing required field: {name}{where}")
    if found.of and not found.door:
        raise Refused(400, f"missing required field: door{where}, of which {found.of} is let in")
    return found


def _tls(fields: Fields) -> Tls | None:
    try:
        return Tls.of({name: fields.text(name, "") for name in ("tls", "tls_ca", "tls_verify", "tls_start")})
    except ValueError as error:
        raise bad(error) from error
