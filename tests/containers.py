"""An image of a stranger's, for tests: a server in Python that asks the Redis it is given; and looks at the engine."""

import json
import subprocess

from workbench import Image

PYTHON = "workbench-python:3"

SERVER = """
import http.server, os, signal, socket, sys, urllib.parse
print("serving, version 7", flush=True)
redis = urllib.parse.urlsplit(os.environ.get("REDIS_URL", ""))

def ping():
    with socket.create_connection((redis.hostname, redis.port), timeout=0.5) as connection:
        connection.sendall(f"AUTH {redis.password}\\r\\nPING\\r\\n".encode())
        answers = connection.makefile()
        return answers.readline() + answers.readline()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            body, status = (ping() if self.path == "/ping" else "here").encode(), 200
        except OSError as error:
            body, status = repr(error).encode(), 503
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
"""


def server(*, port=8000, listens_at=None, name=PYTHON):
    """An image whose server listens at ``listens_at``, else at the ``port`` that it says."""
    command = ("python3", "-c", SERVER, str(listens_at or port))
    return Image(name, port=port, env={"REDIS_URL": "{redis.url}"}, command=command, ready="/health")


def docker(*arguments):
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def inspect(name):
    return json.loads(docker("inspect", name))[0]


def of_owner(owner):
    """Containers and networks of one owner: their names."""
    label = f"label=workbench.owner={owner}"
    containers = docker("ps", "--all", "--filter", label, "--format", "{{.Names}}")
    return [*containers.split(), *docker("network", "ls", "--filter", label, "--format", "{{.Name}}").split()]


def of_pid(pid):
    """Containers and networks that belong to a process: their names."""
    names = [*docker("ps", "--all", "--format", "{{.Names}}").split()]
    names += docker("network", "ls", "--format", "{{.Name}}").split()
    return [name for name in names if name.startswith("workbench-") and f"-{pid}-" in name]


def container_of(running):
    """The engine's name of a service's container."""
    return f"{running.place.data.parent.name}-{running.name}"
