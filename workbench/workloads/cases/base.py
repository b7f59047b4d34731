"""The workload `Cases`, and what its cases are made of."""

from __future__ import annotations

import importlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from workbench.errors import UsageError, nearest
from workbench.workloads.asking import Ask, in_short, was_refused

if TYPE_CHECKING:
    from workbench.history import Outcome
    from workbench.workloads.cases.visitor import Visitor

Of = Literal["tokens", "accounts", "users", "sessions", "provider"]

Case = Callable[["Visitor"], Awaitable[tuple[Any, Any]]]
"""Plays it and returns what should come out and what did. Raises if it could not be played."""

SERVICES = {
    "tokens": ("app",),
    "accounts": ("app", "mongo"),
    "users": ("app", "mongo"),
    "sessions": ("app", "redis"),
    "provider": ("app", "github"),
}


class Group(dict[str, Case]):
    """The cases of one file by the sentences they prove."""

    def proves(self, sentence: str) -> Callable[[Case], Case]:
        """``@cases.proves("a token with alg none is refused")``"""

        def keep(case: Case) -> Case:
            self[sentence] = case
            return case

        return keep


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Each operation plays one case of a group: "tokens", "accounts", "users", "sessions" or "provider".

    Kind: the group; key: the sentence that the case proves; value: ``{"expected": …, "found": …}``. Some cases record
    as well how long something took to have its effect: kind ``effect``, from the request to the effect. Clients play
    the cases in turn; at the end every case is played once more, so that none is left out however short the run.

    ``key_file`` holds the key with which the application signs: with it, tokens that are right in everything but one
    claim can be made, which nobody else could. Without it these cases are left out. ``session_limit`` is how many
    sessions of a user the application allows.
    """

    of: Of
    key_file: str | None = None
    session_limit: int = 10

    def __post_init__(self) -> None:
        if self.of not in get_args(Of):
            groups = get_args(Of)
            raise UsageError(
                f"There is no group of cases {self.of!r}{nearest(str(self.of), groups)} There are: {', '.join(groups)}."
            )
        if self.key_file is not None and (self.of != "tokens" or not isinstance(self.key_file, str)):
            raise UsageError(
                f"The key is a path, as a text, and for the cases of tokens; got {self.key_file!r} for {self.of}."
            )
        if not (type(self.session_limit) is int and self.session_limit >= 1):
            raise UsageError(f"A user has at least one session; got session_limit={self.session_limit!r}.")

    @property
    def name(self) -> str:
        return f"cases of {self.of}"

    @property
    def services(self) -> tuple[str, ...]:
        return SERVICES[self.of]

    @property
    def connect_kind(self) -> None:
        return None

    async def prepare(self, urls: Mapping[str, str], run: str, clients: Sequence[int]) -> Any:
        from workbench.workloads.cases.visitor import Place

        importlib.import_module("websockets.asyncio.client")  # now, not while a case is timed
        return Place(urls=urls, run=run, key_file=self.key_file, session_limit=self.session_limit)

    async def connect(self, shared: Any, client: int) -> Visitor:
        from workbench.workloads.cases.visitor import Visitor

        return Visitor(shared)

    def next(self, rng: random.Random, client: int, n: int) -> Ask:
        cases = self.cases()
        return Ask(self.of, list(cases)[(client + n) % len(cases)])

    async def do(self, connection: Visitor, ask: Ask) -> dict[str, Any]:
        expected, found = await self.cases()[ask.key](connection)
        return {"expected": expected, "found": found}

    def classify(self, error: BaseException) -> tuple[Outcome, str]:
        from httpx import HTTPStatusError

        if isinstance(error, HTTPStatusError):
            return "fail", f"{error.request.method} {error.request.url.path} answered {error.response.status_code}"
        return ("fail" if was_refused(error) else "info"), in_short(error)

    async def close(self, connection: Visitor) -> None:
        await connection.close()

    def steady(self, rank: int, of: int) -> Sequence[Ask]:
        return ()

    def final(self, rank: int, of: int, turns: int) -> Sequence[Ask]:
        return [Ask(self.of, sentence) for sentence in list(self.cases())[rank::of]]

    def cases(self) -> dict[str, Case]:
        """By the sentence that each proves."""
        group: Group = importlib.import_module(f"workbench.workloads.cases.{self.of}").cases
        if self.of == "tokens" and self.key_file is None:
            from workbench.workloads.cases.tokens import NEED_THE_KEY

            return {sentence: case for sentence, case in group.items() if sentence not in NEED_THE_KEY}
        return group
