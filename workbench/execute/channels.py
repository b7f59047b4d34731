"""The connection to a kernel that was started elsewhere: ready without pauses, alive as long as its process is."""

from __future__ import annotations

import time
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient

from workbench.execute.kernel import Kernel

START_TIMEOUT_S = 60.0


class Manager:
    """What nbclient wants to know about a kernel that is not its own."""

    has_kernel = True
    kernel_id = "workbench"

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def client(self) -> Channels:
        return Channels(self._kernel)

    def is_alive(self) -> bool:
        return self._kernel.alive

    def shutdown_kernel(self, *, now: bool = False) -> None:
        """nbclient asks for this where the kernel never answered: there is nobody to say goodbye to."""
        self._kernel.kill()

    def cleanup_resources(self) -> None:
        """It leaves nothing: see `workbench.execute.kernel`."""


class Channels(AsyncKernelClient):
    """The connection to a kernel; whether it lives is asked of the process, not guessed from heartbeats."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self._kernel = kernel
        info: Any = kernel.connection
        self.load_connection_info(info)

    async def is_alive(self) -> bool:
        return self._kernel.alive

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Return as soon as it answers on both channels, without pauses. Raises `RuntimeError` if it never does."""
        deadline = time.monotonic() + (timeout or START_TIMEOUT_S)
        while time.monotonic() < deadline:
            asked = self.kernel_info()
            try:
                await self._async_recv_reply(asked, timeout=1)
                idle = False
                while not idle:
                    told = await self.get_iopub_msg(timeout=1)
                    ours = told["parent_header"].get("msg_id") == asked
                    idle = ours and told["content"].get("execution_state") == "idle"
                return
            except (TimeoutError, Empty):
                if not self._kernel.alive:
                    raise RuntimeError("it ended while it started") from None
        raise RuntimeError(f"it did not answer within {timeout:g} s")
