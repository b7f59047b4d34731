"""A system that is a command of its owner's, as a service."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import ProgramMissing, ServiceExited, UsageError
from workbench.services import Command, Place
from workbench.systems.listening import ports_of
from workbench.systems.placeholders import fill
from workbench.systems.ready import Ready

if TYPE_CHECKING:
    from workbench.systems.system import System


@dataclass(frozen=True)
class OwnCommand:
    """Starts a command with its placeholders filled. Its fields are texts as they were written, for the evidence."""

    name: str
    command_line: str
    argv: tuple[str, ...] = field(repr=False)
    env: Mapping[str, str]
    cwd: str
    before: tuple[str, ...]
    ready: str
    uses: tuple[str, ...]
    scales: bool
    listens: bool
    version: str
    limit_s: float

    @classmethod
    def of(cls, system: System) -> OwnCommand:
        """Raises `UsageError` if its folder is not there."""
        if not system.folder.is_dir():
            raise UsageError(
                f"{system.name} is started in {system.folder}, which is no folder. cwd is relative to the file of the "
                f"system, {system.where or 'or to the working directory where there is none'}."
            )
        return cls(
            name=system.name,
            command_line=system.title,
            argv=system.command,
            env=system.env,
            cwd=str(system.folder),
            before=system.before,
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

    def prepare(self, place: Place) -> None:
        """Run what comes before the first start; its instances share what that has made."""
        if not self.before or place.common not in (None, place.data):
            return
        helper = place.spawn(self._filled(self.before, place))
        code = helper.wait(self.limit_s)
        if code != 0:
            helper.kill()
            how = f"ended with return code {code}" if code is not None else f"did not end within {self.limit_s:g} s"
            raise ServiceExited(
                f"{place.name}: what comes before its first start, {shlex.join(self.before)}, {how}. "
                f"Its log, {place.log}, ends:\n{_tail(place.log)}"
            )

    def command(self, place: Place) -> Command:
        return self._filled(self.argv, place)

    def probe(self, place: Place, *, timeout_s: float) -> str:
        self._ready.check(place, listens=self.listens, timeout_s=timeout_s)
        return f"{self.name}{f' {self.version}' if self.version else ''}: {self.command_line}"

    def ask(self, place: Place, *, host: str, port: int, size: int = 0, timeout_s: float = 1.0) -> float:
        if not self.listens:
            raise ConnectionError(f"{place.name} listens nowhere: it cannot be asked")
        return self._ready.ask(place, host=host, port=port, size=size, timeout_s=timeout_s)

    def url(self, place: Place, *, host: str, port: int) -> str:
        return f"http://{host}:{port}" if self.listens else ""

    def unready(self, place: Place, *, pid: int) -> str:
        """Why it may not be ready: where it listens instead."""
        return ports_of(pid, but=place.port, of=place.name) if self.listens else ""

    @property
    def _ready(self) -> Ready:
        return Ready.of(self.name, self.ready, listens=self.listens)

    def _filled(self, words: tuple[str, ...], place: Place) -> Command:
        own = {"host": place.host, "port": str(place.port), "data": str(place.data), "python": sys.executable}
        argv = tuple(fill(word, own=own, urls=place.urls) for word in words)
        env = {name: fill(text, own=own, urls=place.urls) for name, text in self.env.items()}
        env = {"PYTHONUNBUFFERED": "1"} | env  # what it prints is in its log when it happens
        path = env.get("PATH", os.environ.get("PATH", os.defpath))
        return Command((self._program(argv[0], path), *argv[1:]), env=env, cwd=Path(self.cwd))

    def _program(self, program: str, path: str) -> str:
        """Where it is: as in a shell, but the programs of this Python's virtual environment come first."""
        if os.sep in program:
            found = shutil.which(str(Path(self.cwd) / program))
            looked = f"in {self.cwd}"
        else:
            own = f"{Path(sys.executable).parent}{os.pathsep}" if sys.prefix != sys.base_prefix else ""
            found = shutil.which(program, path=f"{own}{path}")
            looked = f"on PATH or beside {sys.executable}"
        if found is None:
            raise ProgramMissing(
                f"The program {program!r} of {self.name} ({self.command_line}) is not {looked}, or may not be run. "
                "Install it into the environment that runs the workbench, or write its whole path; a file of Python "
                "is started with {python} before it."
            )
        return found


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
