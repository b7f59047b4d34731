"""An application's address: where to connect, and what the application itself is called there.

The two differ where it runs elsewhere: clients connect to their link, and ask for the host that it leads to. That one
stands in the URL as a fragment, ``http://127.0.0.1:4711/api#host=staging.example.com``.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit, urlunsplit


class Origin(NamedTuple):
    """What a URL says."""

    host: str  # to connect to
    port: int
    name: str  # the ``Host`` of a request
    prefix: str  # what every path begins with, without a slash at its end
    called: str  # the URL as the application would be called there, without a fragment


def origin(url: str) -> Origin:
    """Of ``http://`` or ``ws://``; a user and a password in it are not for here."""
    parts = urlsplit(url)
    name = parse_qs(parts.fragment).get("host", [parts.netloc.rpartition("@")[2]])[0]
    called = urlunsplit(parts._replace(netloc=name, fragment=""))
    return Origin(parts.hostname or "127.0.0.1", parts.port or 80, name, parts.path.rstrip("/"), called)


def socket_url(url: str, path: str) -> str:
    """Where a WebSocket of the application is, for `open_socket`."""
    parts = urlsplit(url)
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"ws://{parts.netloc}{parts.path.rstrip('/')}{path}{fragment}"
