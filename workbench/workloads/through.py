"""Clients dealt out over the instances of the application, or of several in one stack, each behind a login."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from workbench.errors import UsageError
from workbench.workloads.accounts import log_in
from workbench.workloads.asking import instances
from workbench.workloads.http import Http


class Instance(NamedTuple):
    """One process of the application, and a token that it knows."""

    url: str
    token: str


class Through:
    """A client's connection to one instance; ``prefix`` is what every path begins with."""

    def __init__(self, http: Http, prefix: str, token: str) -> None:
        self._http, self._prefix, self._token = http, prefix, token

    @property
    def closed(self) -> bool:
        return self._http.closed

    async def ask(self, method: str, key: str, body: Any = None) -> Any:
        """The JSON of the answer. Raises `HttpError` for one of 400 or more."""
        return await self._http.request(method, self._prefix + key, body=body, token=self._token)

    def close(self) -> None:
        self._http.close()


class Entries:
    """What the clients of one driver share: where each of them asks."""

    def __init__(self, instances: Sequence[Instance], clients: Sequence[int], prefix: str) -> None:
        self._at = {client: instances[n % len(instances)] for n, client in enumerate(clients)}
        self._prefix = prefix

    @classmethod
    async def log_in(
        cls, urls: Mapping[str, str], entries: Sequence[str], clients: Sequence[int], *, prefix: str
    ) -> Entries:
        """With an account in each of the entries of the stack, whose tokens all instances of it know.

        Raises `DriverError` if the application refuses.
        """
        found = []
        for entry in entries:
            there = instances(urls, entry)
            token = await log_in(there[0])
            found += [Instance(url, token) for url in there]
        return cls(found, clients, prefix)

    async def connect(self, client: int) -> Through:
        to = self._at[client]
        return Through(await Http.to(to.url), self._prefix, to.token)


def named(via: str | Sequence[str]) -> tuple[str, ...]:
    """The names of one entry or of several."""
    return (via,) if isinstance(via, str) else tuple(via)


def check_entries(owner: str, via: object) -> None:
    """Raise `UsageError` unless it names entries of a stack, each once."""
    names = named(via) if isinstance(via, str | tuple | list) else ()
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise UsageError(
            f'{owner} go through an application of the stack, via="app", or through several, via=("app", "other"); '
            f"got via={via!r}."
        )
