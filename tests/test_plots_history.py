"""`plots.history`: operations as bars, the counterexample outlined and labelled, of large histories a neighbourhood."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from small_histories import KILL, append, of, op, read

from workbench import plots
from workbench.checkers import consistent, linearizable, matched
from workbench.history import Doubt, History, Window
from workbench.plots.history import LEAST, MOST_BARS, MOST_CLIENTS, NEAR

STALE = (op("write", 1, 1), op("write", 2, 2, took=0.5, client=1), op("read", 1, 4, took=1, client=2))


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def bars(figure):
    """All thick lines that are no outline: from, to, client's row."""
    found = [c for c in figure.axes[0].collections if isinstance(c, LineCollection) and c.get_zorder() == 2.6]
    return [tuple(np.asarray(line).ravel()[[0, 2, 1]]) for collection in found for line in collection.get_segments()]


def test_every_operation_is_a_bar_from_call_to_return():
    figure = plots.history(of(*STALE, op("read", None, 2, client=2, outcome="fail")))
    assert tuple(figure.get_size_inches()) == (10.0, 3.2)
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time since start (s)", "client")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "1", "2"]
    assert len(bars(figure)) == 4
    assert (4.0, 5.0, 2.0) in bars(figure)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ok  3", "fail  1"]
    assert "kill redis" in texts(figure)
    assert repr(figure) == "4 operations of 3 clients, at most 2 open at once"


def test_the_counterexample_is_outlined_and_labelled_and_the_title_is_what_was_found():
    history = of(*STALE, op("write", 9, 6, client=1))
    finding = linearizable(history)
    assert finding.verdict == "refuted"
    figure = plots.history(history, finding=finding)
    assert repr(figure) in finding.text
    assert "1 of client 2 (4.000 s to 5.000 s): " in repr(figure), "the alternative text says why"
    assert figure.texts[0].get_text().endswith("(4.000 s to 5.000 s)"), "the title is as much as one line holds"
    labels = {text.get_text() for text in figure.axes[0].texts if text.get_fontweight() == "bold"}
    assert labels == {f"{one.kind} {one.value}" for one in finding.counterexample}
    outlines = [c for c in figure.axes[0].collections if isinstance(c, LineCollection) and c.get_zorder() == 2.7]
    assert sum(len(collection.get_segments()) for collection in outlines) == len(finding.counterexample)
    assert f"outlined:\nthe counterexample\n({len(finding.counterexample)} operations)" in texts(figure)
    assert figure.png() == figure.png()


def test_what_may_have_happened_stays_open_to_the_end():
    history = of(
        op("write", 1, 1, took=1, outcome="info"), op("write", 2, 1, took=math.nan, outcome="info", client=1),
        op("read", 1, 8, took=2, client=2),
    )  # fmt: skip
    figure = plots.history(history)
    assert (1.0, 2.0, 0.0) in bars(figure)
    assert (1.0, 10.0, 1.0) in bars(figure), "one that never returned is a bar to the end"
    tails = [c for c in figure.axes[0].collections if isinstance(c, LineCollection) and c.get_zorder() == 2]
    ((begin, end),) = [np.asarray(line)[:, 0] for collection in tails for line in collection.get_segments()]
    assert begin == 1.0
    assert end >= 10.0
    assert repr(figure).endswith("; 2 may have happened")


def test_what_was_called_last_and_never_returned_is_still_seen():
    figure = plots.history(of(op("write", 1, 2.0, outcome="info", took=math.nan)))
    ((begin, end, _),) = bars(figure)
    assert begin == 2.0
    assert figure.axes[0].get_xlim()[1] >= end > 2.05


