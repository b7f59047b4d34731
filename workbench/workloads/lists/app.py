"""Lists kept by the application in one of its stores, behind a login."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.workloads.accounts import log_in
from workbench.workloads.http import Http, classify_http

classify = classify_http


class Connection:
    def __init__(self, http: Http, prefix: str, token: str) -> None:
        self._http, self._prefix, self._token = http, prefix, token

    @property
    def closed(self) -> bool:
        return self._http.closed

    async def append(self, key: str, value: int) -> None:
        await self._http.request("POST", self._prefix + key, body={"value": value}, token=self._token)

    async def read(self, key: str) -> list[int]:
        answer = await self._http.request("GET", self._prefix + key, token=self._token)
        values: list[int] = answer["values"]
        return values

    async def close(self) -> None:
        self._http.close()


class Lists:
    def __init__(self, urls: Mapping[str, str], run: str, store: str) -> None:
        self._url, self._prefix = urls["app"], f"/lists/{store}/{run}-"
        self._token = ""

    async def prepare(self) -> None:
        self._token = await log_in(self._url)

    async def connect(self) -> Connection:
        return Connection(await Http.to(self._url), self._prefix, self._token)
