#!/usr/bin/python3
"""As of the official image: MONGO_INITDB_ROOT_USERNAME and _PASSWORD make a user at the first start, and set --auth.

There is no mongod in here. SecantusDB stands in for it, and gets those of mongod's options that mean something to it.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from secantus import cli

def serve(*options: object) -> NoReturn:
    sys.argv[0] = "secantusd"
    sys.exit(cli.main(["--log-level", "WARNING", *map(str, options)]))


def make_user(where: Path, name: str, password: str) -> None:
    """Start it for nobody else, without a login, and make the user. Once that is on disk it need not end in order.

    A fork, because it takes most of the time of a start to import it.
    """
    server = os.fork()
    if server == 0:
        serve("--host", "127.0.0.1", "--port", 27018, "--storage-path", where)
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    deadline = time.monotonic() + 60
    while True:
        try:
            with MongoClient("127.0.0.1", 27018, directConnection=True, serverSelectionTimeoutMS=200) as client:
                client.admin.command("createUser", name, pwd=password, roles=["root"], writeConcern={"w": 1, "j": True})
                client.admin.command("fsync")
            break
        except PyMongoError:
            if os.waitpid(server, os.WNOHANG)[0] or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    os.kill(server, signal.SIGKILL)
    os.waitpid(server, 0)


def main() -> None:
    words = sys.argv[1:]
    if words and words[0] == "mongod":
        words = words[1:]
    elif words and not words[0].startswith("-"):
        os.execvp(words[0], words)
    reading = argparse.ArgumentParser("mongod", allow_abbrev=False)
    reading.add_argument("--port", type=int, default=27017)
    reading.add_argument("--dbpath", type=Path, default=Path("/data/db"))
    reading.add_argument("--auth", action="store_true")
    for ignored in ("--bind_ip", "--syncdelay", "--journalCommitInterval", "--wiredTigerCacheSizeGB"):
        reading.add_argument(ignored)
    for ignored in ("--bind_ip_all", "--nounixsocket", "--quiet"):
        reading.add_argument(ignored, action="store_true")
    asked = reading.parse_args(words)
    user = os.environ.get("MONGO_INITDB_ROOT_USERNAME", "")
    password = os.environ.get("MONGO_INITDB_ROOT_PASSWORD", "")
    made = asked.dbpath / "user-was-made"
    asked.dbpath.mkdir(parents=True, exist_ok=True)
    if user and not made.exists():
        make_user(asked.dbpath, user, password)
        made.touch()
    login = ["--auth"] if asked.auth or user else []
    serve("--host", "0.0.0.0", "--port", asked.port, "--storage-path", asked.dbpath, *login)


main()
