"""``python -m workbench.reference --host 127.0.0.1 --port 8000``

Exit codes: 0 asked to stop, 1 the port is taken, 2 the environment or the arguments make no sense.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
import sys

from workbench.reference.settings import BadSetting, Settings

GRACE_S = 1
"""How long requests that are under way may take to end after SIGTERM, seconds."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workbench.reference", description="The reference system.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one, which the log names")
    asked = parser.parse_args(arguments)
    try:
        settings = Settings.read(os.environ)
    except BadSetting as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    # uvicorn ends gracefully on these signals and then raises them again: by then there is nothing left to do.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: sys.exit(0))
    gc.disable()  # thousands of objects are made by imports, none of them garbage

    from workbench.reference.keys import key_in_background

    key = key_in_background(settings.key_file)

    import uvicorn

    from workbench.reference import logs
    from workbench.reference.app import create
    from workbench.reference.routes.sockets import LARGEST_FRAME
    from workbench.reference.wire import Heads, Line

    logs.install(settings.log_level)
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((asked.host, asked.port))
    except (OSError, OverflowError) as error:
        print(f"{asked.host}:{asked.port} cannot be listened on: {error}.", file=sys.stderr)  # noqa: T201
        return 1
    logs.tell("listening", host=asked.host, port=listening.getsockname()[1])
    app = create(settings, key)
    gc.freeze()
    gc.enable()
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Heads,
        ws=Line,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
        ws_max_size=LARGEST_FRAME,
        ws_ping_interval=settings.ping_s,
        ws_ping_timeout=settings.ping_s,
        ws_per_message_deflate=False,
    )
    uvicorn.Server(config).run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main())
