"""A real Jupyter kernel is killed, at five moments, ten times each: after three seconds nothing of it is left.

Two kernels run at a time. What is looked for: processes, listening ports, reserved ports, data folders, System V
segments.
"""

import asyncio
import json
import os
import random
import signal
import time
from pathlib import Path

import leftovers
import pytest
from jupyter_client import AsyncKernelManager

from workbench.runtimes.ports import is_free
from workbench.runtimes.supervisor import descendants
from workbench.stack import Stack

KILLS = 10
AT_ONCE = 2

BEGIN = "from pathlib import Path; from workbench.stack import Stack; stack = Stack('redis', 'postgres'); "
NO_PORTS = "Path(TOLD + '.new').write_text('[]'); Path(TOLD + '.new').rename(TOLD); "
READY = BEGIN + "stack.start(); "
LOAD = """
import sys
code = "import socket, sys\\nwhile True: socket.create_connection((sys.argv[1], int(sys.argv[2]))).close()"
child = "import subprocess, sys\\nsubprocess.run([sys.executable, *sys.argv[1:]])"
for link in stack.links:
    stack.spawn([sys.executable, "-c", child, "-c", code, link.host, str(link.port)])
"""
FAULT = """
stack["redis"].pause()
stack["postgres"].pause()
stack.link("client", "redis").add("latency", latency=500)
"""
TELL = """
import json
ports = [stack[name].port for name in stack] + [link.port for link in stack.links]
Path(TOLD + ".new").write_text(json.dumps(ports))
Path(TOLD + ".new").rename(TOLD)
"""
MOMENTS = {
    "before the start": BEGIN + NO_PORTS,
    "while services start": BEGIN + NO_PORTS + "stack.start()",
    "when all is ready": READY + TELL,
    "in mid-load": READY + LOAD + TELL,
    "under a fault": READY + FAULT + TELL,
}


@pytest.fixture(scope="module", autouse=True)
def template():
    """PostgreSQL's template is made here, not in a kernel that is about to be killed."""
    with Stack("postgres"):
        pass


def ports_left(ports):
    """Ports that something listens on, or whose names are still reserved."""
    reserved = Path("/proc/net/unix").read_text()
    return [port for port in ports if not is_free(port) or f"@workbench-port-{port}\n" in reserved]


async def kill_a_kernel(moment, folder, delay_s):
    """Start a kernel, run the moment's cell, kill the kernel; how many processes there were, and what is left."""
    told, marker = folder / "told", f"WORKBENCH_RUN={folder}"
    manager = AsyncKernelManager(kernel_name="python3")
    await manager.start_kernel(
        stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "WORKBENCH_RUN": str(folder)}, cwd=str(folder)
    )
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        client.execute(f"TOLD = {str(told)!r}\n{MOMENTS[moment]}")
        deadline = time.monotonic() + 60
        while not told.exists():
            assert time.monotonic() < deadline, f"it never came to that: {await client.get_iopub_msg(timeout=1)}"
            await asyncio.sleep(0.002)
        await asyncio.sleep(delay_s)
        process = manager.provisioner.process
        pids = descendants(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        found = await asyncio.to_thread(leftovers.left, marker, process.pid, pids)
        found += ports_left(json.loads(told.read_text()))
        return len(pids), found
    finally:
        client.stop_channels()
        await manager.cleanup_resources()


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_is_left_of_a_killed_kernel(moment, tmp_path):
    rng = random.Random(moment)
    delays = [rng.uniform(0, 0.25) if "start" in moment else 0.0 for _ in range(KILLS)]
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(folder, delay_s):
        folder.mkdir()
        async with turn:
            return await kill_a_kernel(moment, folder, delay_s)

    async def all_of_them():
        return await asyncio.gather(*(one(tmp_path / str(n), delay_s) for n, delay_s in enumerate(delays)))

    results = asyncio.run(all_of_them())
    assert [found for _, found in results] == [[]] * KILLS
    if moment not in ("before the start", "while services start"):
        assert min(count for count, _ in results) >= 8, "the tree that was killed is smaller than it should be"
