"""`workbench check`: what it prints, its exit codes, and what it refuses."""

import random

import pytest
from small_histories import append, of, op
from small_records import edn, log

from workbench.cli import call
from workbench.history import History

WRITE, STALE = op("write", 1, 1, key="x"), op("read", None, 3, key="x", client=2)


@pytest.fixture
def check(tmp_path, capfd):
    """Write a text into a file and check it: exit code, and what was printed."""

    def checks(text, *arguments):
        path = tmp_path / "record"
        path.write_text(text)
        code = call(["check", str(path), *arguments])
        shown = capfd.readouterr()
        return code, shown.out + shown.err

    return checks


def test_held(check):
    code, shown = check(edn([WRITE, op("read", 1, 3, key="x")], keyed="pair"), "--model", "register")
    assert code == 0
    assert shown.splitlines()[0] == "2 operations of 1 client in a history of Jepsen."
    assert shown.splitlines()[1].startswith("● held All 2 operations on 1 key")


def test_refuted_with_the_counterexample_as_a_table(check):
    code, shown = check(edn([WRITE, op("write", 5, 1, key="y", client=3), STALE]), "--model", "register")
    assert code == 1
    lines = shown.splitlines()
    assert lines[1].startswith("✕ refuted ")
    assert "None of client 2 (3.000 s to 3.010 s)" in " ".join(lines[1:3])
    table = lines[lines.index("The counterexample:") + 1 :]
    assert table[0].split() == [
        "client",
        "kind",
        "key",
        "value",
        "called",
        "(s)",
        "returned",
        "(s)",
        "outcome",
        "error",
    ]
    assert [line.split() for line in table[1:]] == [
        ["0", "write", "x", "1", "1.000000", "1.010000", "ok"],
        ["2", "read", "x", "nil", "3.000000", "3.010000", "ok"],
    ]


def test_a_record_without_times_is_told_by_its_lines(check):
    code, shown = check(log([WRITE, STALE]), "--model", "cas_register")
    assert code == 1
    assert "in a log of Jepsen. It has no times: its lines are the clock, and 12.000 s is line 12." in shown
    assert shown.splitlines()[-1].split() == ["2", "read", "nil", "3", "4", "ok"]


def test_unknown_where_nothing_was_acknowledged_or_time_ran_out(check):
    assert check("", "--model", "queue")[0] == 6
    assert check(edn([op("write", 1, 1, outcome="info")]), "--model", "register")[0] == 6
    rng = random.Random(1)
    many = [
        op("write", rng.randrange(3), i / 1e6, took=1.0, client=i, outcome="info" if i % 3 else "ok")
        for i in range(400)
    ]
    code, shown = check(edn([*many, op("read", 9, 3)]), "--model", "cas_register", "--within", "1e-9")
    assert (code, "▲ unknown" in shown) in [(6, True), (1, False)], "an exhausted budget is never held"
    assert "held" not in shown


def test_a_run_of_this_project_can_be_checked(tmp_path, capfd):
    of(WRITE, op("read", 1, 3, key="x")).save(tmp_path)
    assert call(["check", str(tmp_path), "--model", "register"]) == 0
    assert capfd.readouterr().out.startswith("2 operations of 1 client in a run, 1 window of faults.\n● held ")
    of(append(1, 1)).save(tmp_path)
    assert call(["check", str(tmp_path), "--model", "register"]) == 4
    assert "of a kind that the model register does not know" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("3 :invoke :read nil\n3 :inv", ["--model", "register"], "record, line 2: '3 :inv' is no event"),
        ("{:type :invoke", ["--model", "register"], "record, line 1: the '{' is not closed."),
        (
            "3 :invoke :pop nil\n",
            ["--model", "register"],
            "line 1: process 3 calls 'pop', which is none of read, write.",
        ),
        (
            "3 :invoke :read nil\n3 :invoke :read nil\n",
            ["--model", "register"],
            "line 2: process 3 calls read while its read of line 1 has not returned",
        ),
        (
            "{:type :invoke :f :read :process 0 :time 5}{:type :ok :f :read :process 0 :time 4}",
            ["--model", "register"],
            "line 1: the clock goes back from 5 ns in line 1 to 4 ns",
        ),
        ("", ["--model", "stack"], "There is no model 'stack'"),
        ("", [], "Missing option '--model'"),
        ("", ["--model", "register", "--within", "0"], "--within is a positive number of seconds, not 0.0."),
        ("", ["--model", "register", "--within", "nan"], "--within is a positive number of seconds, not nan."),
        ("1 :invoke :add :x\n1 :ok :add :x", ["--model", "counter"], "carries 'x'; what is added to a counter"),
    ],
)
def test_bad_input_is_refused_in_one_paragraph(check, text, arguments, said):
    code, shown = check(text, *arguments)
    assert code == 4
    assert shown.startswith("Error: ")
    assert said in shown
    assert "Traceback" not in shown
    assert shown.count("\n") == 1


def test_a_file_that_is_not_there_is_refused(tmp_path, capfd):
    assert call(["check", str(tmp_path / "none"), "--model", "register"]) == 4
    assert "none cannot be read: No such file or directory." in capfd.readouterr().err


def test_what_is_printed_is_not_taken_for_markup(check):
    code, shown = check('1 :invoke :get nil\n1 :ok :get "[red]x[/]"\n', "--model", "kv")
    assert code == 1
    assert "'[red]x[/]'" in shown


def test_what_a_record_says_to_the_terminal_is_not_said(check):
    pair = '{:type :%s, :f :read, :value %s, :key "a\\u001b[2J\\nb", :process 0}\n'
    code, shown = check(pair % ("invoke", "nil") + pair % ("ok", 3), "--model", "register")
    assert code == 1
    assert "\x1b" not in shown
    assert "explains" in shown and shown.count("a\\x1b[2J\\nb") == 2


def test_a_history_of_another_clock_is_refused_by_the_checker():
    from workbench.checkers import linearizable
    from workbench.errors import UsageError

    back = op("read", None, 3, took=-1)
    with pytest.raises(UsageError, match="returned before it was called"):
        linearizable(History.of([back]), faults=False)
