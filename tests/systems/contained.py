"""A system that is a container: a small server in an image of Python, which keeps its lists in the stack's Redis."""

import base64

import httpx

from workbench import Image, System

SERVER = """
import http.server, os, socket, urllib.parse
url = urllib.parse.urlsplit(os.environ["REDIS_URL"])

def ask(*words):
    with socket.create_connection((url.hostname, url.port), 2) as wire, wire.makefile("rb") as lines:
        for command in (("AUTH", url.password), words):
            parts = "".join("$%d\\r\\n%s\\r\\n" % (len(word), word) for word in command)
            wire.sendall(("*%d\\r\\n" % len(command) + parts).encode())
            line = lines.readline().decode()
            assert line[0] in "+:*", line
        count = int(line[1:]) if line[0] == "*" else 0
        return [lines.readline() and lines.readline().decode().strip() for _ in range(count)]

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def do_GET(self):
        self.answer("well" if self.path == "/health" else ",".join(ask("LRANGE", self.path, "0", "-1")))
    def do_POST(self):
        ask("RPUSH", self.path, self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.answer("")

http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""
LOADER = f"import base64; exec(base64.b64decode('{base64.b64encode(SERVER.encode()).decode()}'))"

system = System(
    "contained",
    image=Image("workbench-python:3", port=8000, command=("python3", "-c", LOADER), ready="/health"),
    env={"REDIS_URL": "{redis.url}", "HOST": "{host}", "PORT": "{port}"},
    scales=True,
)


@system.operation
async def connect(urls, token):
    return httpx.AsyncClient(base_url=urls["app"], headers={"Host": urls["app.host"]}, timeout=None, verify=False)


@system.operation
async def write(connection, key, value):
    (await connection.post(f"/{key}", content=str(value))).raise_for_status()


@system.operation
async def read(connection, key):
    answer = (await connection.get(f"/{key}")).raise_for_status()
    return [int(value) for value in answer.text.split(",") if value]
