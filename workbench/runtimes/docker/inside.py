"""What a container does inside: on which ports programs listen there, and what they use."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import ServiceError
from workbench.runtimes.docker.engine import explained
from workbench.runtimes.resources import Resources

if TYPE_CHECKING:
    from workbench.runtimes.docker.engine import Engine

_LISTENS = "0A"  # the state, in the kernel's table of connections
_UNKNOWN = -1


def listening(engine: Engine, container: str, pid: int) -> list[int] | None:
    """The TCP ports that programs listen on in a container, None if that cannot be seen.

    ``pid`` is its first process, 0 if that is not of this machine: then a program in the container is asked.
    """
    tables: list[str] = []
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError, ServiceError):
            tables.append(_net(engine, container, pid, table))
    if not tables:
        return None
    lines = [line.split() for table in tables for line in table.splitlines()[1:]]
    return sorted({int(fields[1].rpartition(":")[2], 16) for fields in lines if fields[3] == _LISTENS})


def interfaces(engine: Engine, container: str, pid: int) -> list[str]:
    """The network interfaces of a container. Raises `ServiceError` if nothing tells."""
    try:
        lines = _net(engine, container, pid, "dev").splitlines()[2:]
    except OSError as error:
        raise ServiceError(f"The network of container {container[:12]} cannot be looked at: {error}.") from error
    return [line.partition(":")[0].strip() for line in lines]


def _net(engine: Engine, container: str, pid: int, table: str) -> str:
    """What stands in ``/proc/net`` of a container. Raises `OSError` and `ServiceError`."""
    if pid:
        return Path(f"/proc/{pid}/net/{table}").read_text()
    return _read_inside(engine, container, f"/proc/net/{table}")


def _read_inside(engine: Engine, container: str, path: str) -> str:
    """A file, by a program of the container's. Raises `ServiceError` if it has none for that."""
    with explained(f"{path} cannot be read in container {container[:12]}"):
        made = engine.api.exec_create(container, ["cat", path])
        text: bytes = engine.api.exec_start(made["Id"])
        code = engine.api.exec_inspect(made["Id"])["ExitCode"]
    if code:
        raise ServiceError(f"{path} cannot be read in container {container[:12]}: {text.decode(errors='replace')}")
    return text.decode(errors="replace")


def use(engine: Engine, container: str) -> Resources:
    """What a container uses, as the engine counts it; it does not count descriptors, for which -1 stands."""
    with explained(f"What container {container[:12]} uses cannot be told"):
        stats = engine.api.stats(container, stream=False, one_shot=True)
    memory = stats.get("memory_stats", {})
    kept = memory.get("stats", {})
    cache = kept.get("inactive_file", kept.get("total_inactive_file", 0))
    cpu_ns = stats.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage", 0)
    return Resources(cpu_ns / 1e9, max(memory.get("usage", 0) - cache, 0), _UNKNOWN)
