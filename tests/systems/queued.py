"""Two systems in one file: the worker, which clients ask through its queue, and one that does not keep what it says."""

import redis.asyncio

from workbench import System

worker = System(
    "worker",
    command=["{python}", "worker.py"],
    env={"REDIS_URL": "{redis.url}"},
    ready="log: ^working$",
    listens=False,
    scales=True,
)
hasty = System(
    "hasty",
    command="{python} shop.py {port}",
    env={"REDIS_URL": "{redis.url}", "BUG": "ack-first"},
)


@worker.operation
async def connect(urls, token):
    assert urls["app"] == ""
    return redis.asyncio.from_url(urls["redis"], retry=None)


@worker.operation
async def write(connection, key, value):
    done = f"done:{key}:{value}"
    await connection.rpush("jobs", f"{key} {value} {done}")
    await connection.blpop(done)


@worker.operation
async def read(connection, key):
    return [int(value) for value in await connection.lrange(key, 0, -1)]


@worker.operation
def classify(error):
    return "fail" if isinstance(error, redis.exceptions.AuthenticationError) else None
