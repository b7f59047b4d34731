"""The shop, as the workbench has to know it: a file as its owner writes it."""

import httpx
from websockets.asyncio.client import connect as open_socket

from workbench import System

system = System(
    "shop",
    command="{python} shop.py {port}",
    env={"REDIS_URL": "{redis.url}"},
    ready="/health",
    scales=True,
    version="1.0",
)


class Client:
    """One client's: HTTP, and a socket when it is asked for one."""

    def __init__(self, url, token):
        way = httpx.AsyncHTTPTransport(retries=0, verify=False)  # else 25 ms of work for each connection
        self.http = httpx.AsyncClient(base_url=url, transport=way, timeout=None)
        self.url, self.token, self.socket = url, token, None

    async def aclose(self):
        await self.http.aclose()
        if self.socket is not None:
            await self.socket.close()


@system.operation
async def login(urls, user):
    async with httpx.AsyncClient(base_url=urls["app"], verify=False) as http:
        answer = await http.post("/login", json={"user": user})
        return answer.raise_for_status().json()["token"]


@system.operation
async def connect(urls, token):
    client = Client(urls["app"], token)
    client.socket = await open_socket(f"{urls['app'].replace('http', 'ws')}/echo?token={token}", close_timeout=0.1)
    return client


@system.operation
async def write(connection, key, value):
    answer = await connection.http.post(f"/lists/{key}", content=str(value))
    answer.raise_for_status()


@system.operation
async def read(connection, key):
    answer = await connection.http.get(f"/lists/{key}")
    return answer.raise_for_status().json()


@system.operation
async def echo(connection, text):
    await connection.socket.send(text)
    return await connection.socket.recv()


print("a description that prints does no harm to those who load it")
