"""The deliberate bugs of the reference system, each one that somebody has shipped before.

``DEFECT=ack_before_write,slow_echo`` switches them on. This table is the one place that names them; what they do
is written in ``defective.py`` and its neighbours, or, where it is a line or two, beside the right code.
"""

from __future__ import annotations

from difflib import get_close_matches

DEFECTS = {
    # lists
    "ack_before_write": "Appends are answered 201 at once and written in the background; failures are swallowed.",
    "duplicate_append": "An append that has no answer after a quarter of the deadline is simply sent again.",
    "lost_update": "An append reads the list, adds the value and writes the whole list back.",
    "forgets_on_restart": "Appends are kept in the memory of the process and written seconds later.",
    "hide_failure": "While a store is down, appends and reads are answered as if all was well, with made-up data.",
    # registers
    "cas_not_atomic": "Compare-and-set reads the register, compares, and writes it then.",
    "reads_from_cache": "What a register held is answered from memory for 0.2 s, whatever is written meanwhile.",
    "reads_from_replicas": "Registers are written to the primary of Redis and read from a replica, where there is one.",
    # locks
    "lock_not_atomic": "Whoever finds no lock takes it with a second command, whoever took it meanwhile.",
    "releases_any_lock": "A job that is done takes the lock away, whoever's it is by then.",
    # waiting
    "unbounded_wait": "Nothing bounds the time a dependency may take: a paused one hangs every request on it.",
    "one_lock": "All dependencies are used under one lock, so that a dead one holds up the others.",
    "slow_echo": "Every echo, over HTTP and over sockets, comes 50 ms late.",
    # connections
    "no_reconnect": "Connections to dependencies are kept for ever, also when they are broken.",
    "count_not_decremented": "An entry in the registry of connections is never taken away and never runs out.",
    "new_connections_refused": "After the first failure of Redis no new socket is accepted any more.",
    "sockets_need_redis": "Every frame of a socket asks Redis first, and the socket is closed when Redis is down.",
    "drops_sockets": "A socket is closed some two seconds after it was opened.",
    # users
    "last_login_not_updated": "A login does not touch last_login of a user who is there already.",
    "duplicate_user": "A login by way of GitHub looks for a user and makes one if it finds none; no index forbids two.",
    "half_made_user": "A login by way of GitHub makes the user first and asks GitHub who it is afterwards.",
    "state_not_checked": "A browser comes back from GitHub with its own cookie and any state, and is believed.",
    "profile_not_saved": "Of a profile only the id at GitHub is kept.",
    "password_in_plain": "Passwords are kept as they are.",
    "anyone_reads_users": "Every user can read every other.",
    "delete_keeps_user": "DELETE of a user ends the sessions and keeps the user.",
    # tokens and sessions
    "alg_not_checked": "A token says itself how it is verified: alg none, and HS256 with the public key, are believed.",
    "expiry_not_checked": "Access tokens never expire.",
    "refresh_reuse_accepted": "A spent refresh token is answered with a new pair like a fresh one.",
    "logout_forgets_sockets": "The end of a session stops refreshing only: its access tokens and sockets go on.",
    "sessions_unlimited": "A user may have any number of sessions.",
    "connections_unlimited": "A user may have any number of sockets.",
    # rooms
    "shared_room_key": "All rooms share one channel, and one stream: every member gets what was sent to any room.",
    "resume_ignored": "Who joins after an id gets only what is sent from now on.",
    "unordered_fanout": "Every socket gets each message of a room after a short time of chance.",
    "slow_relay": "Every message of a room is handed to its members 300 ms late.",
    "no_resubscribe": "Rooms that lost their connection to Redis are never subscribed, or read, again.",
    # telling
    "not_ready_lies": "/ready says that everything is fine, whatever is.",
}


class UnknownDefect(ValueError):
    """A name that is not in the table; the message names the nearest."""


def parse(text: str) -> frozenset[str]:
    """The defects that a comma separated list names. Raises `UnknownDefect`."""
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    for name in sorted(names - DEFECTS.keys()):
        near = get_close_matches(name, DEFECTS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(DEFECTS)}."
        raise UnknownDefect(f"DEFECT names {name!r}, which is no defect of the reference system; {hint}")
    return names
