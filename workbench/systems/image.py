"""A system that is a container image of its owner's, as a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from workbench.errors import UsageError
from workbench.services import Command, Image, Place
from workbench.systems.placeholders import fill
from workbench.systems.ready import Ready

if TYPE_CHECKING:
    from workbench.systems.system import System


@dataclass(frozen=True)
class OwnImage:
    """A container of an image, its placeholders filled: there, it listens at the image's own port."""

    runtime: ClassVar[str] = "docker"

    name: str
    image_name: str
    listens_at: int
    env: Mapping[str, str]
    arguments: tuple[str, ...]
    ready: str
    uses: tuple[str, ...]
    scales: bool
    listens: bool
    version: str
    limit_s: float

    @classmethod
    def of(cls, system: System, image: Image) -> OwnImage:
        return cls(
            name=system.name,
            image_name=image.name,
            listens_at=image.port,
            env=system.env,
            arguments=image.command,
            ready=str(system.ready),
            uses=system.uses,
            scales=system.scales,
            listens=system.listens,
            version=system.version,
            limit_s=system.limit_s,
        )

    @property
    def requires(self) -> tuple[str, ...]:
        """The entries without which it cannot be started."""
        return self.uses

    def image(self, place: Place) -> Image:
        """What to start, with the addresses of what it uses as they are seen from a container."""
        own = {"host": "0.0.0.0", "port": str(self.listens_at)}
        return Image(
            self.image_name,
            self.listens_at,
            env={name: fill(text, own=own, urls=place.urls) for name, text in self.env.items()},
            command=tuple(fill(word, own=own, urls=place.urls) for word in self.arguments),
            ready=self.ready,
        )

    def prepare(self, place: Place) -> None:
        """The image brings all it needs."""

    def command(self, place: Place) -> Command:
        raise UsageError(f"{place.name} is the image {self.image_name}, which is not started as a process.")

    def probe(self, place: Place, *, timeout_s: float) -> str:
        self._ready.check(place, listens=self.listens, timeout_s=timeout_s)
        return f"{self.name}{f' {self.version}' if self.version else ''}: {self.image_name}"

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        if not self.listens:
            raise ConnectionError(f"{place.name} listens nowhere: it cannot be asked")
        return self._ready.ask(place, host=host, port=port, size=size, timeout_s=timeout_s)

    def url(self, place: Place, *, host: str, port: int) -> str:
        return f"http://{host}:{port}" if self.listens else ""

    @property
    def _ready(self) -> Ready:
        return Ready.of(self.name, self.ready, listens=self.listens)
