"""The application: parts and routes put together, begun and ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager

from fastapi import FastAPI
from joserfc.jwk import RSAKey

from workbench.reference import VERSION, problems
from workbench.reference.accounts import Accounts, MemoryAccounts
from workbench.reference.deadline import Deadline
from workbench.reference.limits import BodyLimit
from workbench.reference.logs import Correlation, tell
from workbench.reference.registry import Registry
from workbench.reference.rooms.hall import Hall
from workbench.reference.routes import accounts as people
from workbench.reference.routes import echo, health, keys, lists, rooms, sockets
from workbench.reference.settings import Settings
from workbench.reference.stores import Store
from workbench.reference.system import System
from workbench.reference.tokens import Tokens

ROUTES = (health, echo, keys, people, lists, rooms, sockets)


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
            if system.registry is not None:
                await system.registry.close()
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
    accounts: Accounts = MemoryAccounts()
    registry: Registry | None = None
    hall: Hall | None = None
    if settings.redis_url:
        from workbench.reference.stores.redis import RedisStore

        redis = RedisStore(settings.redis_url, deadline=deadline)
        registry = Registry(redis, settings)
        registry.start()
        hall = Hall(settings.redis_url, settings)
        stores["redis"] = redis
    if settings.mongo_url:
        from workbench.reference.stores.mongo import MongoStore
        from workbench.reference.stores.people import MongoAccounts

        mongo = MongoStore(settings.mongo_url, deadline=deadline)
        accounts = MongoAccounts(mongo)
        stores["mongo"] = mongo
    if settings.postgres_url:
        from workbench.reference.stores.postgres import PostgresStore

        stores["postgres"] = PostgresStore(settings.postgres_url, deadline=deadline)
    if settings.defects:
        from workbench.reference.defective import spoiled_store

        stores = {name: spoiled_store(store, settings) for name, store in stores.items()}
    tokens = Tokens(await asyncio.wrap_future(key))
    return System(settings=settings, tokens=tokens, accounts=accounts, stores=stores, registry=registry, hall=hall)
