"""A small application of somebody else's: lists in Redis over HTTP, and a WebSocket. ``python shop.py PORT``.

What it does wrong on purpose is said in ``BUG``: "ack-first" answers before it has written, "gives-up" serves nobody
any more once Redis has failed it.
"""

import os
import sys

import redis.asyncio
from aiohttp import web

STORE = redis.asyncio.from_url(os.environ["REDIS_URL"], retry=None, socket_timeout=1, max_connections=10_000)
BUG = os.environ.get("BUG", "").split(",")
GIVEN_UP = []


@web.middleware
async def give_up(request, handler):
    if GIVEN_UP:
        raise web.HTTPServiceUnavailable
    try:
        return await handler(request)
    except redis.asyncio.RedisError:
        GIVEN_UP.extend(["gives-up"] if "gives-up" in BUG else [])
        raise


async def health(request):
    await STORE.ping()
    return web.Response(text="well")


async def append(request):
    if "ack-first" not in BUG:
        await STORE.rpush(request.match_info["key"], await request.text())
    return web.Response(status=204)


async def values(request):
    return web.json_response([int(value) for value in await STORE.lrange(request.match_info["key"], 0, -1)])


async def login(request):
    user = (await request.json())["user"]
    await STORE.set(f"token:{user}", 1)
    return web.json_response({"token": user})


async def echo(request):
    if not await STORE.exists(f"token:{request.query.get('token')}"):
        return web.Response(status=401)
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


app = web.Application(middlewares=[give_up])
app.add_routes(
    [
        web.get("/health", health),
        web.post("/lists/{key}", append),
        web.get("/lists/{key}", values),
        web.post("/login", login),
        web.get("/echo", echo),
    ]
)

if __name__ == "__main__":
    print("opening the shop")
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=lambda line: None, shutdown_timeout=0.5)
