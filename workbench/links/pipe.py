"""One direction of a connection: from a socket, through the toxics, into a socket.

Without toxics bytes go from one socket straight into the other. What the receiver does not take is kept, and the
sender is not read until it is gone: the pressure goes all the way back, as without a relay.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from workbench.links.toxics import END, NEVER, RESET, Chunk, Signal, Timed, Toxic

if TYPE_CHECKING:
    from workbench.links.alarm import Alarm
    from workbench.links.dose import Dose

BUFFER = bytearray(256 * 1024)
"""Where every pipe reads into: one process, one thread, and what is kept is copied."""
VIEW = memoryview(BUFFER)
CHUNK = 32 * 1024
"""The most that is read at once when a toxic will have it: what is read too early, a slow link has swallowed."""


class Stage:
    """A toxic at work on one pipe, with what it holds back."""

    __slots__ = ("dose", "held", "size", "toxic")

    def __init__(self, dose: Dose, toxic: Toxic) -> None:
        self.dose = dose
        self.toxic = toxic
        self.held: deque[tuple[float, float | None, Chunk]] = deque()  # due, arrived (None: its own doing), chunk
        self.size = 0  # bytes held

    def hold(self, timed: Iterable[Timed], arrived: float | None = None) -> None:
        for due, chunk in timed:
            self.held.append((due, arrived, chunk))  # and waits for those before it, whenever it is due itself
            if not isinstance(chunk, Signal):
                self.size += len(chunk)

    def let_go(self) -> Chunk:
        _, _, chunk = self.held.popleft()
        if not isinstance(chunk, Signal):
            self.size -= len(chunk)
        return chunk

    def change(self, now: float) -> None:
        """New attributes: what is held flows through the toxic again, from its own arrival."""
        held, self.held = self.held, deque()
        self.size = 0
        self.toxic.change(self.dose.attributes)
        self.hold(self.toxic.join(now))
        for _, arrived, chunk in held:
            if arrived is not None:
                self.hold(self.toxic.flow(arrived, chunk), arrived)


class Pipe:
    """Carries what ``source`` says to ``sink``. ``end`` is called with the signal that arrives there, once."""

    def __init__(
        self,
        source: socket.socket,
        sink: socket.socket,
        end: Callable[[Signal], None],
        *,
        loop: asyncio.AbstractEventLoop,
        alarm: Alarm,
    ) -> None:
        self._source = source
        self._sink = sink
        self._end = end
        self._loop = loop
        self._alarm = alarm
        self._stages: list[Stage] = []
        self._unsent = bytearray()  # what the sink would not take yet
        self._last_word: Signal | None = None  # waits behind what is unsent
        self._wake_at = NEVER
        self._reading = False
        self._mouthful = len(BUFFER)  # the most that is read at once
        self._drained = False  # the source has nothing more to say
        self.ended = False  # nothing more is delivered
        self.received = 0  # bytes read from the source
        self.sent = 0  # bytes the sink took
        self._receive = source.recv_into
        self._send = sink.send

    def close(self) -> None:
        """Stop at once; the sockets are the caller's."""
        self.ended = True
        self._regulate()
        if self._unsent:
            self._loop.remove_writer(self._sink)
            self._unsent.clear()
        self._stages.clear()

    def take(self, doses: Iterable[tuple[Dose, Toxic | None]], changed: Dose | None = None) -> None:
        """Apply these doses, in this order, from now on; the first call begins to carry.

        A dose comes with its toxic for this connection, or None when the connection is spared; ``changed`` is the
        one whose attributes are new. No byte held by a dose that changes or goes is lost or overtaken.
        """
        now = time.monotonic()
        wanted = {dose: toxic for dose, toxic in doses if toxic is not None}
        for stage in [stage for stage in self._stages if stage.dose not in wanted]:
            self._remove(stage, now)
        if self.ended:
            return
        known = {stage.dose: stage for stage in self._stages}
        self._mouthful = CHUNK if wanted else len(BUFFER)
        self._stages = [known.get(dose) or Stage(dose, toxic) for dose, toxic in wanted.items()]
        for stage in self._stages:
            if stage.dose not in known:
                stage.hold(stage.toxic.join(now))
            elif stage.dose is changed:
                stage.change(now)
        self._wake()

    def _remove(self, stage: Stage, now: float) -> None:
        if stage not in self._stages:  # another one's leaving has closed the connection
            return
        following = self._stages.index(stage) + 1
        let_go = [(now, chunk) for _, arrived, chunk in stage.held if arrived is not None]
        for at, chunk in [*let_go, *stage.toxic.leave(now)]:
            self._pass(following, at, chunk)
        if not self.ended:
            self._stages.remove(stage)

    # reading

    def _readable(self) -> None:
        try:
            size = self._receive(BUFFER, self._mouthful)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._arrive(RESET)
            return
        self.received += size
        if self._stages or not size:
            self._arrive(bytes(VIEW[:size]) or END)
            return
        try:  # what nearly every byte takes, so written out: as in _push
            sent = self._send(VIEW[:size])
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._broken()
            return
        self.sent += sent
        if sent < size:
            self._keep(VIEW[sent:size])

    def _arrive(self, chunk: Chunk) -> None:
        self._drained = isinstance(chunk, Signal)
        self._pass(0, time.monotonic(), chunk)
        self._wake()

    # through the toxics

    def _pass(self, position: int, at: float, chunk: Chunk) -> None:
        """Hand a chunk that left its stage at ``at`` to the stage at ``position``, or to the sink after the last."""
        if position < len(self._stages):
            stage = self._stages[position]
            stage.hold(stage.toxic.flow(at, chunk), at)
        else:
            self._deliver(chunk)

    def _wake(self) -> None:
        """Let everything move on that is due, and be woken when the next chunk is."""
        now = time.monotonic()
        if self._wake_at <= now:
            self._wake_at = NEVER
        for position, stage in enumerate(self._stages):
            while stage.held and (due := stage.held[0][0]) <= now:
                self._pass(position + 1, due, stage.let_go())
                if self.ended:
                    return
        next_due = min((stage.held[0][0] for stage in self._stages if stage.held), default=NEVER)
        if next_due < self._wake_at:
            self._wake_at = next_due
            self._alarm.at(next_due, self._wake)
        self._regulate()

    # writing

    def _deliver(self, chunk: Chunk) -> None:
        if chunk is RESET:
            self._finish(RESET)
        elif self.ended or self._last_word:
            pass  # nothing follows the end
        elif not isinstance(chunk, Signal):
            self._push(memoryview(chunk))
        elif self._unsent:
            self._last_word = chunk
        else:
            self._finish(chunk)

    def _push(self, data: memoryview) -> None:
        """Into the sink; what it does not take is kept."""
        sent = 0
        if not self._unsent:
            try:
                sent = self._send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                self._broken()
                return
            self.sent += sent
        if sent < len(data):
            self._keep(data[sent:])

    def _keep(self, rest: memoryview) -> None:
        """Until the sink takes more; the source is not read meanwhile."""
        if not self._unsent:
            self._loop.add_writer(self._sink, self._writable)
        self._unsent += rest
        self._regulate()

    def _writable(self) -> None:
        try:
            sent = self._send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._broken()
            return
        self.sent += sent
        del self._unsent[:sent]
        if not self._unsent:
            self._loop.remove_writer(self._sink)
            if self._last_word:
                self._finish(self._last_word)
            self._regulate()

    # ends

    def _broken(self) -> None:
        """The sink takes nothing more. What it said before it broke is still to be read, by the other pipe."""
        self._finish(END)

    def _finish(self, signal: Signal) -> None:
        self.close()
        self._end(signal)

    def _regulate(self) -> None:
        """Read the source exactly while there is room for what it says."""
        wanted = not (
            self.ended
            or self._drained
            or self._unsent
            or any(stage.size >= stage.toxic.window for stage in self._stages)
        )
        if wanted and not self._reading:
            self._loop.add_reader(self._source, self._readable)
        elif self._reading and not wanted:
            self._loop.remove_reader(self._source)
        self._reading = wanted
