"""The application: parts and routes put together, begun and ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from joserfc.jwk import RSAKey

from workbench.reference import VERSION, problems
from workbench.reference.deadline import Deadline
from workbench.reference.ended import Ended
from workbench.reference.limits import BodyLimit
from workbench.reference.logs import Correlation, tell
from workbench.reference.passwords import Passwords
from workbench.reference.registry import Registry
from workbench.reference.rooms.hall import Hall
from workbench.reference.routes import (
    accounts,
    echo,
    github,
    health,
    jobs,
    keys,
    lists,
    registers,
    rooms,
    sessions,
    sockets,
    users,
)
from workbench.reference.sessions import Sessions, SessionStore
from workbench.reference.settings import Settings
from workbench.reference.stores import Store
from workbench.reference.stores.memory import MemorySessions
from workbench.reference.system import System
from workbench.reference.tokens import Tokens
from workbench.reference.users import MemoryUsers, Users

if TYPE_CHECKING:
    from workbench.reference.github import GitHub
    from workbench.reference.jobs import Jobs
    from workbench.reference.registers import Registers
    from workbench.reference.stores.ended import Listener
    from workbench.reference.stores.redis import RedisStore

ROUTES = (health, echo, keys, accounts, github, sessions, users, lists, registers, jobs, rooms, sockets)


def create(settings: Settings, key: Future[RSAKey]) -> FastAPI:
    """The application. Dependencies are reached when its loop runs; one that is down does not keep it from starting."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        system = await _build(settings, key)
        app.state.system = system
        tell("started", defects=sorted(settings.defects), dependencies=list(system.stores))
        try:
            yield
        finally:
            if system.hall is not None:
                await system.hall.close()
            if system.listener is not None:
                await system.listener.close()
            if system.registry is not None:
                await system.registry.close()
            if system.github is not None:
                await system.github.close()
            await asyncio.gather(*(store.close() for store in system.stores.values()))
            tell("stopped")

    app = FastAPI(title="reference", version=VERSION, lifespan=life, docs_url=None, redoc_url=None)
    problems.install(app)
    for route in ROUTES:
        app.include_router(route.router)
    app.add_middleware(BodyLimit)
    app.add_middleware(Correlation)
    return app


async def _build(settings: Settings, key: Future[RSAKey]) -> System:
    """What is not configured is not even imported: the start is quicker by its client library."""
    deadline = Deadline(settings.deadline_s)
    if settings.defects:
        from workbench.reference.defective import spoiled_deadline

        deadline = spoiled_deadline(settings)
    stores: dict[str, Store] = {}
    people: Users = MemoryUsers(settings)
    ended = Ended(settings)
    kept: SessionStore = MemorySessions()
    listener: Listener | None = None
    registry: Registry | None = None
    hall: Hall | None = None
    redis: RedisStore | None = None
    held: Registers | None = None
    locked: Jobs | None = None
    if settings.redis_url:
        from workbench.reference.stores.ended import Listener
        from workbench.reference.stores.followed import Followed
        from workbench.reference.stores.redis import RedisStore
        from workbench.reference.stores.sessions import RedisSessions

        nodes, sentinels = (settings.redis_url, *settings.redis_nodes), settings.redis_sentinels
        where = Followed(*nodes, sentinels=sentinels, name=settings.redis_primary)
        redis = RedisStore(where, deadline=deadline)
        registry = Registry(redis, settings)
        registry.start()
        hall = Hall(where, settings)
        kept = in_redis = RedisSessions(redis)
        listener = Listener(redis, in_redis, ended, settings)
        await listener.start()
        held = _registers(redis, settings)
        stores["redis"] = redis
    if settings.mongo_url:
        from workbench.reference.stores.mongo import MongoStore
        from workbench.reference.stores.users import MongoUsers

        mongo = MongoStore(settings.mongo_url, deadline=deadline)
        people = MongoUsers(mongo, settings)
        if settings.has("duplicate_user"):
            from workbench.reference.defective_users import DuplicateUser

            people = DuplicateUser(mongo, settings)
        stores["mongo"] = mongo
    if settings.postgres_url:
        from workbench.reference.stores.postgres import PostgresStore

        stores["postgres"] = postgres = PostgresStore(settings.postgres_url, deadline=deadline)
        if redis is not None:
            from workbench.reference.jobs import Jobs

            locked = Jobs(redis, postgres, settings)
    if settings.defects:
        from workbench.reference.defective import spoiled_store

        stores = {name: spoiled_store(store, settings) for name, store in stores.items()}
    kind = Tokens
    if settings.has("alg_not_checked"):
        from workbench.reference.defective_tokens import AlgNotChecked

        kind = AlgNotChecked
    tokens = kind(await asyncio.wrap_future(key), settings=settings, ended=ended)
    github: GitHub | None = None
    if settings.github_url:
        secret = tokens.secret("logins by way of github")
        careless = settings.has("state_not_checked")
        if settings.has("half_made_user"):
            from workbench.reference.defective_users import HalfMadeUser

            github = HalfMadeUser(
                settings.github_url, deadline=deadline, secret=secret, careless=careless, users=people
            )
        else:
            from workbench.reference.github import GitHub

            github = GitHub(settings.github_url, deadline=deadline, secret=secret, careless=careless)
    return System(
        settings=settings,
        deadline=deadline,
        tokens=tokens,
        sessions=Sessions(kept, tokens=tokens, ended=ended, settings=settings),
        listener=listener,
        users=people,
        passwords=Passwords(settings),
        github=github,
        stores=stores,
        registry=registry,
        hall=hall,
        registers=held,
        jobs=locked,
    )


def _registers(redis: RedisStore, settings: Settings) -> Registers:
    if settings.defects:
        from workbench.reference.defective_registers import spoiled_registers

        return spoiled_registers(redis, settings)
    from workbench.reference.registers import Registers

    return Registers(redis, settings)
