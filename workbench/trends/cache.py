"""Digests of runs, kept between two calls, so that a page over a thousand runs opens only those that are new."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from workbench.history import whole
from workbench.trends.digest import RunDigest, digest
from workbench.trends.places import Place

FILE = ".index.msgpack"
VERSION = 5
"""Counted up whenever digests become different: then all are made anew."""

_TOLD = ("results.json", "verdict.json")

Key = tuple[int, ...]


class _Cache(msgspec.Struct, array_like=True):
    version: int
    runs: dict[str, tuple[Key, RunDigest]]


_HEAD = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])


def digests(found: Sequence[Place], *, cache: Path) -> list[RunDigest]:
    """Of every run in the order given, out of the file ``cache`` where its run has not changed since.

    A cache that is damaged or of another version is made anew; one that cannot be written costs only time.
    """
    known = _load(cache)
    runs: dict[str, tuple[Key, RunDigest]] = {}
    for place in found:
        key, at = _key(place.folder), _at(place, cache)
        old = known.get(at)
        runs[at] = old if old is not None and old[0] == key else (key, digest(place.folder, name=place.name))
    if runs != known:
        with contextlib.suppress(OSError):
            data = msgspec.msgpack.encode(_Cache(VERSION, runs))
            whole.write(cache, _sum(data) + data)
    return [runs[_at(place, cache)][1] for place in found]


def _at(place: Place, cache: Path) -> str:
    """The run's folder as the cache calls it: outputs may be moved or mounted elsewhere."""
    outputs = cache.parent
    return place.folder.name if place.folder.parent == outputs else f"{place.name} {place.folder}"


def _load(cache: Path) -> dict[str, tuple[Key, RunDigest]]:
    try:
        found = cache.read_bytes()
        data = memoryview(found)[4:]
        if found[:4] != _sum(data) or _HEAD.decode(data)[0] != VERSION:
            return {}
        return msgspec.msgpack.decode(data, type=_Cache).runs
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return {}


def _sum(data: bytes | memoryview) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


def _key(folder: Path) -> Key:
    """Changes whenever what a run tells changes: time and size of its results, or of its notebooks' verdicts."""
    key = [number for name in _TOLD for number in _stamp(folder / name)]
    if not any(key):  # killed, or still running
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            below = sorted(entry.path for entry in entries if entry.is_dir())
            key += [n for path in below for name in (*_TOLD, "notebook.ipynb") for n in _stamp(Path(path, name))]
            key.append(len(below))
    return tuple(key)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
