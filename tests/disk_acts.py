"""A program inside a disk: it is told what to do to the files there, one JSON list a line, and says what came of it."""

import contextlib
import json
import mmap
import os
import sys
from pathlib import Path


class Real:
    """The same on the disk."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.held = None

    def open(self, path, flags=os.O_RDWR):
        return os.open(self.folder / path, flags, 0o600)

    def write(self, path, offset, size):
        with closing(self.open(path, os.O_RDWR | os.O_CREAT)) as file:
            os.pwrite(file, content(offset, size), offset)

    def append(self, path, size):
        with closing(self.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)) as file:
            os.write(file, content(os.fstat(file).st_size, size))

    def truncate(self, path, size):
        os.truncate(self.folder / path, size)

    def map(self, path, offset, flush):
        with closing(self.open(path)) as file:
            if offset < os.fstat(file).st_size:
                with mmap.mmap(file, 0) as mapped:
                    mapped[offset] = ord("M")
                    if flush:
                        mapped.flush()

    def sync(self, path):
        with closing(self.open(path)) as file:
            os.fsync(file)

    def hold(self, path):
        held = self.open(path)
        self.release()
        self.held = held

    def write_held(self, offset, size):
        if self.held is not None:
            os.pwrite(self.held, content(offset, size), offset)

    def sync_held(self):
        if self.held is not None:
            os.fdatasync(self.held)

    def rename(self, old, new):
        (self.folder / old).rename(self.folder / new)

    def unlink(self, path):
        (self.folder / path).unlink()

    def mkdir(self, path):
        (self.folder / path).mkdir()

    def rmdir(self, path):
        (self.folder / path).rmdir()

    def link(self, old, new):
        (self.folder / new).hardlink_to(self.folder / old)

    def move(self, name):
        """From here on in a new folder beside this one."""
        self.release()
        self.folder = self.folder.with_name(name)
        self.folder.mkdir()

    def release(self):
        if self.held is not None:
            with contextlib.suppress(OSError):  # of a disk that lost its power
                os.close(self.held)
        self.held = None

    def state(self):
        found = {str(path.relative_to(self.folder)): path for path in self.folder.rglob("*")}
        return {name: "folder" if path.is_dir() else path.read_bytes().hex() for name, path in found.items()}


@contextlib.contextmanager
def closing(file):
    try:
        yield file
    finally:
        os.close(file)


def content(offset, size):
    """Bytes that say where they were written, and are different each time they are."""
    return bytes((offset + i + size) % 251 for i in range(size))


def main(folder):
    real = Real(folder)
    for line in sys.stdin:
        act, *how = json.loads(line)
        try:
            result, number = getattr(real, act)(*how), 0
        except OSError as error:
            result, number = None, error.errno
        sys.stdout.write(json.dumps([number, result]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
