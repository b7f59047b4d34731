"""Others' records. None of the published files is kept here: the samples are written by hand in their formats."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_histories import append, of
from small_records import edn, log

from workbench.checkers import linearizable
from workbench.errors import HistoryError, UsageError
from workbench.foreign import read
from workbench.foreign.edn import EdnError, Keyword, value, values
from workbench.history import History, Operation


@pytest.fixture
def record(tmp_path):
    """Write a text into a file and read it."""

    def reads(text, **more):
        path = tmp_path / "record"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(path, **more)

    return reads


def rows(history):
    return [(o.client, o.kind, o.key, o.value, o.outcome) for o in history]


# ── EDN ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nil", None),
        ("true", True),
        ("-7", -7),
        ("12N", 12),
        ("0x1F", 31),
        ("1.5e3", 1500.0),
        ("2.50M", 2.5),
        ("1/4", 0.25),
        ("##Inf", math.inf),
        (":read", Keyword("read")),
        (":a.b/c-d?", Keyword("a.b/c-d?")),
        ("java.io.IOException", "java.io.IOException"),
        ('"a \\"b\\" \\n \\u00e9 \\\\"', 'a "b" \n é \\'),
        ('"two\nlines"', "two\nlines"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("\\newline", "\n"),
        ("\\x", "x"),
        ("[]", ()),
        ("[1, 2 [3]]", (1, 2, (3,))),
        ("(1 2)", (1, 2)),
        ("#{2 1}", frozenset({1, 2})),
        ("#{[1 {:a 1}]}", frozenset({(1, frozenset({("a", 1)}))})),
        ("{:a 1, [1] {:b #{}}}", {"a": 1, (1,): {"b": frozenset()}}),
        ("#jepsen.history.Op{:a 1}", {"a": 1}),
        ('#inst "2024-01-01"', "2024-01-01"),
        ('#object[java.X 0x1f "x"]', ("java.X", 31, "x")),
        ('#"a.*"', "a.*"),
        ("[1 #_ 2 #_[3 4] 5 #_6]", (1, 5)),
        ("; a word\n 1 ; another", 1),
    ],
)
def test_edn_is_read(text, expected):
    found = value(text)
    assert found == expected
    assert isinstance(found, Keyword) == (text[0] == ":" or text[0] == "j")


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("", "nothing here to read", 1),
        ("1 2", "more than one value", 1),
        ("\n\n[1 2", "the '[' is not closed", 3),
        ("[1\n)", "a ')' closes what was not opened", 2),
        ("{:a}", "a key without a value", 1),
        ('\n"abc', "'\"abc' cannot be read", 2),
        ('; a " in a comment\n"abc', "'\"abc' cannot be read", 2),
        ("#_", "nothing follows the '#_'", 1),
        ("#tag ]", "a ']' closes", 1),
        ("12abc", "'12abc' is no value", 1),
        ('"\\q"', "is no value", 1),
        ('"\\ud83d"', "is no value", 1),
        ("9" * 5000, "is no value", 1),
        ("[" * 5000, "more than 100 brackets stand open", 1),
        ("#_ " * 5000, "more than 100 brackets stand open", 1),
    ],
)
def test_what_is_no_edn_is_said_with_its_line(text, said, line):
    with pytest.raises(EdnError) as raised:
        value(text)
    assert said in str(raised.value)
    assert raised.value.line == line


def test_many_values_have_their_lines_one_by_one_or_in_a_vector():
    assert list(values("{:a 1}\n\n{:a 2} {:a\n3}\n4")) == [(1, {"a": 1}), (3, {"a": 2}), (3, {"a": 3}), (5, 4)]
    assert list(values("[{:a 1}\n {:a 2}]")) == list(values("({:a 1}\n {:a 2})")) == [(1, {"a": 1}), (2, {"a": 2})]
    assert list(values("[]")) == []
    assert list(values("[{:a 1} #_{:a 2} ; and\n#_#_ 1 2]\n#_ 3")) == [(1, {"a": 1})]
    with pytest.raises(EdnError, match="ends before the ']'"):
        list(values("[{:a 1}\n"))


written = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["read", "a-b", "n1"]).map(Keyword),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.integers(), inner, max_size=3),
    max_leaves=8,
)


def spelt(item):
    if isinstance(item, Keyword):
        return f":{item}"
    if isinstance(item, str):
        return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(item, tuple):
        return f"[{' '.join(map(spelt, item))}]"
    if isinstance(item, dict):
        return "{" + ", ".join(f"{key} {spelt(member)}" for key, member in item.items()) + "}"
    return (
        {None: "nil", True: "true", False: "false"}.get(item, str(item))
        if not isinstance(item, int) or isinstance(item, bool)
        else str(item)
    )


@settings(max_examples=250, deadline=None)
@given(written)
def test_what_is_written_is_read(item):
    assert value(spelt(item)) == item


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(st.sampled_from(["type", "f", "value", "time-2"]), written, min_size=1), st.booleans())
def test_the_quick_way_reads_what_the_thorough_one_reads(fields, tagged):
    text = "{" + ", ".join(f":{name} {spelt(member)}" for name, member in fields.items()) + "}"
    text = f"#a.b.C{text}" if tagged else text
    assert list(values(text)) == [(1, value(text))]


@settings(max_examples=250, deadline=None)
@given(st.text(alphabet='{}[]()#_":;\\ \n,ab1-', max_size=30))
def test_any_text_is_read_or_said_to_be_wrong(text):
    try:
        list(values(text))
    except EdnError as error:
        assert 1 <= error.line <= text.count("\n") + 1


# ── Jepsen ───────────────────────────────────────────────────────────────────────────────────────────────────────────

JEPSEN = """\
{:type :invoke, :f :write, :value 3, :process 0, :time 1000000, :index 0}
{:type :invoke, :f :cas, :value [1 2], :process 1, :time 2000000, :index 1}
{:type :info, :f :start-partition, :value nil, :process :nemesis, :time 2500000, :index 2}
#jepsen.history.Op{:type :ok, :f :write, :value 3, :process 0, :time 3000000, :index 3}
{:type :info, :f :start-partition, :value "Cut off {:n1 #{:n2}}", :process :nemesis, :time 3500000, :index 4}
{:type :fail, :f :cas, :value [1 2], :process 1, :time 4000000, :index 5, :error [:not-found "no such key"]}
{:type :invoke, :f :read, :value nil, :process 0, :time 5000000, :index 6}
{:type :info, :f :read, :value nil, :process 0, :time 6000000, :index 7, :error :timeout}
{:type :info, :f :stop-partition, :process :nemesis, :time 6100000, :index 8}
{:type :info, :f :stop-partition, :process :nemesis, :time 6200000, :index 9}
{:type :invoke, :f :read, :value nil, :process 5, :time 7000000, :index 10}
{:type :ok, :f :read, :value 3, :process 5, :time 8000000, :index 11}
{:type :invoke, :f :write, :value 4, :process 6, :time 9000000, :index 12}
"""


def test_a_history_of_jepsen(record):
    history = record(JEPSEN)
    assert rows(history) == [
        (0, "write", "", 3, "ok"),
        (1, "cas", "", [1, 2], "fail"),
        (0, "read", "", None, "info"),
        (5, "read", "", 3, "ok"),
        (6, "write", "", 4, "info"),
    ]
    first, second, third, _, last = history
    assert (first.called, first.returned) == (0.001, 0.003)
    assert (second.error, third.error, last.error) == ("['not-found', 'no such key']", "timeout", "never returned")
    assert math.isnan(last.returned), "it was called and never came back"
    assert history.facts["clock"] == "time"
    (window,) = history.windows
    assert (window.fault, window.began, window.healed) == ("partition", 0.0025, 0.0062)
    assert window.proof == "the nemesis of the record says so: Cut off {:n1 #{:n2}}"
    assert linearizable(history, model="cas_register").verdict == "held"


def test_jepsens_windows_are_what_heals_them(record):
    words = ["kill", "kill", "start", "start", "pause", "resume", "resume", "start", "start", "stop", "bump", "start"]
    text = "".join(f"{{:type :info, :f :{word}, :process :nemesis, :time {n}}}\n" for n, word in enumerate(words))
    found = [(w.fault, round(w.began * 1e9), w.healed and round(w.healed * 1e9)) for w in record(text).windows]
    assert found == [("kill", 0, 3), ("pause", 4, 6), ("nemesis", 7, 9), ("nemesis", 11, None)]


def test_independent_histories_are_of_their_keys(record):
    history = record(
        "{:type :invoke, :f :read, :value [:x nil], :process 0}\n"
        "{:type :invoke, :f :cas, :value [7 [1 2]], :process 1}\n"
        "{:type :ok, :f :read, :value [:x 5], :process 0}\n{:type :ok, :f :cas, :value [7 [1 2]], :process 1}\n"
    )
    assert rows(history) == [(0, "read", "x", 5, "ok"), (1, "cas", "7", [1, 2], "ok")]


@pytest.mark.parametrize("answer", ["1", "nil", "[8 1]", "[7 1 2]"])
def test_what_is_no_answer_of_its_key_is_named_not_taken_for_nothing(record, answer):
    text = (
        "{:type :invoke, :f :write, :value [7 1], :process 0}\n{:type :ok, :f :write, :value [7 1], :process 0}\n"
        "{:type :invoke, :f :read, :value [7 nil], :process 0}\n{:type :ok, :f :read, :value %s, :process 0}\n"
    )
    assert rows(record(text % "[7 1]"))[1] == (0, "read", "7", 1, "ok")
    with pytest.raises(HistoryError, match="line 4: process 0 called read with a pair of the key '7'"):
        record(text % answer)


def test_a_byte_order_mark_is_passed_over(record):
    event = "{:type :invoke, :f :read, :value nil, :process 0}"
    for text in (event, "3 :invoke :read nil\n3 :ok :read nil\n"):
        assert len(record(b"\xef\xbb\xbf" + text.encode())) == 1


@pytest.mark.parametrize(
    ("told", "named"), [(":value " + "9" * 5000, "is no value"), (":value 1/0", "is no value"),
                        (":value 1, :time " + "9" * 399, ":time is a number")],
)  # fmt: skip
def test_numbers_that_are_too_large_are_named(record, told, named):
    with pytest.raises(HistoryError, match=f"line 1: .*{named}"):
        record(f"{{:type :invoke, :f :write, :process 0, {told}}}")


def test_a_pair_is_no_key_where_others_carry_none(record):
    only = "{:type :invoke, :f :cas, :value [1 2], :process 0}\n"
    assert rows(record(only)) == [(0, "cas", "", [1, 2], "info")]
    mixed = "{:type :invoke, :f :add, :value [1 2], :process 0}\n{:type :invoke, :f :read, :value nil, :process 1}\n"
    assert rows(record(mixed)) == [(0, "add", "", [1, 2], "info"), (1, "read", "", None, "info")]


def test_values_are_those_that_were_seen_or_asked_for(record):
    history = record(
        "{:type :invoke, :f :dequeue, :value nil, :process 0}\n{:type :ok, :f :dequeue, :value 5, :process 0}\n"
        "{:type :invoke, :f :add, :value 9, :process 0}\n{:type :ok, :f :add, :value nil, :process 0}\n"
        "{:type :invoke, :f :read, :value 4, :process 0}\n{:type :ok, :f :read, :value #{3 1 2}, :process 0}\n"
        "{:type :invoke, :f :generate, :value nil, :process 0}\n{:type :ok, :f :generate, :value :b, :process 0}\n"
        "{:type :invoke, :f :read, :value nil, :process 0}\n{:type :info, :f :read, :value :timed-out, :process 0}\n"
    )
    assert [o.value for o in history] == [5, 9, [1, 2, 3], "b", None]
    assert history.columns.error.texts()[-1] == "timed-out"


def test_without_times_the_lines_are_the_clock(record):
    history = record('({:process 0, :type :invoke, :f :get, :key "k", :value nil}\n ; a word\n'
                     ' {:process 0, :type :ok, :f :get, :key "k", :value "x 0 y"})')  # fmt: skip
    (only,) = history
    assert (only.called, only.returned, only.key, only.value) == (1.0, 3.0, "k", "x 0 y")
    assert history.facts["clock"] == "lines"
    assert "how long anything took is not known" in history.facts["note"]


def test_what_happened_in_one_nanosecond_keeps_its_order(record):
    events = [("invoke", 0), ("ok", 0), ("invoke", 1), ("ok", 1)]
    history = record("".join(f"{{:type :{told}, :f :read, :process {p}, :time 5}}\n" for told, p in events))
    times = [time for o in history for time in (o.called, o.returned)]
    assert all(one < other for one, other in pairwise(times))
    assert times[-1] == pytest.approx(5e-9)


# ── Porcupine ────────────────────────────────────────────────────────────────────────────────────────────────────────

ETCD = """\
INFO  jepsen.core - Worker 3 starting
INFO  jepsen.util - 3	:invoke	:read	nil
INFO  jepsen.util - 3	:ok	:read	nil
INFO  jepsen.util - 2	:invoke	:cas	[1 4]
INFO  jepsen.util - 4	:invoke	:write	2
INFO  jepsen.util - :nemesis	:info	:start	nil
WARN  jepsen.core - Something was thrown
java.lang.Exception: no
	at jepsen.core
