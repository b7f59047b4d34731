"""The relay: every link of every stack, in one process of its own, steered over Toxiproxy's HTTP API.

    python -m workbench.links.relay --host 127.0.0.1 --port 8474

Prints ``ready <port>`` once the API listens (port 0 picks a free one), and ends on SIGTERM or SIGINT. Imports the
standard library and, where there is one, uvloop: it is up in a tenth of a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import signal
import sys
from collections.abc import Callable

from workbench.links.api import Api
from workbench.links.http import Server


async def serve(*, host: str, port: int, seed: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError when the address is taken."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    api = Api(seed=seed, loop=loop)
    server = await loop.create_server(lambda: Server(api.handle, loop), host, port)
    print(f"ready {server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201
    await over.wait()
    server.close()
    api.close()


def main() -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench.links.relay", description="TCP links that can be broken."
    )
    parser.add_argument("--host", default="127.0.0.1", help="where the API listens")
    parser.add_argument("--port", type=int, default=8474, help="0 picks a free one")
    parser.add_argument("--seed", type=int, default=0, help="decides which connections a toxicity below 1 reaches")
    options = parser.parse_args()
    _allow_many_connections()
    try:
        with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
            runner.run(serve(host=options.host, port=options.port, seed=options.seed))
    except OSError as error:
        sys.stderr.write(f"The relay cannot listen on {options.host}:{options.port}: {error}.\n")
        return 1
    return 0


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    new: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return new


def _allow_many_connections() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
