"""The reference system: a small service that keeps its promises, and breaks them on request.

It is the default system under test, started as a process like any other: ``python -m workbench.reference``.
The workbench never imports it and it imports nothing of the workbench, so it stands for anybody's service.

What it does when a dependency fails is part of its interface:

=====================  ==========================================================================================
Redis is down          live sockets stay open and keep echoing; new ones are refused with 503; ``/connections``
                       and lists in Redis answer 503. Entries of connections come back by themselves within a
                       heartbeat of its return, also when it returns empty
                       Sessions: access tokens stay good, for no process asks anybody to verify one; logins, refreshes
                       and logouts answer 503. A session that ended while a process was cut off is over there within a
                       heartbeat of its return, for its open sockets too. A refresh whose answer was lost may have
                       spent its token: to repeat it ends the session. If Redis returns empty, sessions are gone:
                       access tokens and sockets go on until they end, refresh tokens are answered 401, and what had
                       ended stays ended. If it has lost its last second, a refresh of that second counts as a reuse
                       Rooms: members stay members; who joins or sends is told ``unavailable``, with the ``effect``, and
                       ``POST /rooms/…`` answers 503. Rooms go on by themselves within a second of its return: over
                       ``pubsub`` what was sent meanwhile is lost, over ``stream`` nothing that was acknowledged is
                       lost or repeated, as far as Redis itself kept it
document database      registrations, logins, users and its lists answer 503; tokens are verified without it, so
is down                whoever is logged in notices nothing
identity provider is   logins by way of it answer 503 with the effect ``none`` and leave no user behind, also when it
down, slow or wrong    answers nonsense; a denied one is answered 403. Nobody else notices. ``/ready`` does not ask it:
                       the system serves everybody who has a session or a password without it
                       Registers answer 503, with the ``effect``. Of a replicated Redis the primary is followed: after
                       any failure sentinels are asked who it is. What the old one had acknowledged and not handed on
                       is lost, and as long as it is alive and cut off, who asks it reads and writes there
PostgreSQL is down     its lists, and jobs, answer 503
a process is held up   a job that is done only after its lock has ended writes nothing (409 ``stale-token``, effect
while it has a lock    ``none``) if anybody came after it. With ``FENCING=off`` it overwrites what they wrote
any of them            no answer takes longer than ``DEADLINE_S`` because of it; a 503 carries ``Retry-After`` and
                       says in ``effect`` whether something may have been changed; ``/ready`` names every store
                       that does not serve
a client does not      its socket is closed with 1013 when half a MiB waits for it, and no member of its rooms notices;
read, or answer        with 1011 when no pong comes within ``PING_S``. Half a head of a request is given up after 5 s
the system itself is   tokens stay valid if ``KEY_FILE`` keeps the key, else clients log in again. Entries of a
restarted              killed process's connections run out within three heartbeats, and until then count for the
                       limit of their users. Sessions go on; without Redis they are gone. Who was in a room over
                       ``stream`` joins it again on any process, ``after`` the last id it got, and has missed nothing;
                       over ``pubsub`` it has missed what was sent meanwhile
=====================  ==========================================================================================

Environment: ``REDIS_URL``, ``MONGO_URL``, ``POSTGRES_URL``, ``GITHUB_URL`` (what is absent is not configured: its
routes answer 503, users and sessions then live in memory), ``REDIS_NODES``, ``REDIS_SENTINELS``, ``REDIS_PRIMARY``,
``KEY_FILE``, ``DEFECT``, ``ALLOWED_ORIGINS``, ``DEADLINE_S``, ``HEARTBEAT_S``, ``PING_S``, ``PASSWORD_COST``,
``SESSION_LIMIT``, ``CONNECTION_LIMIT``, ``LOCK_LEASE_MS``, ``JOB_MS``, ``FENCING``, ``LOG_LEVEL``; ``settings.py``
tells what they mean.
"""

VERSION = "0.1.0"
