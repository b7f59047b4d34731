"""What the kernel asks of the disk: everything is passed on to the folder below, and remembered so far as unsynced."""

# ruff: noqa: PTH101, PTH208 - by descriptors, and pathlib takes as long to import as all the rest

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from itertools import count

from workbench.disks import protocol
from workbench.disks.contents import Contents
from workbench.disks.nodes import Node, Nodes
from workbench.disks.undo import Names

_NO_REPLACE = 1  # of renameat2


class Files:
    """The files below one disk. ``folder`` holds them, ``aside`` what was removed and may come back."""

    def __init__(self, folder: int, aside: int) -> None:
        self._folder = folder
        self._nodes = Nodes(folder)
        self._names = Names(aside)
        self.contents = Contents()
        self._listings: dict[int, list[bytes]] = {}
        self._handles = count(1)
        self.syncs = 0
        self._handlers: dict[int, Callable[[Node, memoryview], bytes]] = {
            protocol.INIT: lambda _, body: protocol.welcome(body),
            protocol.DESTROY: lambda *_: b"",
            protocol.LOOKUP: lambda parent, body: self._entry(parent, protocol.words(body)[0]),
            protocol.GETATTR: lambda node, _: protocol.attributes_for_a_while(node.stat()),
            protocol.SETATTR: self._change,
            protocol.READLINK: lambda node, _: os.readlink(b"", dir_fd=node.path_fd),
            protocol.UNLINK: self._unlink,
            protocol.RMDIR: self._rmdir,
            protocol.RENAME: lambda parent, body: self._rename(parent, body[:8], body[8:]),
            protocol.RENAME2: self._rename2,
            protocol.LINK: self._link,
            protocol.OPEN: self._open,
            protocol.READ: self.contents.read,
            protocol.WRITE: self._write,
            protocol.STATFS: lambda *_: protocol.space(os.fstatvfs(self._folder), full=self.contents.full),
            protocol.RELEASE: self._release,
            protocol.FSYNC: self._sync,
            protocol.FSYNCDIR: self._sync,
            protocol.OPENDIR: lambda *_: protocol.opened(next(self._handles)),
            protocol.READDIR: self._list,
            protocol.RELEASEDIR: self._close_listing,
            protocol.FALLOCATE: self._allocate,
        }
        self._makers: dict[int, Callable[[Node, memoryview], bytes]] = {
            protocol.MKNOD: self._make_file,
            protocol.MKDIR: self._make_folder,
            protocol.SYMLINK: self._make_symlink,
        }

    # --- asked by the program

    def handle(self, operation: int, number: int, uid: int, gid: int, body: memoryview) -> bytes:
        """The answer to a request. Raises `OSError`: ENOSYS for what the kernel then does without."""
        if operation in self._makers:
            parent = self._nodes[number]
            self.contents.check_room()
            name = self._makers[operation](parent, body)
            os.chown(name, uid, gid, dir_fd=parent.path_fd, follow_symlinks=False)
            self._names.made(parent, name)
            return self._entry(parent, name)
        try:
            handler = self._handlers[operation]
        except KeyError:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
        return handler(self._nodes[number or protocol.ROOT], body)  # some requests are of no node

    def forget_node(self, number: int, lookups: int) -> None:
        self._nodes.forget(number, lookups)

    def settle(self) -> None:
        """All that was written until now is durable."""
        self.contents.sync_all()
        self._names.commit()

    def lose_power(self) -> dict[str, int]:
        """Undo what was not synced; how many files, bytes and changes of names that was. Nobody may use it now."""
        files, undone = self.contents.forget()
        names = self._names.forget()
        self._nodes.clear()
        self._listings.clear()
        return {"files": files, "bytes": undone, "names": names}

    def is_sync(self, operation: int, body: memoryview) -> bool:
        """Whether a request is answered only once something is on the disk."""
        if operation == protocol.WRITE:
            return self.contents.is_at_once(body)
        return operation in (protocol.FSYNC, protocol.FSYNCDIR)

    def state(self) -> dict[str, int]:
        return {
            "writes": self.contents.writes,
            "syncs": self.syncs,
            "unsynced_files": len(self.contents),
            "unsynced_names": len(self._names),
        }

    # --- names

    def _entry(self, parent: Node, name: bytes) -> bytes:
        return protocol.entry(*self._nodes.find(parent, name))

    def _make_file(self, parent: Node, body: memoryview) -> bytes:
        mode, name = protocol.number(body, 0, 4), protocol.words(body[16:])[0]
        if not stat.S_ISREG(mode):
            raise PermissionError(errno.EPERM, "only files, folders and symbolic links are kept here")
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=parent.path_fd))
        os.chmod(name, stat.S_IMODE(mode), dir_fd=parent.path_fd)
        return name

    def _make_folder(self, parent: Node, body: memoryview) -> bytes:
        mode, name = protocol.number(body, 0, 4), protocol.words(body[8:])[0]
        os.mkdir(name, 0o700, dir_fd=parent.path_fd)
        os.chmod(name, stat.S_IMODE(mode), dir_fd=parent.path_fd)
        return name

    def _make_symlink(self, parent: Node, body: memoryview) -> bytes:
        name, target = protocol.words(body)[:2]
        os.symlink(target, name, dir_fd=parent.path_fd)
        return name

    def _unlink(self, parent: Node, body: memoryview) -> bytes:
        self._names.remove(parent, protocol.words(body)[0])
        return b""

    def _rmdir(self, parent: Node, body: memoryview) -> bytes:
        name = protocol.words(body)[0]
        self._check_empty(parent, name)
        self._names.remove(parent, name)
        return b""

    def _rename2(self, parent: Node, body: memoryview) -> bytes:
        flags = protocol.number(body, 8, 4)
        if flags & ~_NO_REPLACE:
            raise OSError(errno.EINVAL, "names are not exchanged here")
        return self._rename(parent, body[:8], body[16:], replace=not flags)

    def _rename(self, parent: Node, to: memoryview, names: memoryview, *, replace: bool = True) -> bytes:
        (name, new), target = protocol.words(names)[:2], self._nodes[protocol.number(to)]
        moved = os.stat(name, dir_fd=parent.path_fd, follow_symlinks=False)
        try:
            there = os.stat(new, dir_fd=target.path_fd, follow_symlinks=False)
        except FileNotFoundError:
            there = None
        if there is not None:
            if not replace:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            if there.st_ino == moved.st_ino:  # two names of one file: nothing is done
                return b""
            if stat.S_ISDIR(there.st_mode) != stat.S_ISDIR(moved.st_mode):
                raise OSError(errno.EISDIR if stat.S_ISDIR(there.st_mode) else errno.ENOTDIR, "")
            if stat.S_ISDIR(there.st_mode):
                self._check_empty(target, new)
            self._names.remove(target, new)
        os.rename(name, new, src_dir_fd=parent.path_fd, dst_dir_fd=target.path_fd)
        self._names.moved(parent, name, target, new)
        return b""

    def _link(self, parent: Node, body: memoryview) -> bytes:
        self.contents.check_room()
        node, name = self._nodes[protocol.number(body)], protocol.words(body[8:])[0]
        os.link(node.path, name, dst_dir_fd=parent.path_fd, follow_symlinks=True)
        self._names.made(parent, name)
        return self._entry(parent, name)

    @staticmethod
    def _check_empty(parent: Node, name: bytes) -> None:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent.path_fd)
        try:
            if os.listdir(folder):
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        finally:
            os.close(folder)

    def _list(self, node: Node, body: memoryview) -> bytes:
        handle, offset, size = protocol.READING.unpack_from(body)
        if offset == 0:
            entries = [(b".", node.stat().st_ino, stat.S_IFDIR), (b"..", 1, stat.S_IFDIR)]
            with os.scandir(node.path) as found:
                entries += [
                    (os.fsencode(one.name), one.inode(), one.stat(follow_symlinks=False).st_mode) for one in found
                ]
            self._listings[handle] = [
                protocol.listed(name, inode, stat.S_IFMT(mode) >> 12, place)
                for place, (name, inode, mode) in enumerate(entries, 1)
            ]
        answer = b""
        for one in self._listings.get(handle, [])[offset:]:
            if len(answer) + len(one) > size:
                break
            answer += one
        return answer

    def _close_listing(self, _: Node, body: memoryview) -> bytes:
        self._listings.pop(protocol.number(body), None)
        return b""

    # --- contents

    def _open(self, node: Node, _: memoryview) -> bytes:
        self.contents.open(node)
        return protocol.opened(0)

    def _release(self, node: Node, _: memoryview) -> bytes:
        self.contents.release(node)
        return b""

    def _write(self, node: Node, body: memoryview) -> bytes:
        at_once = self.contents.is_at_once(body)
        if at_once:
            self.contents.check_sync()
        written = self.contents.write(node, body)
        if at_once:
            self._sync(node, body)
        return protocol.written(written)

    def _sync(self, node: Node, _: memoryview) -> bytes:
        self.contents.check_sync()
        self.syncs += 1
        self.contents.sync(node)
        if self._names.commit():
            self.contents.drop_removed()
        return b""

    def _allocate(self, node: Node, body: memoryview) -> bytes:
        self.contents.allocate(node, body)
        return b""

    def _change(self, node: Node, body: memoryview) -> bytes:
        what, size, atime, mtime, mode, uid, gid = protocol.change(body)
        if what & protocol.SIZE:
            self.contents.resize(node, size)
        if what & protocol.MODE:
            os.chmod(node.path, stat.S_IMODE(mode))
        if what & (protocol.UID | protocol.GID):
            os.chown(node.path, uid if what & protocol.UID else -1, gid if what & protocol.GID else -1)
        if what & (protocol.ATIME | protocol.MTIME):
            seen = node.stat()
            accessed = atime if what & protocol.ATIME else seen.st_atime_ns
            changed = mtime if what & protocol.MTIME else seen.st_mtime_ns
            os.utime(node.path, ns=(accessed, changed))
        return protocol.attributes_for_a_while(node.stat())
