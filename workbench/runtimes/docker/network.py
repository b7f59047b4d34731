"""The network of a stack: a bridge of its own that its containers are on, where links can listen for them."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import ServiceError
from workbench.runtimes.docker.engine import WITHOUT, explained, labels

if TYPE_CHECKING:
    from workbench.runtimes.docker.engine import Engine


class Network:
    """One network, made when it is first used. ``gateway`` is this machine's address on it."""

    def __init__(self, engine: Engine, name: str) -> None:
        from testcontainers.core.network import Network as Made

        engine.watch()
        self.engine = engine
        self.name = name
        self.users: set[str] = set()
        with explained(f"The network {name} of the stack cannot be made"):
            made = Made(docker_network_kw={"labels": labels(name), "driver": "bridge"})
            try:
                made.name = name
                made.create()
            finally:
                made._docker.client.close()
            found: dict[str, Any] = engine.api.inspect_network(name)
        self.gateway: str = next((one["Gateway"] for one in found["IPAM"]["Config"] if "." in one["Gateway"]), "")

    def meeting_place(self) -> str:
        """The gateway, where programs of this machine can listen for containers. Raises `ServiceError` if none can."""
        try:
            with socket.socket() as probe:
                probe.bind((self.gateway, 0))
        except OSError as error:
            raise ServiceError(
                f"The links cannot listen for containers: the network of the engine at {self.engine.host} ends at "
                f"{self.gateway or 'no address'}, which is not of this machine ({error.strerror}). So it is with "
                "Docker in a virtual machine (Docker Desktop), with rootless Docker, and when the workbench runs in a "
                "container itself: a container can use no other service then. Run it beside an engine of the system's "
                f"own. {WITHOUT}"
            ) from None
        return self.gateway

    def remove(self) -> None:
        """Nothing happens if it is gone."""
        from docker.errors import NotFound

        with explained(f"The network {self.name} cannot be removed"), contextlib.suppress(NotFound):
            self.engine.api.remove_network(self.name)


_networks: dict[str, Network] = {}
_lock = threading.Lock()


def join(engine: Engine, folder: Path, user: str) -> Network:
    """The network of the stack whose data folder this is, for one of its services. Raises `ServiceError`."""
    with _lock:
        network = _networks.get(folder.name)
        if network is None:
            network = _networks[folder.name] = Network(engine, folder.name)
        network.users.add(user)
        return network


def leave(folder: Path, user: str) -> None:
    """A service is gone from it; the last one takes it along."""
    with _lock:
        network = _networks.get(folder.name)
        if network is None:
            return
        if not network.users - {user}:
            network.remove()  # before it is forgotten: who is interrupted here can leave again
            del _networks[folder.name]
        network.users.discard(user)
