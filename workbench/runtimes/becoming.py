"""What the supervisor's child does between fork and exec: it turns into the program that was asked for.

The supervisor imports this file late, so it needs the standard library only.
"""

import ctypes
import errno
import os
import signal
from typing import Any, NoReturn

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
HANDLED = (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD)
"""By the supervisor, in its own way."""


def become(request: dict[str, Any], stdin: int, stdout: int, stderr: int, report: int) -> NoReturn:
    """Turn into the program. Any failure is written to ``report``, which a program's start closes."""
    what = request["argv"][0]
    try:
        supervisor = os.getppid()
        os.setsid()
        for number, descriptor in enumerate((stdin, stdout, stderr)):
            os.dup2(descriptor, number)
        for handled in HANDLED:
            signal.signal(handled, signal.SIG_DFL)
        if request["namespace"] or request["inside"]:
            namespaces = __import__("namespaces")  # beside this file: see `supervisor.beside`
        if request["inside"]:
            what = f"the disk of process {request['inside']}"
            namespaces.enter(request["inside"])
        if request["namespace"]:
            what = "a user namespace of its own"
            namespaces.own()
        if request["user"]:
            what = f"user {request['user'][0]}"
            uid, gid = request["user"]
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of user, which would clear it
        if os.getppid() != supervisor:
            os._exit(127)
        what = request["cwd"] or "/"
        os.chdir(what)
        what = request["argv"][0]
        os.execvpe(what, request["argv"], request["env"])
    except Exception as error:
        os.write(report, f"{getattr(error, 'errno', None) or errno.EINVAL} {what}".encode())
    finally:
        os._exit(127)
