"""Databases made for one borrower of a service that others use too: made empty, removed with all that is in them.

What a server has one of is shared all the same: its settings, its memory, its disk and, in Redis, its channels.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection

from workbench.errors import ServiceError
from workbench.services import Place
from workbench.services._cluster import session
from workbench.services._mongowire import Session as MongoSession
from workbench.services._respwire import RespSession

DATABASES = 16
"""Of a Redis, as it comes; 0 is everybody's."""


def new_name() -> str:
    return f"workbench_{secrets.token_hex(6)}"


def lend_redis(place: Place, *, lent: Collection[str], timeout_s: float) -> str:
    """The number of a database that is empty and not lent. Raises `ServiceError` if there is none."""
    with RespSession(place, place.host, place.port, timeout_s=timeout_s) as redis:
        for number in map(str, range(1, DATABASES)):
            if number not in lent:
                redis.call("SELECT", number)
                if redis.call("DBSIZE") == 0:
                    return number
    raise ServiceError(
        f"{place.name} has no database left to lend: {len(lent)} of its {DATABASES - 1} are lent, and the others hold "
        "data. End somebody who borrows, or bring up another stack with workbench up --name."
    )


def take_back_redis(place: Place, database: str, *, timeout_s: float) -> None:
    with RespSession(place, place.host, place.port, timeout_s=timeout_s) as redis:
        redis.call("SELECT", database)
        redis.call("FLUSHDB")


def lend_postgres(place: Place, *, timeout_s: float) -> str:
    name = new_name()
    with session(place, place.host, place.port, timeout_s) as postgres:
        postgres.query(f"CREATE DATABASE {name}")
    return name


def take_back_postgres(place: Place, database: str, *, timeout_s: float) -> None:
    """Whoever is still connected to it is cut off."""
    with session(place, place.host, place.port, timeout_s) as postgres:
        postgres.query(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def take_back_mongo(place: Place, database: str, *, user: str, timeout_s: float) -> None:
    password = place.secrets["password"]
    with MongoSession(place.host, place.port, user=user, password=password, timeout_s=timeout_s) as mongo:
        mongo.command({"dropDatabase": 1}, database=database)
