"""The shop for an owner who only cares for its WebSocket."""

import aiohttp

from workbench import System

system = System("echoing", command="{python} shop.py {port}", env={"REDIS_URL": "{redis.url}"}, ready="/health")


class Client:
    def __init__(self, url):
        self.http = aiohttp.ClientSession(url, raise_for_status=True)

    async def close(self):
        await self.http.close()


@system.operation
async def login(urls, user):
    async with aiohttp.ClientSession(urls["app"], raise_for_status=True) as http:
        async with http.post("/login", json={"user": user}) as answer:
            return (await answer.json())["token"]


@system.operation
async def connect(urls, token):
    client = Client(urls["app"])
    try:
        client.socket = await client.http.ws_connect("/echo", params={"token": token})
    except BaseException:
        await client.close()
        raise
    return client


@system.operation
async def echo(connection, text):
    await connection.socket.send_str(text)
    return await connection.socket.receive_str()
