"""The shop with bugs, for an owner who only cares for lists: it answers before anything is written, and gives up."""

import aiohttp

from workbench import System

system = System(
    "forgetful",
    command="{python} shop.py {port}",
    env={"REDIS_URL": "{redis.url}", "BUG": "ack-first,gives-up"},
    ready="/health",
)


@system.operation
async def write(urls, key, value):
    async with aiohttp.ClientSession(urls["app"], raise_for_status=True) as http:
        async with http.post(f"/lists/{key}", data=str(value)) as answer:
            await answer.read()


@system.operation
async def read(urls, key):
    async with aiohttp.ClientSession(urls["app"], raise_for_status=True) as http:
        async with http.get(f"/lists/{key}") as answer:
            return await answer.json()
