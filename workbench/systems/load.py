"""Finding a system by the file or the module in which it is described."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType

from workbench.errors import UsageError, nearest
from workbench.systems.system import System

_loaded: dict[Path, tuple[tuple[int, int], ModuleType]] = {}
"""By file: as it was when it was loaded. One that has changed is loaded again."""


def load_system(where: str | Path | System, *, base: Path | None = None) -> System:
    """The system itself, that of a file (``examples/shop.py``, ``examples/shop.py:name``) or of a module
    (``package.module``, ``package.module:name``).

    A relative path begins at ``base`` (None: the working directory). The file's folder, or ``base``, is put at the end
    of ``sys.path``. Raises `UsageError` if there is none, or several and none was named.
    """
    if isinstance(where, System):
        return where
    text = os.fspath(where) if isinstance(where, str | Path) else ""
    if not text.strip():
        raise UsageError(
            f"A system is named by its file, examples/shop.py, or its module, package.module; got {where!r}."
        )
    at, _, attribute = text.strip().rpartition(":")
    if not at or os.sep in attribute:  # a folder may have a colon in its name
        at, attribute = text.strip(), ""
    is_file = at.endswith(".py") or os.sep in at
    module = _from_file((base or Path.cwd()) / Path(at).expanduser()) if is_file else _by_import(at, base)
    system, name = _choose(module, attribute, at)
    system.attribute, system.module = name, str(module.__file__) if is_file else at
    return system


def _from_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        beside = sorted(one.name for one in path.parent.glob("*.py")) if path.parent.is_dir() else []
        raise UsageError(
            f"There is no file {path} that could describe a system{nearest(path.name, beside)} "
            "`workbench new-system PATH` writes one to begin with."
        )
    stamp = path.stat().st_mtime_ns, path.stat().st_size
    if path in _loaded and _loaded[path][0] == stamp:
        return _loaded[path][1]
    _find_modules_in(path.parent)
    name = f"_system_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # it is a file of Python
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(_why(str(path), error)) from error
    _loaded[path] = stamp, module
    return module


def _by_import(name: str, base: Path | None) -> ModuleType:
    _find_modules_in((base or Path.cwd()).resolve())
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except UsageError:
        raise
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(
                f"There is no module {name!r} that could describe a system: {error}. A file is named by its path, "
                f"{name.replace('.', '/')}.py; a module has to be installed or in the working directory."
            ) from None
        raise UsageError(_why(name, error)) from error
    except (Exception, SystemExit) as error:
        raise UsageError(_why(name, error)) from error


def _find_modules_in(folder: Path) -> None:
    """Last: a ``redis.py`` beside it must not be taken for the library."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _why(where: str, error: BaseException) -> str:
    """Where and why a file did not load."""
    if isinstance(error, SyntaxError):
        line, source = error.lineno or 0, (error.text or "").strip()
        at = error.filename or where
    else:
        frames = traceback.extract_tb(error.__traceback__)
        inner = [frame for frame in frames if "importlib" not in frame.filename and frame.filename != __file__]
        here = next((frame for frame in reversed(inner) if frame.filename == where), inner[-1] if inner else frames[-1])
        line, source, at = here.lineno or 0, here.line or "", here.filename
    what = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    told = f"{type(error).__name__}: {what}".rstrip(": ")
    relative = isinstance(error, ImportError) and "relative import" in str(error)
    cure = "Name it as a module, package.module, from the folder that holds the package." if relative else ""
    of = f" of {at}" if at != where else ""
    return f"{where} cannot be loaded: {told}, in line {line}{of}: {source}. {cure or 'Mend the file.'}"


def _choose(module: ModuleType, attribute: str, at: str) -> tuple[System, str]:
    """The system that is meant, and what it is called there."""
    there = {name: value for name, value in vars(module).items() if isinstance(value, System)}
    if attribute:
        found = getattr(module, attribute, None)
        if isinstance(found, System):
            return found, attribute
        what = f"a {type(found).__name__}, no System" if hasattr(module, attribute) else "not there"
        raise UsageError(
            f"{attribute!r} in {at} is {what}{nearest(attribute, there)} Its systems: {', '.join(there) or 'none'}."
        )
    different = {id(system): name for name, system in reversed(there.items())}
    if len(different) == 1:
        (name,) = different.values()
        return there[name], name
    if not there:
        raise UsageError(f'{at} describes no system: it needs a line system = System("shop", command="…").')
    names = sorted(different.values())
    raise UsageError(f"{at} describes several systems, {', '.join(names)}. Say which: {at}:{names[0]}.")
