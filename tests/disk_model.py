"""A disk as its docstring says it is, in memory, and steps to compare it with a real one by."""

import errno

from disk_acts import content
from hypothesis import strategies as st

names, folders = st.sampled_from(["a", "b", "d/a"]), st.sampled_from(["d", "e"])
places = st.sampled_from([0, 10, 4096, 5000, 8192])
lengths = st.sampled_from([1, 100, 4096, 9000])
CHANGES = st.one_of(
    st.tuples(st.just("write"), names, places, lengths),
    st.tuples(st.just("append"), names, lengths),
    st.tuples(st.just("truncate"), names, places),
    st.tuples(st.just("map"), names, places, st.booleans()),
    st.tuples(st.just("hold"), names),
    st.tuples(st.just("write_held"), places, lengths),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("unlink"), names),
)
FOLDERS = st.one_of(
    st.tuples(st.just("mkdir"), folders),
    st.tuples(st.just("rmdir"), folders),
    st.tuples(st.just("rename"), folders, folders),
    st.tuples(st.just("rename"), names, st.sampled_from(["d/b", "e/a"])),
    st.tuples(st.just("link"), names, names),
)
SYNCS = st.one_of(st.tuples(st.just("sync"), names), st.tuples(st.just("sync_held")), st.tuples(st.just("power")))
FIRST = [("mkdir", "d"), ("write", "a", 0, 9000), ("write", "d/a", 0, 100), ("sync", "a"), ("sync", "d/a")]
"""So that there is something to change, to keep and to lose."""
STEPS = st.lists(st.one_of(CHANGES, CHANGES, FOLDERS, SYNCS), max_size=12).map(lambda steps: [*FIRST, *steps])


class Model:
    """What the docstring of `workbench.disks` says: contents by file, and names with one journal for all."""

    def __init__(self):
        self.names = {}  # path → a file, or "folder"
        self.durable = {}
        self.held = None

    def resolve(self, path):
        parent = path.rpartition("/")[0]
        if parent and self.names.get(parent) is None:
            raise OSError(errno.ENOENT, "")
        return self.names.get(path)

    def file(self, path, *, make=False):
        found = self.resolve(path)
        if found is None:
            if not make:
                raise OSError(errno.ENOENT, "")
            found = self.names[path] = {"now": b"", "synced": b""}
        return found

    def write(self, path, offset, size):
        self.put(self.file(path, make=True), offset, size)

    def append(self, path, size):
        file = self.file(path, make=True)
        self.put(file, len(file["now"]), size)

    def put(self, file, offset, size):
        now = file["now"].ljust(offset, b"\0")
        file["now"] = now[:offset] + content(offset, size) + now[offset + size :]

    def truncate(self, path, size):
        file = self.file(path)
        file["now"] = file["now"][:size].ljust(size, b"\0")

    def map(self, path, offset, flush):
        file = self.file(path)
        if offset < len(file["now"]):
            file["now"] = file["now"][:offset] + b"M" + file["now"][offset + 1 :]
            if flush:
                self.synced(file)

    def sync(self, path):
        self.synced(self.file(path))

    def synced(self, file):
        file["synced"] = file["now"]
        self.durable = dict(self.names)

    def hold(self, path):
        self.held = self.file(path)

    def write_held(self, offset, size):
        if self.held is not None:
            self.put(self.held, offset, size)

    def sync_held(self):
        if self.held is not None:
            self.synced(self.held)

    def rename(self, old, new):
        moved, there = self.resolve(old), self.resolve(new)
        if moved is None:
            raise OSError(errno.ENOENT, "")
        if moved is there and moved != "folder":
            return
        if old == new:
            return
        if there == "folder" and self.below(new):
            raise OSError(errno.ENOTEMPTY, "")
        for path in [old, *self.below(old)]:
            self.names[new + path[len(old) :]] = self.names.pop(path)

    def unlink(self, path):
        self.file(path)
        del self.names[path]

    def mkdir(self, path):
        if self.resolve(path) is not None:
            raise OSError(errno.EEXIST, "")
        self.names[path] = "folder"

    def rmdir(self, path):
        if self.resolve(path) is None:
            raise OSError(errno.ENOENT, "")
        if self.below(path):
            raise OSError(errno.ENOTEMPTY, "")
        del self.names[path]

    def link(self, old, new):
        file = self.file(old)
        if self.resolve(new) is not None:
            raise OSError(errno.EEXIST, "")
        self.names[new] = file

    def power(self):
        self.names = dict(self.durable)
        for file in self.names.values():
            if file != "folder":
                file["now"] = file["synced"]
        self.held = None

    def below(self, path):
        return [one for one in self.names if one.startswith(path + "/")]

    def state(self):
        return {path: file if file == "folder" else file["now"].hex() for path, file in self.names.items()}
