"""Accounts of the application, made for one run."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence

from workbench.errors import DriverError
from workbench.workloads.http import Http, HttpError
from workbench.workloads.preparing import advance

AT_ONCE = 16
"""Accounts being made at the same time: as many as keep the application busy, no more."""


async def log_in(url: str) -> str:
    """Make a new account and log in: its access token. Raises `DriverError` if the application refuses."""
    (token,) = await log_in_many([url], 1)
    return token


async def log_in_many(urls: Sequence[str], count: int) -> list[str]:
    """The access tokens of so many new accounts, the n-th made at the n-th of the addresses, in turn.

    Raises `DriverError` if the application refuses, and tells `preparing` how far it is.
    """
    tokens = [""] * count
    left = iter(range(count))  # whoever is free takes the next
    async with asyncio.TaskGroup() as makers:
        tasks = [makers.create_task(_make(urls, left, tokens)) for _ in range(min(AT_ONCE, count))]
    for task in tasks:
        if (error := task.result()) is not None:
            raise error
    return tokens


async def _make(urls: Sequence[str], left: Iterator[int], tokens: list[str]) -> DriverError | None:
    """Make accounts as long as there are any left to make; what went wrong, if anything did."""
    https: dict[str, Http] = {}
    path = ""
    try:
        for n in left:
            url = urls[n % len(urls)]
            if url not in https or https[url].closed:
                https[url] = await Http.to(url)
            who = {"email": f"client-{secrets.token_hex(6)}@example.com", "password": secrets.token_urlsafe(18)}
            for path in ("/accounts", "/login"):
                answer = await https[url].request("POST", path, body=who)
            tokens[n] = answer["access_token"]
            advance()
    except (HttpError, OSError) as error:
        for _ in left:
            pass
        return DriverError(
            f"Clients cannot log in to the application: POST {path or '/accounts'} answered {error}. Its log says why."
        )
    finally:
        for http in https.values():
            http.close()
    return None
