"""What operations get as ``urls``."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit


def addresses(url: str, others: Mapping[str, str], *, entry: str) -> dict[str, str]:
    """The system's own ``url`` as "app", and under its name in the stack; those of what it uses under theirs.

    "app.host" is what to send as the header Host: not that of the URL where the system runs elsewhere.
    """
    plain, _, fragment = url.partition("#")
    host = parse_qs(fragment).get("host", [urlsplit(plain).netloc])[0]
    return {"app": plain, "app.host": host, **others, entry: plain, f"{entry}.host": host}