INFO  jepsen.util - 4	:ok	:write	2
INFO  jepsen.util - 2	:fail	:cas	[1 4]
INFO  jepsen.util - 0	:invoke	:read	nil
INFO  jepsen.util - 0	:fail	:read	:timed-out
INFO  jepsen.util - 1	:invoke	:write	3
INFO  jepsen.util - 1	:info	:write	:timed-out
"""


def test_a_log_of_porcupine(record):
    history = record(ETCD)
    assert rows(history) == [
        (3, "read", "", None, "ok"),
        (2, "cas", "", [1, 4, False], "ok"),
        (4, "write", "", 2, "ok"),
        (0, "read", "", None, "fail"),
        (1, "write", "", 3, "info"),
    ]
    assert [(o.called, o.returned) for o in history][:2] == [(2.0, 3.0), (4.0, 11.0)]
    assert history.columns.error.texts()[3:] == ["timed-out", "timed-out"]
    assert [(w.fault, w.began, w.healed) for w in history.windows] == [("nemesis", 6.0, None)]
    assert history.facts["clock"] == "lines"


def test_where_writes_fail_too_a_failure_says_nothing_of_a_value(record):
    history = record(ETCD + "3 :invoke :write 1\n3 :fail :write 1\n")
    assert (history.columns.outcome[1], history.columns.value[1]) == (1, [1, 4])


def test_jepsens_own_short_log_is_the_same_without_the_logger(record):
    assert rows(record("3\t:invoke\t:read\tnil\n3\t:ok\t:read\t5\n")) == [(3, "read", "", 5, "ok")]


# ── whatever it is ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_of_this_project_is_read_as_such(tmp_path):
    of(append(1, 1)).save(tmp_path)
    for path in (tmp_path, tmp_path / "run.json", str(tmp_path / "history.parquet")):
        assert isinstance(read(path), History)
        assert len(read(path)) == 1
        assert read(path).windows[0].fault == "kill redis"


@pytest.mark.parametrize("text", ["", "\n \n", "[]", "()", "; nothing\n"])
def test_an_empty_record_is_an_empty_history(record, text):
    history = record(text)
    assert len(history) == 0
    assert linearizable(history, faults=False).verdict == "unknown"


OK = "{:type :invoke, :f :read, :process 0, :time 5}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OK + "{:type :ok, :f :read, :proc", r"line 2: the '\{' is not closed"),
        (OK + '{:type :ok, :f :read, :value "x}\n', "line 2: .* cannot be read"),
        ("[" + OK, "line 2: the text ends before the ']'"),
        (OK + "7\n", "line 2: '7' is no map of an operation"),
        (OK + "{:type :ok, :f :read}\n", "line 2: there is no :process"),
        (OK + "{:type :done, :f :read, :process 0, :time 6}", "line 2: a :type is one of :invoke, :ok, :fail, "),
        (OK + "{:type :ok, :f :read, :process true, :time 6}", "line 2: :f is a keyword and :process a number"),
        (OK + "{:type :ok, :f 4, :process 0, :time 6}", "line 2: :f is a keyword and :process a number"),
        (OK + '{:type :ok, :f :read, :process "a", :time 6}', "line 2: :f is a keyword and :process a number"),
        (OK + "{:type :ok, :f :read, :process 0, :time 6.5}", "line 2: :time is a number of nanoseconds, not 6.5"),
        (OK + "{:type :ok, :f :read, :process 0, :time 4}", "line 2: the clock goes back from 5 ns in line 1 to 4 ns"),
        (OK + "{:type :ok, :f :read, :process 0}", "line 2: this line has no time, though those before it have one"),
        (OK + OK.replace("5", "6"), "line 2: process 0 calls read while its read of line 1 has not returned"),
        (OK + "{:type :ok, :f :read, :process 1, :time 6}", "line 2: process 1 returns from a read that"),
        (OK + "{:type :ok, :f :write, :process 0, :time 6}", "line 2: process 0 returns from a write, but has"),
        ("{:type :invoke, :f :read, :process -1}", "line 1: -1 is no number of a process"),
        ("{:type :invoke, :f :read, :process 9999999999}", "line 1: 9999999999 is no number of a process"),
        ("INFO  jepsen.util - 3\t:invoke\t:read\tnil\nINFO  jepsen.util - 3\t:o", "line 2: .* is no event; one reads"),
        ("3 :invoke :read nil\n\nINFO  jepsen.ut", "line 3: 'INFO  jepsen.ut' is no event"),
        (ETCD + "INFO  jepsen.ut", "line 16: 'INFO  jepsen.ut' is no event"),
        (ETCD + "INFO  jepsen.core - bye\nWARN  jepsen.", "line 17: 'WARN  jepsen.' is no event"),
        ("3 :invoke :read nil\n3 :done :read 4", "line 2: an event is one of :invoke, :ok, :fail, :info, not :done"),
        ("3 :invoke :cas [1 2", r"line 1: the value '\[1 2' cannot be read: the '\[' is not closed"),
        ("3 :invoke :read nil\n3 :invoke :read nil", "line 2: process 3 calls read while its read of line 1"),
        ("hello", "line 1: 'hello' is no event"),
        (b"3 :invoke :read nil\n\xff\xfe\n", "line 2: this is no text"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_named(record, text, said):
    with pytest.raises(HistoryError, match=said) as raised:
        record(text)
    assert str(raised.value).endswith(".")
    assert "record, line" in str(raised.value), "the file is named, too"


def test_a_kind_that_the_model_does_not_know_is_named_by_its_line(record):
    with pytest.raises(HistoryError, match="line 2: process 1 calls 'cas', which is none of read, write"):
        record("3 :invoke :read nil\n1 :invoke :cas [1 2]\n", model="register")
    with pytest.raises(UsageError, match="no model 'registr'; did you mean 'register'"):
        record("3 :invoke :read nil\n", model="registr")


def test_there_has_to_be_something_to_read(tmp_path):
    with pytest.raises(HistoryError, match="cannot be read: No such file"):
        read(tmp_path / "none.edn")
    with pytest.raises(HistoryError, match="There is no history in"):
        read(tmp_path)


# ── there and back ───────────────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def registers(draw):
    """Operations of three clients, one after the other and at the same time, in whole milliseconds that never tie."""
    found, at = [], 0
    busy = {}
    for _ in range(draw(st.integers(0, 8))):
        at += 2
        client = draw(st.integers(0, 2))
        called = max(at, busy.get(client, 0) + 2)
        returned = called + 2 * draw(st.integers(0, 4)) + 1
        busy[client] = returned + 1
        outcome = draw(st.sampled_from(["ok", "ok", "info"]))
        kind = draw(st.sampled_from(["read", "write"]))
        content = draw(st.integers(0, 3)) if kind == "write" or outcome == "ok" else None
        found.append(
            Operation(
                client=client, kind=kind, value=content, called=called / 1e3, returned=returned / 1e3,
                outcome=outcome, key="k",
            )
        )  # fmt: skip
    times = [time for o in found for time in (o.called, o.returned)]
    return sorted(found, key=lambda o: o.called) if len(set(times)) == len(times) else []


@settings(max_examples=200, deadline=None)
@given(registers(), st.sampled_from(["lines", "vector", "list", "tagged"]), st.sampled_from(["field", "pair"]))
def test_what_is_written_as_edn_comes_back_as_it_was(tmp_path_factory, operations, how, keyed):
    path = tmp_path_factory.mktemp("edn") / "history.edn"
    path.write_text(edn(operations, how=how, keyed=keyed))
    assert rows(read(path)) == rows(operations)
    found = [round(time * 1e3) for o in read(path) for time in (o.called, o.returned)]
    assert found == [round(time * 1e3) for o in operations for time in (o.called, o.returned)]
    path.write_text(log(operations))
    assert [(c, kind, v, outcome) for c, kind, _, v, outcome in rows(read(path))] == [
        (c, kind, v, outcome) for c, kind, _, v, outcome in rows(operations)
    ]


def test_many_operations_take_little_memory_and_time(tmp_path):
    import time
    import tracemalloc

    path = tmp_path / "history.edn"
    with path.open("w") as file:
        for i in range(10_000):
            for told, value_, after in (("invoke", "nil", 0), ("ok", i % 5, 400)):
                told = f":type :{told}, :f :read, :value {value_}, :process {i % 5}, :time {i * 1000 + after}"
                file.write(f"{{{told}, :index {2 * i}}}\n")
    begin = time.process_time()
    tracemalloc.start()
    history = read(path)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(history) == 10_000
    assert time.process_time() - begin < 20, "0.5 s without the count of memory"
    assert held < 500 * len(history)
    assert most < 1500 * len(history)
