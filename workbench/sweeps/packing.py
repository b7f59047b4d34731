"""A notebook folder as bytes, and back: what comes from elsewhere puts files into its folder and nowhere else."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path, PurePosixPath

from workbench.errors import WorkbenchError

MOST_BYTES = 4 << 30
"""Unpacked; more is no record of a run."""
_PIECE = 1 << 20


def pack(folder: Path) -> bytes:
    """The files of a folder as a compressed tar; links and what else is no file or folder are left out."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz", compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.add(path, arcname=str(path.relative_to(folder)), recursive=False)
    return held.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Put packed files into ``folder``, which is made.

    Raises `WorkbenchError` for an absolute name, one with ``..``, a link or device, for more than `MOST_BYTES`, and for
    what is no tar; nothing of a wrong name is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for member in archive:
                total += max(member.size, 0)
                place = folder.joinpath(*_parts(member))
                source = archive.extractfile(member)
                if total > MOST_BYTES or source is None:
                    raise WorkbenchError(f"it is larger than {MOST_BYTES:,} bytes")
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as target:
                    while piece := source.read(_PIECE):
                        target.write(piece)
    except (tarfile.TarError, EOFError, OSError, WorkbenchError) as error:
        raise WorkbenchError(f"What came back for {folder.name} cannot be unpacked: {error}.") from error


def _parts(member: tarfile.TarInfo) -> tuple[str, ...]:
    path = PurePosixPath(member.name)
    if not member.isreg():
        raise WorkbenchError(f"{member.name!r} is no file")
    if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in member.name:
        raise WorkbenchError(f"{member.name!r} is no name inside the folder")
    return path.parts
