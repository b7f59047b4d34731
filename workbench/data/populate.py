"""Made-up data, written through the application, as its users would write it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from workbench import guard
from workbench.data import entities
from workbench.data.entities import STORES, Account, Message, Session, Value, check
from workbench.errors import ServiceError, UsageError
from workbench.words import plural
from workbench.workloads.http import Http, HttpError

if TYPE_CHECKING:
    from workbench.stack import Stack

AT_ONCE = 16
"""Connections: as many as keep the application busy, no more."""

TIMEOUT_S = 10.0
"""How long one request may take."""


@dataclass(frozen=True)
class Populated:
    """What the application acknowledged, in the order in which it was made."""

    accounts: tuple[Account, ...]
    sessions: tuple[Session, ...]
    messages: tuple[Message, ...]
    values: tuple[Value, ...]
    jobs: tuple[str, ...]
    tokens: Mapping[str, str] = field(repr=False)  # by address, of the last session of each
    ids: tuple[str, ...] = field(repr=False)  # of the messages, as the rooms keep them
    seed: int
    took_s: float

    def __repr__(self) -> str:
        rooms = len({message.room for message in self.messages})
        stores = [store for store in STORES if any(value.store == store for value in self.values)]
        parts = [
            plural(len(self.accounts), "account"),
            plural(len(self.sessions), "session"),
            f"{plural(len(self.messages), 'message')} in {plural(rooms, 'room')}" if self.messages else "",
            f"{plural(len(self.values), 'value')} in {' and '.join(stores)}" if self.values else "",
            plural(len(self.jobs), "job") if self.jobs else "",
        ]
        return f"{', '.join(filter(None, parts))}, made from seed {self.seed} in {self.took_s:.1f} s"


def populate(
    stack: Stack,
    *,
    accounts: int = 100,
    sessions: int | None = None,
    rooms: int = 10,
    messages: int = 1000,
    values: int = 0,
    jobs: int = 0,
    seed: int = 7,
    app: str = "app",
) -> Populated:
    """Write made-up data through the reference application: real requests, of as many users as there are accounts.

    ``sessions`` are logins, one of each account if nothing is said; ``messages`` go to ``rooms`` that keep them (over
    streams); ``values`` go to lists in all stores that the stack has. Within a room, a list and an account everything
    is written in the order in which it is made. ``app`` is what the application is called in the stack.

    Raises `UsageError` for what cannot be made, also when it is there already, and `ServiceError` when the application
    refuses: what was written until then stays. To hash passwords takes long: with
    ``Stack(app={"password_cost": "low"})`` many accounts take no time.
    """
    check("accounts", accounts, least=1)
    check("rooms", rooms, least=1)
    stores = [store for store in STORES if store in stack]
    _check_stores(stores, messages=messages, values=values, jobs=jobs)
    plan = Populated(
        accounts=tuple(entities.accounts(accounts, seed=seed)),
        sessions=tuple(entities.sessions(accounts if sessions is None else sessions, people=accounts, seed=seed)),
        messages=tuple(entities.messages(messages, places=rooms, senders=accounts, seed=seed)),
        values=tuple(entities.values(values, stores=stores or STORES[:1], seed=seed)),
        jobs=tuple(entities.jobs(jobs, seed=seed)),
        tokens={},
        ids=(),
        seed=seed,
        took_s=0.0,
    )
    if len(plan.sessions) < accounts and (plan.messages or plan.values or plan.jobs):
        raise UsageError(
            f"{len(plan.sessions)} sessions of {accounts} accounts: whoever writes something has to log in first. "
            "Leave sessions out, or ask for as many as there are accounts."
        )
    guard.refuse("To populate the application is")
    began = time.monotonic()
    writer = _Writer(stack.urls(app), plan)
    with ThreadPoolExecutor(1, thread_name_prefix="populate") as pool:  # a notebook's own thread has a loop already
        writing = pool.submit(asyncio.run, writer.write())
        try:
            writing.result()
        except BaseException:  # also when somebody interrupts it: the pool would wait for all that is left
            writer.give_up()
            raise
    return Populated(
        **{name: getattr(plan, name) for name in ("accounts", "sessions", "messages", "values", "jobs", "seed")},
        tokens=writer.tokens,
        ids=tuple(writer.ids),
        took_s=time.monotonic() - began,
    )


def _check_stores(stores: Sequence[str], *, messages: int, values: int, jobs: int) -> None:
    """Raise `UsageError` for what this stack has no store for."""
    if values and not stores:
        raise UsageError(f"Values are kept by {', '.join(STORES)}, and this stack has none of them: values=0.")
    for name, count, needed in (("messages", messages, ["redis"]), ("jobs", jobs, ["redis", "postgres"])):
        if count and (missing := [store for store in needed if store not in stores]):
            raise UsageError(
                f"{name} need {' and '.join(missing)}, not in this stack. Add it, or ask for none: {name}=0."
            )


Act = Callable[[Http], Coroutine[Any, Any, None]]


class _Writer:
    """Writes all of it over a few connections: what has an order, over one."""

    def __init__(self, urls: Sequence[str], plan: Populated) -> None:
        self._urls, self._plan = urls, plan
        self.tokens: dict[str, str] = {}
        self.ids = [""] * len(plan.messages)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    def give_up(self) -> None:
        """Write no more; called from another thread. Does nothing when it is over."""
        if self._loop is not None and self._task is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._task.cancel)

    async def write(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        plan = self._plan
        await self._all([[partial(self._account, one)] for one in plan.accounts])
        passwords = {one.email: one.password for one in plan.accounts}
        logins = ((one.email, partial(self._session, one, passwords[one.email])) for one in plan.sessions)
        await self._all(_grouped(logins))
        said = ((one.room, partial(self._message, n, one)) for n, one in enumerate(plan.messages))
        await self._all(_grouped(said))
        await self._all(_grouped(((one.store, one.key), partial(self._value, one)) for one in plan.values))
        await self._all(_grouped((key, partial(self._job, key)) for key in plan.jobs))

    async def _all(self, groups: Iterable[Sequence[Act]]) -> None:
        """Each group in its order, several at once; the first error ends it."""
        left = iter(list(groups))
        failed: list[Exception] = []
        async with asyncio.TaskGroup() as tasks:
            for n in range(AT_ONCE):
                tasks.create_task(self._some(left, self._urls[n % len(self._urls)], failed))
        if failed:
            raise failed[0]

    async def _some(self, left: Iterator[Sequence[Act]], url: str, failed: list[Exception]) -> None:
        http: Http | None = None
        try:
            for group in left:
                for act in group:
                    if failed:
                        return
                    if http is None or http.closed:
                        http = await Http.to(url)
                    await act(http)
        except (ServiceError, UsageError) as error:
            failed.append(error)
        except OSError as error:
            failed.append(ServiceError(f"The application at {url} cannot be reached: {error}. Its log may say why."))
        finally:
            if http is not None:
                http.close()

    async def _account(self, one: Account, http: Http) -> None:
        body = {"email": one.email, "name": one.name, "password": one.password}
        await self._post(http, "/accounts", body, there_already=True)

    async def _session(self, one: Session, password: str, http: Http) -> None:
        body = {"email": one.email, "password": password}
        answer = await self._post(http, "/login", body, headers={"User-Agent": one.agent})
        self.tokens[one.email] = answer["access_token"]

    async def _message(self, n: int, one: Message, http: Http) -> None:
        body = {"body": one.body, "relay": "stream"}
        answer = await self._post(http, f"/rooms/{one.room}/messages", body, token=self.tokens[one.sender])
        self.ids[n] = str(answer["id"])

    async def _value(self, one: Value, http: Http) -> None:
        await self._post(http, f"/lists/{one.store}/{one.key}", {"value": one.value}, token=self._anybody)

    async def _job(self, key: str, http: Http) -> None:
        await self._post(http, f"/jobs/{key}", None, token=self._anybody)

    @property
    def _anybody(self) -> str:
        return self.tokens[self._plan.accounts[0].email]

    async def _post(
        self,
        http: Http,
        path: str,
        body: Any,
        *,
        token: str = "",
        headers: Mapping[str, str] | None = None,
        there_already: bool = False,
    ) -> Any:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await http.exchange("POST", path, body=body, token=token, headers=headers)
        except TimeoutError:
            raise ServiceError(
                f"POST {path} was not answered within {TIMEOUT_S:g} s while data was written. What was written until "
                "then stays; the application's log may say why."
            ) from None
        except HttpError as error:
            if there_already and error.status == 409:
                raise UsageError(
                    f"There is an account {body['email']} already: this stack was populated from seed "
                    f"{self._plan.seed} before. Take another seed."
                ) from None
            hint = "It is the reference application that is populated." if error.status == 404 else "Its log says why."
            raise ServiceError(f"POST {path} was answered {error} while data was written. {hint}") from None
        return json.loads(answer.body) if answer.body else None


def _grouped(acts: Iterable[tuple[Any, Act]]) -> list[list[Act]]:
    """In groups whose members have the same key, each in its order."""
    groups: dict[Any, list[Act]] = {}
    for key, act in acts:
        groups.setdefault(key, []).append(act)
    return list(groups.values())
