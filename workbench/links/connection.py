"""One accepted client and its own connection to the upstream: two pipes, back to back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.links.address import Address
from workbench.links.pipe import Pipe
from workbench.links.toxics import END, RESET, Signal

if TYPE_CHECKING:
    from workbench.links.alarm import Alarm
    from workbench.links.dose import Dose
    from workbench.tls import Tls

TEAR_DOWN = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends RST and discards what was not sent."""
UNREAD = 16 * 1024 * 1024
"""How much is read and dropped before a close: data left unread would turn its FIN into a RST."""


class Connection:
    """Dials when created; carries once both ends are there. ``gone`` is called once, when both are closed."""

    def __init__(
        self,
        client: socket.socket,
        upstream: str,
        *,
        tls: Tls | None = None,
        seed: str,
        doses: Callable[[], list[Dose]],
        gone: Callable[[Connection], None],
        loop: asyncio.AbstractEventLoop,
        alarm: Alarm,
    ) -> None:
        self.upstream: Pipe | None = None  # what the client says
        self.downstream: Pipe | None = None  # what it hears
        self._sockets = [client]
        self._seed = seed
        self._doses = doses
        self._gone = gone
        self._loop = loop
        self._alarm = alarm
        self._dialling = loop.create_task(self._dial(upstream, tls))

    async def _dial(self, upstream: str, tls: Tls | None) -> None:
        """A task of its own for every client, so that one hanging upstream makes nobody else wait."""
        try:
            if tls is None:
                server = await Address(upstream).dial(self._loop)
            else:
                from workbench.links import secure  # late: few upstreams need it

                server = await secure.dial(upstream, tls, torn=self.reset, loop=self._loop)
        except ConnectionResetError:  # it was there, and tore the connection down before we looked
            return self.reset()
        except (OSError, ValueError):
            return self.close()
        (client,) = self._sockets
        self._sockets.append(server)
        with contextlib.suppress(OSError):  # an end that is gone already will say so when it is read
            for end in self._sockets:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.upstream = self._pipe(client, server)
        self.downstream = self._pipe(server, client)
        return self.take(self._doses())

    def _pipe(self, source: socket.socket, sink: socket.socket) -> Pipe:
        def end(signal: Signal) -> None:
            self._ended(sink, signal)

        return Pipe(source, sink, end, loop=self._loop, alarm=self._alarm)

    def take(self, doses: list[Dose], changed: Dose | None = None) -> None:
        """Apply these doses from now on, each to its stream; see ``Pipe.take``."""
        for pipe, upstream in ((self.upstream, True), (self.downstream, False)):
            if pipe is not None:
                pipe.take(((dose, dose.taken_by(self._seed)) for dose in doses if dose.upstream is upstream), changed)

    def _ended(self, sink: socket.socket, signal: Signal) -> None:
        assert self.upstream and self.downstream
        if signal is RESET:
            return self.reset()
        if signal is END and not (self.upstream.ended and self.downstream.ended):
            with contextlib.suppress(OSError):  # it may be gone already: then the other pipe learns it
                sink.shutdown(socket.SHUT_WR)
            return None
        return self.close()

    def close(self) -> None:
        """End both sides in good order (FIN)."""
        for end in self._stop():
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_WR)
                unread = 0
                while unread < UNREAD and (size := len(end.recv(65536))):
                    unread += size
            end.close()

    def reset(self) -> None:
        """Tear both sides down (RST)."""
        for end in self._stop():
            tear_down(end)

    def _stop(self) -> list[socket.socket]:
        """Stop carrying; returns the sockets, still open, the first time and nothing after."""
        self._dialling.cancel()
        for pipe in (self.upstream, self.downstream):
            if pipe is not None:
                pipe.close()
        sockets, self._sockets = self._sockets, []
        if sockets:
            self._gone(self)
        return sockets


def tear_down(end: socket.socket) -> None:
    """Close a connection by RST."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, TEAR_DOWN)
    end.close()
