"""The reference system: a small service that keeps its promises, and breaks them on request.

It is the default system under test, started as a process like any other: ``python -m workbench.reference``.
The workbench never imports it and it imports nothing of the workbench, so it stands for anybody's service.

What it does when a dependency fails is part of its interface:

=====================  ==========================================================================================
Redis is down          live sockets stay open and keep echoing; new ones are refused with 503; ``/connections``
                       and lists in Redis answer 503. Entries of connections come back by themselves within a
                       heartbeat of its return, also when it returns empty
document database      accounts, logins and its lists answer 503; tokens are verified without it, so whoever is
is down                logged in notices nothing
PostgreSQL is down     its lists answer 503
any of them            no answer takes longer than ``DEADLINE_S`` because of it; a 503 carries ``Retry-After`` and
                       says in ``effect`` whether something may have been changed; ``/ready`` names it
the system itself is   tokens stay valid if ``KEY_FILE`` keeps the key, else clients log in again. Entries of a
restarted              killed process's connections run out within three heartbeats
=====================  ==========================================================================================

Environment: ``REDIS_URL``, ``MONGO_URL``, ``POSTGRES_URL`` (what is absent is not configured: its routes answer 503,
accounts then live in memory), ``KEY_FILE``, ``DEFECT``, ``ALLOWED_ORIGINS``, ``DEADLINE_S``, ``HEARTBEAT_S``,
``PING_S``, ``LOG_LEVEL``; ``settings.py`` tells what they mean.
"""

VERSION = "0.1.0"
