"""Links: the network paths of a stack, and the means to break them.

A link is a proxy of the relay (``workbench.links.relay``) or of a real ``toxiproxy-server``: both speak the same HTTP
API, and ``Links`` is its client. The listening address of a link stays what it is, whatever happens behind it.

Only the relay knows doors (``workbench.links.door``): one address that several links share.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from workbench.errors import LinkError, UsageError

if TYPE_CHECKING:
    from workbench.tls import Tls

VARIABLE = "WORKBENCH_TOXIPROXY"
"""Names a ``toxiproxy-server`` to use instead of the relay."""
STREAMS = ("upstream", "downstream")


def command(port: int) -> tuple[list[str], dict[str, str]]:
    """What to spawn so that the API listens on 127.0.0.1:``port``: argument list and extra environment.

    A real ``toxiproxy-server`` if ``WORKBENCH_TOXIPROXY`` or PATH has one, else the relay. Raises LinkError when
    the variable names no program.
    """
    named = os.environ.get(VARIABLE)
    program = shutil.which(named or "toxiproxy-server")
    if program:
        return [program, "-host", "127.0.0.1", "-port", str(port)], {"LOG_LEVEL": "error"}
    if named:
        raise LinkError(
            f"{VARIABLE} names {named}, which is not a program that can be run. "
            f"Correct it, or unset it to use the workbench's own relay."
        )
    package = str(Path(__file__).parents[2])
    python_path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    relay = [sys.executable, "-m", "workbench.links.relay", "--host", "127.0.0.1", "--port", str(port)]
    return relay, {"PYTHONPATH": python_path}


class Links:
    """The links one user of a relay has made. Iterates over them; safe to use from several threads.

    ``prefix`` keeps the names of two users of one relay apart: a proxy is called ``<prefix>source>target``.
    """

    def __init__(self, api: str = "127.0.0.1:8474", *, prefix: str = "", timeout_s: float = 2.0) -> None:
        host, _, port = api.rpartition(":")
        if not host or not port.isdigit():
            raise UsageError(f"The address of a relay is host:port, as in '127.0.0.1:8474'; got {api!r}.")
        self.api = api
        self._place = (host, int(port))
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._links: dict[str, Link] = {}

    def __iter__(self) -> Iterator[Link]:
        return iter(list(self._links.values()))

    def __len__(self) -> int:
        return len(self._links)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or f"no links yet, by the relay at {self.api}"

    def heal(self) -> None:
        """Enable every link of the relay, whoever made it, and take every toxic away."""
        self._ask("POST", "reset")

    def version(self) -> str:
        """The version the relay gives; raises LinkError when it cannot be reached."""
        return str(self._ask("GET", "version")["version"])

    def add(
        self,
        source: str,
        target: str,
        *,
        upstream: str,
        host: str = "127.0.0.1",
        tls: Tls | None = None,
        door: str = "",
        of: str = "",
    ) -> Link:
        """A new link from ``source`` to the service ``target`` that really listens at ``upstream`` (host:port).

        It listens at a free port of ``host``, an address of this machine's that the source can reach.

        With ``tls`` the upstream speaks TLS, and who connects to the link does not.

        With ``door`` (host:port; port 0 makes a new one, which `Link.door` then tells) connections from the host ``of``
        to that address take this link too, or those of everybody who has no link of his own there, if it is empty. A
        door lets nobody in before it has a link for everybody else: who comes earlier waits.
        """
        if of and not door:
            raise UsageError(f"of={of!r} says whose connections to a door take a link; name the door too.")
        name = f"{self._prefix}{source}>{target}"
        through = {"door": door, "of": of} if door else {}
        secured = tls.fields() if tls is not None else {}
        made = self._ask("POST", "proxies", name=name, listen=f"{host}:0", upstream=upstream, **secured, **through)
        host, _, port = str(made["listen"]).rpartition(":")
        link = Link(
            self, name, source=source, target=target, host=host, port=int(port), door=str(made.get("door") or "")
        )
        lacking = ""
        if door and not link.door:
            lacking = "knows no doors, addresses that several links share, and replicated services need them"
        if tls is not None and not made.get("tls"):
            lacking = f"speaks no TLS, and {target} does"
        if lacking:
            self.remove(link)
            raise LinkError(
                f"The relay at {self.api} (version {self.version()}) {lacking}. Unset {VARIABLE}, and have no "
                "toxiproxy-server on PATH: then the workbench's own relay is used."
            )
        self._links[name] = link
        return link

    def remove(self, link: Link) -> None:
        """Close a link for good: its port and its connections."""
        self._ask("DELETE", "proxies", link.name)
        self._links.pop(link.name, None)

    def reset(self) -> None:
        """Heal every link made here: enabled, and no toxic on it. Other users' links are left alone."""
        for link in self:
            link.enable()
            for toxic in link.toxics():
                link.remove(toxic["name"])

    def _ask(self, method: str, *path: str, **fields: Any) -> Any:
        """One request; its decoded answer, None when it is empty. Each takes a new connection: threads share none."""
        import http.client  # late: the relay, which runs this package too, does without

        what = f"{method} /{'/'.join(path)}"
        connection = http.client.HTTPConnection(*self._place, timeout=self._timeout_s)
        try:
            body = json.dumps(fields).encode() if fields else None
            address = "/" + "/".join(quote(part, safe="") for part in path)
            connection.request(method, address, body, {"User-Agent": "workbench", "Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise LinkError(
                f"The relay at {self.api} did not answer {what}: {error or type(error).__name__}. "
                f"It has ended, or something else listens there; start the stack anew."
            ) from error
        finally:
            connection.close()
        try:
            content = json.loads(text) if text.strip() else None
        except ValueError:
            content = None
        if answer.status >= 400:
            why = content.get("error") if isinstance(content, dict) else text.strip()
            raise LinkError(
                f"The relay at {self.api} refused {what} {json.dumps(fields) if fields else ''}".rstrip()
                + f": {why or answer.reason} (status {answer.status})."
            )
        return content


class Link:
    """The way from ``source`` to the service ``target``: connect to ``host``:``port`` instead of to the service."""

    def __init__(
        self, links: Links, name: str, *, source: str, target: str, host: str, port: int, door: str = ""
    ) -> None:
        self._links = links
        self.name = name
        self.source = source
        self.target = target
        self.host = host
        self.port = port
        self.door = door  # host:port, if it is one of those that share a door

    def __repr__(self) -> str:
        return f"link {self.source} → {self.target} on {self.host}:{self.port}"

    def add(
        self,
        type: str,  # noqa: A002 - the API's word
        *,
        name: str | None = None,
        stream: str = "downstream",
        toxicity: float = 1.0,
        **attributes: int,
    ) -> str:
        """Put a toxic on the link, live connections included; its name, ``<type>_<stream>`` unless given.

        Attributes are whole numbers in the units of Toxiproxy's API: ``latency=100, jitter=10`` milliseconds,
        ``rate=10`` kB/s, and so on; see ``workbench/links/toxics``. ``toxicity`` is the share of connections hit.
        """
        if stream not in STREAMS:
            raise UsageError(f"A toxic acts on one of the streams {' and '.join(STREAMS)}; got {stream!r}.")
        if not 0 <= toxicity <= 1:
            raise UsageError(f"A toxicity is from 0 (no connection) to 1 (every connection); got {toxicity!r}.")
        for attribute, value in attributes.items():
            if isinstance(value, bool) or not isinstance(value, int):
                raise UsageError(f"The attribute {attribute} of {type} is a whole number; got {value!r}.")
        made = self._links._ask(
            "POST",
            "proxies",
            self.name,
            "toxics",
            type=type,
            name=name or f"{type}_{stream}",
            stream=stream,
            toxicity=toxicity,
            attributes=attributes,
        )
        return str(made["name"])

    def remove(self, toxic: str) -> None:
        """Take a toxic away by its name. Bytes it held are delivered; where it dropped bytes, connections close."""
        self._links._ask("DELETE", "proxies", self.name, "toxics", toxic)

    def lead_to(self, upstream: str) -> None:
        """Lead to another address (host:port) of the target from now on; connections that there are end.

        Its own address stays, and so do its toxics.
        """
        self._links._ask("POST", "proxies", self.name, upstream=upstream)

    def toxics(self) -> list[dict[str, Any]]:
        """What is on the link: name, type, stream, toxicity and attributes of each toxic."""
        return list(self._links._ask("GET", "proxies", self.name, "toxics"))

    def disable(self) -> None:
        """Refuse new connections and close those there are."""
        self._links._ask("POST", "proxies", self.name, enabled=False)

    def enable(self) -> None:
        """Listen again, on the same port; on an enabled link nothing changes."""
        self._links._ask("POST", "proxies", self.name, enabled=True)
