"""What the reference system keeps, made from a seed."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from workbench.data import words
from workbench.errors import UsageError

STORES = ("redis", "mongo", "postgres")
"""Where the application keeps lists."""

MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who logs in with a password."""

    email: str
    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A login of somebody, from a device that calls itself ``agent``."""

    email: str
    agent: str


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody says in a room."""

    room: str
    sender: str  # an address
    body: str


@dataclass(frozen=True, slots=True)
class Value:
    """A whole number at the end of a list; no other has the same."""

    store: str
    key: str
    value: int


def accounts(count: int, *, seed: int = 7) -> list[Account]:
    """So many people, no two with the same address."""
    random = _random("accounts", count, seed)
    letters = string.ascii_letters + string.digits
    made = []
    for n in range(count):
        first, last = random.choice(words.FIRST), random.choice(words.LAST)
        password = "".join(random.choices(letters, k=16))
        made.append(Account(f"{first}.{last}.{n}@example.com".lower(), f"{first} {last}", password))
    return made


def sessions(count: int, *, people: int = 100, seed: int = 7) -> list[Session]:
    """So many logins of ``accounts(people)``: first each of them once, then again those who have several devices."""
    random = _random("sessions", count, seed)
    known = accounts(check("people", people, least=1), seed=seed)
    return [
        Session((known[n] if n < people else random.choice(known)).email, random.choice(words.AGENTS))
        for n in range(count)
    ]


def rooms(count: int, *, seed: int = 7) -> list[str]:
    """The names of so many rooms, no two the same."""
    random = _random("rooms", count, seed)
    return [f"{random.choice(words.ADJECTIVES)}-{random.choice(words.PLACES)}-{n}" for n in range(count)]


def messages(count: int, *, places: int = 10, senders: int = 100, seed: int = 7) -> list[Message]:
    """So many messages of ``accounts(senders)`` in ``rooms(places)``, in their order. A few rooms and people say most:
    the second half as much as the first, the third a third, and so on."""
    random = _random("messages", count, seed)
    names = rooms(check("places", places, least=1), seed=seed)
    people = [one.email for one in accounts(check("senders", senders, least=1), seed=seed)]
    of_rooms, of_people = _shares(places), _shares(senders)
    made = []
    for _ in range(count):
        (room,) = random.choices(names, cum_weights=of_rooms)
        (sender,) = random.choices(people, cum_weights=of_people)
        said = " ".join(random.choices(words.WORDS, k=random.randint(2, 16)))
        made.append(Message(room, sender, f"{said[0].upper()}{said[1:]}."))
    return made


def values(count: int, *, keys: int = 8, stores: Sequence[str] = ("redis",), seed: int = 7) -> list[Value]:
    """So many numbers in lists, ``keys`` of them in each of these stores, in the order in which they are appended."""
    random = _random("values", count, seed)
    check("keys", keys, least=1)
    if isinstance(stores, str) or not stores or (unknown := [store for store in stores if store not in STORES]):
        wrong = repr(stores) if isinstance(stores, str) or not stores else ", ".join(map(repr, unknown))
        raise UsageError(f"stores are some of {', '.join(map(repr, STORES))} in a tuple; got {wrong}.")
    return [
        Value(random.choice(stores), f"data-{seed}-{random.randrange(keys)}", (seed << 32) + n) for n in range(count)
    ]


def jobs(count: int, *, keys: int = 4, seed: int = 7) -> list[str]:
    """So many jobs: of each the key whose counter it raises."""
    random = _random("jobs", count, seed)
    check("keys", keys, least=1)
    return [f"data-{seed}-{random.randrange(keys)}" for _ in range(count)]


def check(name: str, count: object, *, least: int = 0) -> int:
    """Raise `UsageError` unless so many of something can be made."""
    if isinstance(count, bool) or not isinstance(count, int) or not least <= count <= MOST:
        raise UsageError(f"{name} is a whole number from {least} to {MOST:,}; got {count!r}.")
    return count


def _random(what: str, count: int, seed: int) -> Random:
    """A stream of its own for each kind, so that more of one leaves the others as they are."""
    check("count", count)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 30:
        raise UsageError(f"seed is a whole number from 0 to {(1 << 30) - 1:,}; got {seed!r}.")
    return Random(f"{seed} {what}")


def _shares(count: int) -> list[float]:
    """Sums of 1, 1/2, 1/3, …"""
    total, sums = 0.0, []
    for rank in range(1, count + 1):
        total += 1 / rank
        sums.append(total)
    return sums
