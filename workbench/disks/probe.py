"""An independent look at a disk: a program of its own writes a file there, as any other would, and says what it saw.

    python -I -S probe.py FILE BYTES [--sync]  →  {"wrote_errno", "synced_errno", "write_s", "sync_s"}

An errno is 0 where it went well, and null for what was not tried. A file that is there already is written anew.
"""

import json
import os
import sys
import time


def look(path: str, size: int, *, sync: bool) -> dict[str, float | None]:
    seen: dict[str, float | None] = {"wrote_errno": None, "synced_errno": None, "write_s": None, "sync_s": None}
    began = time.monotonic()
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        return {**seen, "wrote_errno": error.errno}
    try:
        os.write(file, b"?" * size)
        seen |= {"wrote_errno": 0, "write_s": time.monotonic() - began}
    except OSError as error:
        return {**seen, "wrote_errno": error.errno}
    if sync:
        began = time.monotonic()
        try:
            os.fsync(file)
            seen["synced_errno"] = 0
        except OSError as error:
            seen["synced_errno"] = error.errno
        seen["sync_s"] = time.monotonic() - began
    return seen


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look(sys.argv[1], int(sys.argv[2]), sync="--sync" in sys.argv)) + "\n")
