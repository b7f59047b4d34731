"""Kinto under test: a public store of JSON (https://docs.kinto-storage.org), with PostgreSQL, and a cache in Redis.

It is installed from PyPI (``pip install 'workbench[examples]'``) and started as its documentation says. Each key of
the workload is a collection, each value a record of its own, read back in the order of Kinto's timestamps.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import httpx

from workbench import System

beside = shutil.which("kinto", path=str(Path(sys.executable).parent))
kinto = shlex.quote(os.environ.get("WORKBENCH_KINTO") or beside or "kinto")  # of another environment, by its path

system = System(
    "kinto",
    before=f"{kinto} migrate --ini kinto.ini",
    command=f"{kinto} start --ini kinto.ini --port {{port}}",
    env={
        "KINTO_STORAGE_URL": "{postgres.url}",
        "KINTO_PERMISSION_URL": "{postgres.url}",
        "KINTO_CACHE_URL": "{redis.url}",
        "KINTO_USERID_HMAC_SECRET": "not a secret: it lives as long as the run",
    },
    ready="/v1/__heartbeat__",
    scales=True,
    version=version("kinto") if beside else "",
)

ONE = httpx.Limits(max_connections=1)
ABSENT = {"If-None-Match": "*"}  # create it, and do not replace what is there
TLS = httpx.create_ssl_context()  # made once: httpx would make one for each client, which takes longer than a request
THERE = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.CONFLICT, httpx.codes.PRECONDITION_FAILED)


@system.operation
async def login(urls: dict[str, str], user: str) -> tuple[str, str]:
    """One account, with a bucket of its own, for all clients of a workload: to check a password takes Kinto a quarter
    of a second of processor time, and that is not what is asked here. That it has checked it, it keeps in Redis."""
    name = user.rpartition("-")[0]
    async with httpx.AsyncClient(base_url=f"{urls['app']}/v1", timeout=None, verify=TLS) as http:
        await _make(http, f"/accounts/{name}", {"data": {"password": "secret"}})
        http.auth = (name, "secret")
        await _make(http, f"/buckets/{name}")
    return name, "secret"


@system.operation
async def connect(urls: dict[str, str], token: tuple[str, str]) -> httpx.AsyncClient:
    """One client, one connection; httpx retries nothing, and the time-out is that of the run."""
    bucket = f"{urls['app']}/v1/buckets/{token[0]}"
    http = httpx.AsyncClient(base_url=bucket, auth=token, timeout=None, limits=ONE, verify=TLS)
    try:
        (await http.get(f"{urls['app']}/v1/")).raise_for_status()  # says who it is that asks
    except BaseException:
        await http.aclose()
        raise
    return http


@system.operation
async def write(http: httpx.AsyncClient, key: str, value: int) -> None:
    """A record in the collection of this key, which is made when it is not there."""
    record = {"data": {"value": value}}
    answer = await http.post(f"/collections/{key}/records", json=record)
    if answer.status_code == httpx.codes.NOT_FOUND:
        await _make(http, f"/collections/{key}")
        answer = await http.post(f"/collections/{key}/records", json=record)
    answer.raise_for_status()


@system.operation
async def read(http: httpx.AsyncClient, key: str) -> list[int]:
    """All records of the collection, oldest first; without a collection there are none."""
    answer = await http.get(f"/collections/{key}/records", params={"_sort": "last_modified"})
    if answer.status_code == httpx.codes.NOT_FOUND:
        return []
    answer.raise_for_status()
    return [record["value"] for record in answer.json()["data"]]


@system.operation
async def echo(http: httpx.AsyncClient, text: str) -> str:
    """Kinto has no echo: a collection is asked for that is not there, and the answer names it."""
    name = sha256(text.encode()).hexdigest()
    answer = await http.get(f"/collections/{name}")
    if answer.status_code != httpx.codes.NOT_FOUND:
        answer.raise_for_status()
    return text if answer.json()["details"]["id"] == name else answer.text


async def _make(http: httpx.AsyncClient, path: str, body: object = None) -> None:
    """Create what may be there already."""
    answer = await http.put(path, json=body, headers=ABSENT)
    if answer.status_code not in THERE:
        answer.raise_for_status()