def many(count, *, clients=5):
    """Writes of one number after the other to two keys, and reads of the last one; one of the reads is stale."""
    rng, last = random.Random(3), {"a": 1, "b": 1}
    operations = []
    for n in range(count):
        at, key = n * 0.01, "ab"[n % 2]
        if rng.random() < 0.5:
            last[key] = n
            operations.append(op("write", n, at, took=0.005, key=key, client=n % clients))
        else:
            value = 1 if n == count * 3 // 4 else last[key]
            operations.append(op("read", value, at, took=0.005, key=key, client=n % clients))
    return of(*operations, op("write", 1, -1, key="a"), op("write", 1, -1, key="b", client=1))


def test_of_a_large_history_the_neighbourhood_of_the_counterexample_is_drawn():
    history = many(4000)
    finding = linearizable(history)
    figure = plots.history(history, finding=finding)
    assert len(bars(figure)) == NEAR
    assert any(f"{NEAR} of 4,002\noperations are drawn" in text for text in texts(figure))
    labels = [text.get_text() for text in figure.axes[0].texts if text.get_fontweight() == "bold"]
    assert len(labels) == len(finding.counterexample), "all of it is there, however far apart it is"
    assert len(figure.png()) < 200_000


def test_a_counterexample_of_a_moment_is_seen_from_near():
    """Else its bars would be strokes, however few operations there are."""
    writes = [op("write", n, n * 0.01, took=0.004, client=n % 3) for n in range(120)]
    history = of(*writes, op("read", 58, 0.606, took=0.001, client=3))
    figure = plots.history(history, finding=linearizable(history))
    assert len(bars(figure)) == LEAST
    ticks = [float(label.get_text()) for label in figure.axes[0].get_xticklabels()]
    assert min(ticks) > 0.4 and max(ticks) < 0.8, "a part of the record's 1.2 s"


def test_without_a_finding_it_is_the_neighbourhood_of_the_first_fault():
    figure = plots.history(many(4000))
    assert len(bars(figure)) == NEAR
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert all(2 < float(tick) < 4 for tick in ticks), "times are those of the run, wherever the picture begins"
    assert "kill redis" in texts(figure)


def test_of_many_clients_only_some_have_a_row():
    figure = plots.history(many(MOST_BARS - 2, clients=100))
    assert len(figure.axes[0].get_yticklabels()) == MOST_CLIENTS


def test_the_clock_of_a_record_may_be_its_lines():
    figure = plots.history(History.of(STALE, facts={"clock": "lines"}))
    assert figure.axes[0].get_xlabel() == "line of the record"


def test_of_a_comparison_it_is_told_what_was_found():
    history = of(op("look", {"expected": "somebody", "found": "nobody", "shift": 3}, 1))
    assert "look 'nobody'" in texts(plots.history(history, finding=matched(history)))


def test_what_another_checker_found_is_shown_as_well():
    history = of(append(1, 1), read([1], 2, client=1), read([], 3, client=1))
    figure = plots.history(history, finding=consistent(history))
    assert repr(figure) == "Monotonic reads: 1 of 1 read lacks what an earlier read of its client showed"
    assert {"read [1]", "read []"} <= set(texts(figure))


@pytest.mark.parametrize(
    "history",
    [
        of(),
        of(op("read", None, 0, took=0)),
        of(op("read", None, 5, took=math.nan, outcome="info"), windows=()),
        of(op("write", "x" * 500, 1), op("write", {"a": [1] * 50}, 2, client=3)),
        of(op("read", 1, 1e-7, took=1e-8)),
        of(op("read", 1, 1e6, took=0.1), windows=(Window(fault="kill", began=1.0, healed=None),)),
    ],
    ids=["empty", "no time", "never returned", "long values", "nanoseconds", "late"],
)
def test_thin_histories_are_drawn_as_well(history):
    assert plots.history(history).png()
    assert plots.history(history, finding=linearizable(of())).png()


def test_doubts_stand_in_the_title():
    doubted = replace(of(*STALE), doubts=(Doubt("damaged", "Torn."),))
    assert repr(plots.history(doubted)).startswith("In doubt (damaged): ")
    assert KILL.fault in texts(plots.history(doubted))
