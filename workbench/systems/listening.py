"""On which ports a process listens: for the message that it does not listen where it should."""

from __future__ import annotations


def ports_of(pid: int, *, but: int, of: str) -> str:
    """A sentence about the ports where a process and those below it listen; "" if it listens at ``but``."""
    import psutil

    found: set[str] = set()
    try:
        leader = psutil.Process(pid)
        for one in [leader, *leader.children(recursive=True)]:
            for connection in one.net_connections(kind="inet"):
                if connection.status == psutil.CONN_LISTEN:
                    found.add(f"{connection.laddr.ip}:{connection.laddr.port}")
    except psutil.Error:
        return ""
    if any(address.endswith(f":{but}") for address in found):
        return ""
    if not found:
        return f"{of} listens on no port at all; it is told to by {{host}} and {{port}}."
    return f"{of} listens on {', '.join(sorted(found))} instead: give it {{port}}, and {{host}} where it takes one."
