"""Martin Kleppmann's Hermitage (2014) for PostgreSQL: ten anomalies, and which level is published to prevent which.

https://github.com/ept/hermitage/blob/master/postgres.md, whose statements these are; the anomalies are defined by Adya
(1999), Bailis et al. (2014) and Berenson et al. (1995). Each script plays one interleaving that would show the anomaly
if the level let it happen, and returns whether it was seen. An anomaly with several scripts is possible if one of them
shows it. Every script begins with two rows: 1 is 10, and 2 is 20.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Literal

from workbench.workloads.levels import Level

if TYPE_CHECKING:
    from workbench.workloads.anomalies.play import Play

Found = Literal["prevented", "possible"]
Script = Callable[["Play"], Awaitable[bool]]

SCRIPTS: dict[str, list[Script]] = {}
"""By the anomaly, in the order of the table."""


def shows(anomaly: str) -> Callable[[Script], Script]:
    def keep(script: Script) -> Script:
        SCRIPTS.setdefault(anomaly, []).append(script)
        return script

    return keep


def published(level: Level, anomaly: str) -> Found:
    return "prevented" if anomaly in _PREVENTED[level] else "possible"


_BASIC = frozenset({"G0", "G1a", "G1b", "G1c", "OTV"})
_SNAPSHOT = _BASIC | {"PMP", "P4", "G-single"}
_PREVENTED: Mapping[Level, frozenset[str]] = {
    "read committed": _BASIC,
    "repeatable read": _SNAPSHOT,
    "serializable": _SNAPSHOT | {"G2-item", "G2"},
}

_ONE, _TWO = "select * from test where id = 1", "select * from test where id = 2"
_BOTH = "select * from test where id in (1, 2)"
_THIRDS = "select * from test where value % 3 = 0"


def _set(row: int, value: int) -> str:
    return f"update test set value = {value} where id = {row}"


@shows("G0")
async def write_cycle(play: Play) -> bool:
    """The rows end as a mixture of what the two wrote."""
    one, two = await play.begin(), await play.begin()
    await one(_set(1, 11))
    await two(_set(1, 12))
    await one(_set(2, 21))
    await one.commit()
    await two(_set(2, 22))
    await two.commit()
    return await play.rows() not in ({1: 11, 2: 21}, {1: 12, 2: 22})


@shows("G1a")
async def aborted_read(play: Play) -> bool:
    """Something is read that was never committed."""
    one, two = await play.begin(), await play.begin()
    await one(_set(1, 101))
    early = await two("select * from test")
    await one.abort()
    late = await two("select * from test")
    await two.commit()
    return 101 in (early.get(1), late.get(1))


@shows("G1b")
async def intermediate_read(play: Play) -> bool:
    """Something is read that its writer had not meant to be the last word."""
    one, two = await play.begin(), await play.begin()
    await one(_set(1, 101))
    early = await two("select * from test")
    await one(_set(1, 11))
    await one.commit()
    late = await two("select * from test")
    await two.commit()
    return 101 in (early.get(1), late.get(1))


@shows("G1c")
async def circular_information_flow(play: Play) -> bool:
    """Each reads what the other wrote."""
    one, two = await play.begin(), await play.begin()
    await one(_set(1, 11))
    await two(_set(2, 22))
    of_two = await one(_TWO)
    of_one = await two(_ONE)
    await one.commit()
    await two.commit()
    return (of_one.get(1), of_two.get(2)) == (11, 22)


@shows("OTV")
async def observed_transaction_vanishes(play: Play) -> bool:
    """T3 sees a part of what a transaction wrote, and then what was there before it in the other part."""
    one, two, three = await play.begin(), await play.begin(), await play.begin()
    await one(_set(1, 11))
    await one(_set(2, 19))
    await two(_set(1, 12))
    await one.commit()
    first = (await three(_ONE)).get(1)
    await two(_set(2, 18))
    second = (await three(_TWO)).get(2)
    await two.commit()
    second_again = (await three(_TWO)).get(2)
    first_again = (await three(_ONE)).get(1)
    await three.commit()
    vanished = (first == 11 and second == 20) or (first == 12 and second != 18)
    return vanished or (second_again == 18 and first_again != 12)


@shows("PMP")
async def predicate_many_preceders(play: Play) -> bool:
    """A row appears that matches what was looked for before."""
    one, two = await play.begin(), await play.begin()
    await one("select * from test where value = 30")
    await two("insert into test (id, value) values (3, 30)")
    await two.commit()
    appeared = await one(_THIRDS)
    await one.commit()
    return 3 in appeared


@shows("PMP")
async def predicate_of_a_write(play: Play) -> bool:
    """A row is left that matches what was deleted."""
    one, two = await play.begin(), await play.begin()
    await one("update test set value = value + 10")
    await two("delete from test where value = 20")
    await one.commit()
    left = await two("select * from test where value = 20")
    await two.commit()
    return two.committed and bool(left)


@shows("P4")
async def lost_update(play: Play) -> bool:
    """Both read, both write, and what the first wrote is gone."""
    one, two = await play.begin(), await play.begin()
    await one(_ONE)
    await two(_ONE)
    await one(_set(1, 11))
    await two(_set(1, 11))
    await one.commit()
    await two.commit()
    return one.committed and two.committed


@shows("G-single")
async def read_skew(play: Play) -> bool:
    """One row is read as it was before a transaction, the other as it was afterwards."""
    one, two = await play.begin(), await play.begin()
    before = await one(_ONE)
    await two(_ONE)
    await two(_TWO)
    await two(_set(1, 12))
    await two(_set(2, 18))
    await two.commit()
    after = await one(_TWO)
    await one.commit()
    return (before.get(1), after.get(2)) == (10, 18)


@shows("G-single")
async def read_skew_of_predicates(play: Play) -> bool:
    """The same where rows are found by their values."""
    one, two = await play.begin(), await play.begin()
    await one("select * from test where value % 5 = 0")
    await two("update test set value = 12 where value = 10")
    await two.commit()
    skewed = await one(_THIRDS)
    await one.commit()
    return 1 in skewed


@shows("G-single")
async def read_skew_of_a_write(play: Play) -> bool:
    """The same where the second look is that of a statement that deletes."""
    one, two = await play.begin(), await play.begin()
    before = await one(_ONE)
    await two("select * from test")
    await two(_set(1, 12))
    await two(_set(2, 18))
    await two.commit()
    await one("delete from test where value = 20")
    await one.commit()
    return before.get(1) == 10 and one.committed and 2 in await play.rows()


@shows("G2-item")
async def write_skew(play: Play) -> bool:
    """Both read both rows, and each writes another one of them."""
    one, two = await play.begin(), await play.begin()
    await one(_BOTH)
    await two(_BOTH)
    await one(_set(1, 11))
    await two(_set(2, 21))
    await one.commit()
    await two.commit()
    return one.committed and two.committed


@shows("G2")
async def anti_dependency_cycle(play: Play) -> bool:
    """Both look for rows, find none, and each makes one that the other would have found."""
    one, two = await play.begin(), await play.begin()
    await one(_THIRDS)
    await two(_THIRDS)
    await one("insert into test (id, value) values (3, 30)")
    await two("insert into test (id, value) values (4, 42)")
    await one.commit()
    await two.commit()
    return one.committed and two.committed


@shows("G2")
async def two_anti_dependencies(play: Play) -> bool:
    """One that only reads sees what no order of the other two allows (Fekete, O'Neil and O'Neil 2004)."""
    one = await play.begin()
    await one("select * from test")
    two = await play.begin()
    await two("update test set value = value + 5 where id = 2")
    await two.commit()
    three = await play.begin()
    seen = await three("select * from test")
    await three.commit()
    await one(_set(1, 0))
    await one.commit()
    return seen == {1: 10, 2: 25} and one.committed and two.committed
