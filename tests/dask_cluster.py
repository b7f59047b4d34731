"""A real scheduler and real workers, each a process of its own, for tests and benchmarks."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DASK = Path(sys.executable).with_name("dask")
PATIENCE_S = 20.0


class Cluster:
    """``address`` of the scheduler; `worker` starts another worker and waits until it is known."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self.workers = {}
        told = self._folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)
        )
        self._until(lambda: told.exists() and told.read_text().endswith("}"), "scheduler")
        self.address = json.loads(told.read_text())["address"]

    def worker(self, name, **env):
        """Without a nanny: what is killed stays dead. ``env`` is added to its environment."""
        place = ["--host", "127.0.0.1", "--no-dashboard", "--no-nanny", "--nthreads", "1", "--memory-limit", "0"]
        self.workers[name] = self._start("worker", self.address, *place, "--name", name, **env)

    def ready(self):
        """When every worker is connected."""
        for name in self.workers:
            log = self._folder / f"worker-{name}.log"
            self._until(lambda log=log: "Starting established connection" in log.read_text(), name)
        return self

    def leave(self, name):
        """End a worker, and wait until the scheduler has noticed."""
        self.kill(name)
        del self.workers[name]
        log = self._folder / "scheduler.log"
        self._until(lambda: any(f"name: {name}" in line for line in _removals(log)), f"the end of {name}")

    def kill(self, name):
        """SIGKILL, as when its machine goes."""
        process = self.scheduler if name == "scheduler" else self.workers[name]
        process.kill()
        process.wait()

    def stop(self):
        for process in (*self.workers.values(), self.scheduler):
            process.send_signal(signal.SIGTERM)
        for process in (*self.workers.values(), self.scheduler):
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, what, *arguments, **env):
        name = f"worker-{arguments[-1]}" if what == "worker" else what
        with (self._folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [str(DASK), what, *arguments], stdout=log, stderr=log, cwd=self._folder, env={**os.environ, **env}
            )

    def _until(self, there, what):
        deadline = time.monotonic() + PATIENCE_S
        while not there():
            if time.monotonic() > deadline:
                logs = "\n".join(path.read_text() for path in self._folder.glob("*.log"))
                raise TimeoutError(f"{what} did not start:\n{logs}")
            time.sleep(0.05)


def _removals(log):
    return [line for line in log.read_text().splitlines() if "Remove worker" in line]


@contextlib.contextmanager
def cluster(*names, **envs):
    """With workers of these names; ``envs`` are more, with what is added to their environments."""
    with tempfile.TemporaryDirectory() as folder:
        started = Cluster(folder)
        try:
            for name in names:
                started.worker(name)
            for name, env in envs.items():
                started.worker(name, **env)
            yield started.ready()
        finally:
            started.stop()
