"""Kinto under test: a public JSON store (https://docs.kinto-storage.org), with PostgreSQL and a cache in Redis.

It is installed from PyPI (``pip install 'workbench[examples]'``) and started as its documentation says. Each key of
the workload is a collection, each value a record of its own, read back in the order of Kinto's timestamps. Clients
log in with accounts of Kinto; the check of a password is what it keeps in Redis.
"""

from __future__ import annotations

import os
import shutil
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import httpx

from workbench import System

beside = shutil.which("kinto", path=str(Path(sys.executable).parent))
kinto = os.environ.get("WORKBENCH_KINTO") or beside or "kinto"  # of another environment, by its path

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

BUCKET = "/buckets/lists"
ABSENT = {"If-None-Match": "*"}  # create it, and do not replace what is there


@system.operation
async def login(urls: dict[str, str], user: str) -> tuple[str, str]:
    """An account of its own; the first one makes the bucket that all of them may write in."""
    async with httpx.AsyncClient(base_url=urls["app"] + "/v1", timeout=None) as http:
        created = await http.put(f"/accounts/{user}", json={"data": {"password": "secret"}})
        created.raise_for_status()
        all_of_them = {"permissions": {"write": ["system.Authenticated"]}}
        bucket = await http.put(BUCKET, json=all_of_them, auth=(user, "secret"), headers=ABSENT)
        if bucket.status_code != httpx.codes.PRECONDITION_FAILED:
            bucket.raise_for_status()
    return user, "secret"


@system.operation
async def connect(urls: dict[str, str], token: tuple[str, str]) -> httpx.AsyncClient:
    """One client, one connection; httpx retries nothing, and the time-out is that of the run."""
    http = httpx.AsyncClient(
        base_url=urls["app"] + "/v1", auth=token, timeout=None, limits=httpx.Limits(max_connections=1)
    )
    try:
        (await http.get("/")).raise_for_status()
    except BaseException:
        await http.aclose()
        raise
    return http


@system.operation
async def write(http: httpx.AsyncClient, key: str, value: int) -> None:
    """A record in the collection of this key, which is made when it is not there."""
    collection = f"{BUCKET}/collections/{key}"
    record = {"data": {"value": value}}
    answer = await http.post(f"{collection}/records", json=record)
    if answer.status_code in (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND):
        made = await http.put(collection, headers=ABSENT)
        if made.status_code != httpx.codes.PRECONDITION_FAILED:
            made.raise_for_status()
        answer = await http.post(f"{collection}/records", json=record)
    answer.raise_for_status()


@system.operation
async def read(http: httpx.AsyncClient, key: str) -> list[int]:
    """All records of the collection, oldest first; without a collection there are none."""
    answer = await http.get(f"{BUCKET}/collections/{key}/records", params={"_sort": "last_modified"})
    if answer.status_code in (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND):
        return []
    answer.raise_for_status()
    return [record["value"] for record in answer.json()["data"]]


@system.operation
async def echo(http: httpx.AsyncClient, text: str) -> str:
    """Kinto has no echo: a bucket is asked for that is not there, and the answer names it."""
    name = sha256(text.encode()).hexdigest()
    answer = await http.get(f"{BUCKET}/collections/{name}")
    if answer.status_code != httpx.codes.NOT_FOUND:
        answer.raise_for_status()
    return text if answer.json()["details"]["id"] == name else answer.text
