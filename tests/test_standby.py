"""PostgreSQL with a standby: it streams through its link, is promoted by hand, and what each way of commit keeps."""

import threading
import time

import psycopg
import pytest
from waiting import eventually

from workbench import Kill, Partition, Restart, Stack
from workbench.errors import NotPossible, UsageError
from workbench.services import make


@pytest.fixture(scope="module", params=["async", "sync"])
def stack(request):
    """One that every test leaves as it found it."""
    with Stack(postgres={"standby": request.param}) as stack:
        yield stack


def mode(stack):
    return stack["postgres"].service.standby


def connect(stack, name, **options):
    return psycopg.connect(stack.url(name), autocommit=True, connect_timeout=3, **options)


def rows(stack, name, table):
    with connect(stack, name) as connection:
        return {value for (value,) in connection.execute(f"SELECT value FROM {table}").fetchall()}


def write(stack, name, table, values):
    with connect(stack, name) as connection:
        for value in values:
            connection.execute(f"INSERT INTO {table} VALUES ({value})")


def make_table(stack, table):
    with connect(stack, "postgres") as connection:
        connection.execute(f"CREATE TABLE {table} (value integer)")
    there = f"SELECT to_regclass('{table}')"
    with connect(stack, "postgres-2") as standby:
        eventually(lambda: standby.execute(there).fetchone() != (None,))
    return table


def test_it_starts_as_a_group_of_two_that_streams(stack):
    assert stack.group("postgres") == ["postgres", "postgres-2"]
    assert [stack[name].role for name in stack.group("postgres")] == ["primary", "replica"]
    assert stack.primary() == stack.primary("postgres") == "postgres"
    with connect(stack, "postgres") as connection:
        states = "SELECT application_name, state, sync_state FROM pg_stat_replication"
        assert connection.execute(states).fetchall() == [("postgres-2", "streaming", mode(stack))]
    table = make_table(stack, "read")
    write(stack, "postgres", table, range(20))
    eventually(lambda: rows(stack, "postgres-2", table) == set(range(20)))


def test_the_standby_takes_no_writes_and_keeps_the_password_to_itself(stack):
    with connect(stack, "postgres-2") as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("CREATE TABLE nothing ()")
    password = stack["postgres"].place.secrets["password"]
    for file in stack["postgres-2"].place.data.rglob("*"):
        if file.is_file() and password.encode() in file.read_bytes():
            assert file.stat().st_mode & 0o077 == 0
    assert password not in stack["postgres-2"].log_path.read_text()


def test_a_partition_between_the_two_stops_it_and_it_goes_on_where_it_stood(stack):
    table = make_table(stack, "parted")
    writing = threading.Thread(target=write, args=(stack, "postgres", table, range(20)))
    with stack.under(Partition("postgres", "postgres-2")) as inflicted:
        assert "postgres-2 → postgres left a request unanswered" in inflicted.proof
        writing.start()
        writing.join(0.3 if mode(stack) == "sync" else 5)
        assert writing.is_alive() is (mode(stack) == "sync")  # a commit waits for a standby that is to be waited for
        assert rows(stack, "postgres-2", table) == set()
        assert rows(stack, "postgres", table) == (set() if mode(stack) == "sync" else set(range(20)))
    writing.join(10)
    eventually(lambda: rows(stack, "postgres-2", table) == set(range(20)))


def test_whoever_was_killed_comes_back_and_streams_again(stack):
    table = make_table(stack, f"killed_{mode(stack)}")
    for at, name in enumerate(stack.group("postgres")):
        with stack.under(Kill(name)):
            pass
        write(stack, "postgres", table, [at])
        eventually(lambda at=at: rows(stack, "postgres-2", table) == set(range(at + 1)))
    assert [stack[name].role for name in stack.group("postgres")] == ["primary", "replica"]


def test_a_standby_without_its_data_copies_them_anew(stack):
    table = make_table(stack, f"copied_{mode(stack)}")
    write(stack, "postgres", table, range(5))
    with stack.under(Restart("postgres-2", after_s=0, empty=True)) as inflicted:
        assert inflicted.doubt is None
    eventually(lambda: rows(stack, "postgres-2", table) == set(range(5)))


def test_a_primary_is_not_promoted_and_neither_is_what_has_no_standby(stack):
    with pytest.raises(UsageError, match="postgres is a primary already"):
        stack["postgres"].promote()
    with Stack("redis") as other, pytest.raises(UsageError, match=r"redis cannot be promoted"):
        other["redis"].promote()
    with pytest.raises(UsageError, match="standby is one of '', 'async', 'sync', not 'maybe'"):
        make("postgres", {"standby": "maybe"})


def test_with_a_standby_that_is_waited_for_nothing_acknowledged_is_gone_with_the_primary():
    with Stack(postgres={"standby": "sync"}) as stack:
        table, acknowledged = make_table(stack, "kept"), []
        killed = threading.Thread(target=lambda: (time.sleep(0.3), stack.inflict(Kill("postgres"))))
        with connect(stack, "postgres") as connection, pytest.raises(psycopg.OperationalError):
            killed.start()
            for value in range(1_000_000):
                connection.execute(f"INSERT INTO {table} VALUES ({value})")
                acknowledged.append(value)
        killed.join()
        assert stack["postgres-2"].promote() is stack["postgres-2"]
        assert stack["postgres-2"].role == "primary"
        assert len(acknowledged) > 10
        assert rows(stack, "postgres-2", table) >= set(acknowledged)
        write(stack, "postgres-2", table, [-1])  # it waits for nobody


def test_with_one_that_is_not_waited_for_what_it_had_not_received_is_gone():
    with Stack(postgres={"standby": "async"}) as stack:
        table = make_table(stack, "lost")
        write(stack, "postgres", table, range(50))
        eventually(lambda: rows(stack, "postgres-2", table) == set(range(50)))
        cut = stack.inflict(Partition("postgres", "postgres-2"))
        write(stack, "postgres", table, range(50, 70))  # acknowledged, every one
        killed = stack.inflict(Kill("postgres"))
        stack["postgres-2"].promote()
        assert rows(stack, "postgres-2", table) == set(range(50))
        for fault in (killed, cut):
            fault.heal()
        assert rows(stack, "postgres", table) == set(range(70))  # and now there are two primaries
        with pytest.raises(NotPossible, match=r"postgres.*postgres-2"):
            stack.primary("postgres")
