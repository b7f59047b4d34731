"""The class `System`."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from workbench.errors import UsageError
from workbench.services import Image, Service
from workbench.systems import placeholders
from workbench.systems.operations import KINDS, Function, check_operation, signature
from workbench.systems.ready import Ready

F = TypeVar("F", bound=Function)
_NAME = re.compile(r"[A-Za-z0-9]([\w.-]*\w)?", re.ASCII)


class System:
    """A system under test, as far as the workbench has to know it: one file of its owner.

    Exactly one of ``command`` (a text, split as a shell would, or a list), ``image`` (`Image`) and ``url`` (it runs
    elsewhere) says what it is. ``env`` is added to the environment. In ``command`` and ``env`` stand placeholders:
    ``{host}``, ``{port}``, ``{data}`` (a folder of its own), ``{python}``, and of another entry of the stack, as of
    redis, ``{redis.url}``, ``{redis.host}``, ``{redis.port}``, ``{redis.user}``, ``{redis.password}`` and
    ``{redis.database}``, which lead through its own link; ``{{`` is a brace. ``uses`` are the entries so named, and
    those of ``also_uses``: names, or what each is to be in a notebook's stack, ``{"redis": {"appendonly": "no"}}``.

    ``cwd`` is relative to the file; default: the file's folder. ``before`` is a command that is run once, before the
    first start: a migration, say. ``ready`` says when it is ready: a path that is answered with 2xx ("/health"),
    "log: REGEX" for a line of its log, "" when its port takes connections; at the latest after ``limit_s`` seconds.
    ``scales``: several alike may serve the same clients. ``listens=False`` is a worker without a port. ``version`` is
    told beside its name.

    What clients can ask of it are functions under ``@system.operation`` (`KINDS`). Raises `UsageError` for what makes
    no sense.
    """

    def __init__(
        self,
        name: str,
        *,
        command: str | Sequence[str] = "",
        image: Image | None = None,
        url: str = "",
        env: Mapping[str, str] | None = None,
        cwd: str | Path = "",
        before: str | Sequence[str] = "",
        ready: str = "",
        also_uses: Sequence[str] | Mapping[str, Any] = (),
        scales: bool = False,
        listens: bool = True,
        version: str = "",
        limit_s: float = 30.0,
    ) -> None:
        caller = Path(sys._getframe(1).f_code.co_filename)
        self.file = caller.resolve() if caller.is_file() else None
        """Where it is described; None in a notebook."""
        self.attribute = ""
        self.module = ""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UsageError(f'A system is named by a word, System("shop", …); got {name!r}.')
        self.name = name
        if [bool(command), image is not None, bool(url)].count(True) != 1:
            raise UsageError(
                f'{name}: a system is exactly one of a command of your own (command="python shop.py --port {{port}}"), '
                'a container image (image=Image("shop:latest", port=8000)) and a URL where it runs already (url=…).'
            )
        if image is not None and not isinstance(image, Image):
            raise UsageError(f'{name}: image is an Image("shop:latest", port=8000), not {image!r}.')
        self.image, self.url = image, _text(name, "url", url)
        self.command, self.before = _words(name, "command", command), _words(name, "before", before)
        self.env = _environment(name, {} if env is None else env) if image is None else self._image_env(image, env)
        self.folder = self._folder(cwd)
        for option, value in (("scales", scales), ("listens", listens)):
            if not isinstance(value, bool):
                raise UsageError(f"{name}: {option} is True or False, not {value!r}.")
        self.scales, self.listens = scales, listens
        if isinstance(limit_s, bool) or not isinstance(limit_s, int | float) or not 0 < limit_s < float("inf"):
            raise UsageError(f"{name}: limit_s is the seconds a start may take, above 0, not {limit_s!r}.")
        self.limit_s, self.version = limit_s, _text(name, "version", version)
        self.ready = Ready.of(name, ready or (image.ready if image is not None else ""), listens=listens)
        self._check_kind(ready)
        named = self._placeholders()
        if isinstance(also_uses, str) or not all(isinstance(one, str) and one for one in also_uses):
            raise UsageError(
                f'{name}: also_uses names entries of the stack, ("redis",), or says what they are to be, '
                f'{{"redis": {{"appendonly": "no"}}}}; got {also_uses!r}.'
            )
        given = also_uses if isinstance(also_uses, Mapping) else {}
        self.entries = {one: given.get(one) for one in dict.fromkeys([*placeholders.entries(named), *also_uses])}
        """The entries of a stack that it needs, as `Stack` takes them: options, an object, a URL; None: as it comes."""
        self._operations: dict[str, Function] = {}

    def __repr__(self) -> str:
        what = (
            f"the command {self.title!r}" if self.command else f"the image {self.title}" if self.image else self.title
        )
        uses = f", which uses {', '.join(self.uses)}" if self.uses else ""
        return f"{self.name}: {what}{uses}; operations: {', '.join(self.operations) or 'none'}"

    @property
    def uses(self) -> tuple[str, ...]:
        """The names of the entries that it needs."""
        return tuple(self.entries)

    @property
    def title(self) -> str:
        """What is started: the command as it was written, the image, the URL."""
        return " ".join(self.command) or (self.image.name if self.image else _without_password(self.url))

    @property
    def where(self) -> str:
        """From where it can be loaded again: "/home/me/shop.py:system", or an import path. "" in a notebook."""
        at = self.module or (str(self.file) if self.file else "")
        return f"{at}:{self.attribute}" if at and self.attribute else at

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of what clients can ask of it."""
        return tuple(name for name in KINDS if name in self._operations)

    def operation(self, function: F) -> F:
        """``@system.operation``: what is named like this is done like this. Raises `UsageError` if it cannot be."""
        name = check_operation(function, of=self.name)
        if name in self._operations:
            raise UsageError(f"{self.name}: the operation {name} is there twice. One of them has to go.")
        self._operations[name] = function
        return function

    def function(self, name: str) -> Function | None:
        """The operation of this name, None if it has none."""
        return self._operations.get(name)

    def require(self, *names: str, by: str) -> None:
        """Raise `UsageError` unless it has these operations; ``by`` is who needs them."""
        lacking = [name for name in names if name not in self._operations]
        if lacking:
            how = "; ".join(f"{signature(name)} {KINDS[name].does}" for name in lacking)
            raise UsageError(
                f"{by} need {' and '.join(lacking)} of {self.name}, which {self.where or 'its description'} does not "
                f"have; it has: {', '.join(self.operations) or 'none'}. Write it under @system.operation: {how}."
            )

    def as_service(self, name: str) -> Service:
        """What a stack starts, or reaches, as the entry ``name``."""
        if self.url:
            from workbench.services._elsewhere import elsewhere

            return elsewhere(self.url, entry=name)
        if self.image is not None:
            from workbench.systems.image import OwnImage

            return OwnImage.of(self, self.image)
        from workbench.systems.command import OwnCommand

        return OwnCommand.of(self)

    # --- inside

    def _folder(self, cwd: str | Path) -> Path:
        """Where its command is started."""
        if not isinstance(cwd, str | Path) or "\0" in str(cwd):
            raise UsageError(f"{self.name}: cwd is a folder, relative to the file of the system; got {cwd!r}.")
        base = self.file.parent if self.file else Path.cwd()
        return (base / Path(cwd).expanduser()).resolve()

    def _image_env(self, image: Image, env: Mapping[str, str] | None) -> dict[str, str]:
        return _environment(self.name, {**image.env, **(env or {})})

    def _check_kind(self, ready: str) -> None:
        if not self.command and self.before:
            raise UsageError(f"{self.name}: before is for a command of your own, not for {self.title}.")
        if self.url and (ready or self.env or not self.listens or self.scales):
            raise UsageError(
                f"{self.name}: it runs at {self.title} already. env, ready, scales and listens are for what is started."
            )

    def _placeholders(self) -> list[str]:
        """All of them. Raises `UsageError` for one that there is not, and for a port that is never told."""
        own = [one for one in placeholders.OWN if self.command or one in ("host", "port")]
        own = [one for one in own if self.listens or one not in ("host", "port")]
        command = self.command or (self.image.command if self.image else ())
        found: list[str] = []
        for what, texts in (("command", command), ("before", self.before)):
            for text in texts:
                found += placeholders.names(text, where=f"the {what} of {self.name}", own=own)
        for variable, text in self.env.items():
            found += placeholders.names(text, where=f"the variable {variable} of {self.name}", own=own)
        if self.command and self.listens and "port" not in found:
            raise UsageError(
                f"{self.name} is never told where to listen: {{port}} stands neither in its command nor in its env. "
                'Write --port {port}, or env={"PORT": "{port}"}; for a worker without a port: listens=False.'
            )
        return found


def _text(owner: str, option: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{owner}: {option} is a text, not {value!r}.")
    return value


def _words(owner: str, option: str, value: object) -> tuple[str, ...]:
    """A command as a list. Raises `UsageError`."""
    if isinstance(value, str):
        try:
            words = tuple(shlex.split(value))
        except ValueError as error:
            raise UsageError(f"{owner}: {option} cannot be split as a shell would ({error}): {value!r}.") from None
        if words and ({"&&", "||", "|", ";", "&", ">"} & {*words} or re.match(r"\w+=", words[0])):
            raise UsageError(
                f"{owner}: {option} is not run by a shell: {value!r}. Variables go into env, the folder into cwd, what "
                'comes first into before; or write it as a list, ["sh", "-c", "…"].'
            )
        value = words
    if (
        isinstance(value, list | tuple)
        and all(isinstance(word, str) and "\0" not in word for word in value)
        and (not value or value[0].strip())
    ):
        return tuple(value)
    raise UsageError(f"{owner}: {option} is a text, or a list of texts with the program first; got {value!r}.")


def _environment(owner: str, env: object) -> dict[str, str]:
    if not isinstance(env, Mapping):
        raise UsageError(f'{owner}: env is a mapping, {{"REDIS_URL": "{{redis.url}}"}}; got {env!r}.')
    for name, value in env.items():
        named = isinstance(name, str) and name and not {"=", "\0"} & {*name}
        if not named or not isinstance(value, str) or "\0" in value:
            raise UsageError(  # without the value, which may be secret
                f"{owner}: a variable of env has a name and a text, both without null bytes; the value of {name!r} "
                f"is of type {type(value).__name__}."
            )
    return dict(env)


def _without_password(url: str) -> str:
    """As it can be shown."""
    return re.sub(r"(?<=://)([^/@]*):[^/@]*@", r"\1@", url)
