"""Tables: every cell says what was found, nothing overlaps, and what is not known is said not to be."""

import pytest
from small_histories import of, op

from workbench import plots
from workbench.checkers import Finding
from workbench.errors import UsageError
from workbench.history import Doubt


def found(lost, acknowledged=1204, **more):
    verdict = "refuted" if lost or any(more.values()) else "held"
    return Finding(verdict, "measured", {"lost": lost, "acknowledged": acknowledged, **more})


UNKNOWN = Finding("unknown", "The service died.", {"lost": 3, "acknowledged": 9})


def texts(figure):
    """Of the table, row by row from the top, each from left to right."""
    rows = {}
    for text in figure.axes[0].texts:
        x, y = text.get_position()
        rows.setdefault(y, []).append((x, text.get_text()))
    return [[text for _, text in sorted(rows[y])] for y in sorted(rows)]


def boxes(figure):
    figure.png()
    return [text.get_window_extent() for text in (*figure.axes[0].texts, *figure.texts)]


def assert_nothing_overlaps(figure):
    found = boxes(figure)
    for i, box in enumerate(found):
        assert min(box.x0, box.y0) >= 0 and box.x1 <= 1440 and box.y1 <= 461
        assert not any(box.overlaps(other) for other in found[i + 1 :])


# ── setting by fault ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_matrix_shows_how_much_each_cell_lost():
    cells = {
        ("always", "kill"): found(0),
        ("always", "power loss"): found(1),
        ("no", "kill"): found(312),
        ("no", "power loss"): found(1204),
        ("odd", "kill"): found(0, unexpected=2, duplicated=1),
        ("odd", "power loss"): UNKNOWN,
        ("late", "kill"): found(0, 0),
    }
    figure = plots.matrix(cells)
    assert texts(figure) == [
        ["kill", "power loss"],
        ["always", "0 of 1,204", "1 of 1,204 (0.083%)"],
        ["no", "312 of 1,204 (26%)", "1,204 of 1,204 (100%)"],
        ["odd", "0 of 1,204; 3 too many", "unknown"],
        ["late", "0 of 0", "–"],
    ]
    title, *lines = repr(figure).splitlines()
    assert title == (
        "Acknowledged appends were lost in 3 of 6 cells, most in no under power loss (1,204 of 1,204, 100%); "
        "1 cell is unknown; in 1 some were too many"
    )
    assert lines[2] == "no, kill: 312 of 1,204 (26%)"
    assert lines[5] == "odd, power loss: unknown (The service died.)"
    hatched = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    assert [patch.get_xy() for patch in hatched] == [(1, 2)]
    assert tuple(figure.get_size_inches()) == (10.0, 3.2)
    assert figure.png() == plots.matrix(cells).png()


def test_the_more_is_lost_the_stronger_the_colour_and_letters_stay_dark_on_light():
    figure = plots.matrix({("a", str(lost)): found(lost) for lost in (0, 12, 600, 1204)})
    none, little, half, everything = (patch.get_facecolor() for patch in figure.axes[0].patches)
    assert none[2] > none[0], "what lost nothing is of another colour"
    assert little[1] > half[1] > everything[1]
    assert all(sum(colour[:3]) / 3 > 0.7 for colour in (none, little, half, everything))


@pytest.mark.parametrize(
    ("cells", "title"),
    [
        ({("a", "x"): found(0), ("a", "y"): found(0)}, "No acknowledged append was lost in any of 2 cells"),
        ({("a", "x"): found(0)}, "No acknowledged append was lost in 1 cell"),
        ({("a", "x"): found(3)}, "Acknowledged appends were lost in 1 of 1 cell: 3 of 1,204 (0.25%)"),
        (
            {("a", "x"): found(3), ("a", "y"): found(0)},
            "Acknowledged appends were lost in 1 of 2 cells: a under x (3 of 1,204, 0.25%)",
        ),
        (
            {("a", "x"): found(1204), ("b", "x"): found(9, 9), ("c", "x"): found(2)},
            "Acknowledged appends were lost in 3 of 3 cells, everything in 2 of them",
        ),
        (
            {("a", "x"): found(1204), ("b", "x"): found(9, 9), ("c", "x"): found(0)},
            "Acknowledged appends were lost in 2 of 3 cells, everything in all of them",
        ),
        ({("a", "x"): UNKNOWN}, "How many acknowledged appends were lost is not known: 1 cell is unknown"),
    ],
    ids=["none", "one", "one lost", "one of two", "several lost all", "all that lost lost all", "unknown"],
)
def test_the_title_of_a_matrix_is_its_finding(cells, title):
    assert repr(plots.matrix(cells)).splitlines()[0] == title


def test_rows_and_columns_in_an_order_of_ones_own_and_other_numbers():
    off = Finding("refuted", "measured", {"off": 2, "reads": 40})
    figure = plots.matrix(
        {("b", "y"): off, ("a", "x"): off}, rows=["a", "b", "c"], columns=("x", "y"), part="off", of="reads",
        what="read",
    )  # fmt: skip
    assert texts(figure) == [["x", "y"], ["a", "2 of 40 (5%)", "–"], ["b", "–", "2 of 40 (5%)"], ["c", "–", "–"]]
    assert repr(figure).startswith("Reads were off in 2 of 2 cells, most in b under y (2 of 40, 5%)")


@pytest.mark.parametrize(("rows", "columns"), [(12, 3), (14, 8), (1, 1), (2, 8), (14, 1)])
def test_nothing_in_a_matrix_overlaps(rows, columns):
    names = [f"a setting that is called number {i} of {rows}" for i in range(rows)]
    faults = [f"partition (redis, minority {j} | redis-2)" for j in range(columns)]
    cells = {
        (row, fault): found((i * 7919 + j * 31) % 120_422 * (i % 3), 240_422, unexpected=i % 2)
        for i, row in enumerate(names)
        for j, fault in enumerate(faults)
    }
    figure = plots.matrix(cells)
    assert_nothing_overlaps(figure)
    sizes = {text.get_fontsize() for text in figure.axes[0].texts}
    assert min(sizes) >= 6.5
    counts = [text.get_text() for text in figure.axes[0].texts[len(names) + len(faults) :]]
    assert not any("…" in text for text in counts), "a number is never cut"


@pytest.mark.parametrize(
    ("cells", "options", "said"),
    [
        ({}, {}, "at least one cell"),
        ([found(0)], {}, "at least one cell"),
        ({"a": found(0)}, {}, "named by its row and its column.*not 'a'"),
        ({("a", "b", "c"): found(0)}, {}, "named by its row and its column"),
        ({("a", 1): found(0)}, {}, "named by its row and its column"),
        ({("a", "b"): 0.3}, {}, r"The cell \('a', 'b'\) of a matrix holds a finding.*not 0.3"),
        ({("a", "b"): Finding("held", "x")}, {}, "measured lost=None and acknowledged=None"),
        ({("a", "b"): found(3, 2)}, {}, "measured lost=3 and acknowledged=2"),
        ({("a", "b"): found(0)}, {"part": "gone"}, "Name two numbers that it measured: lost, acknowledged"),
        ({("a", "b"): found(0)}, {"rows": ["c"]}, "rows names all there are: 'a' of the cells is not"),
        ({("a", "b"): found(0)}, {"columns": "b"}, "not one text"),
        ({(str(i), "b"): found(0) for i in range(15)}, {}, "at most 14 rows.*got 15"),
        ({("a", str(i)): found(0) for i in range(9)}, {}, "at most 8 columns.*got 9"),
    ],
)
def test_a_matrix_that_makes_no_sense_is_refused(cells, options, said):
    with pytest.raises(UsageError, match=said):
        plots.matrix(cells, **options)


# ── what was found beside what was expected ──────────────────────────────────────────────────────────────────────────


def compared(kind, key, found, expected="prevented", **more):
    return op(kind, {"expected": expected, "found": found}, 0.1, key=key, **more)


def test_comparisons_are_shown_kind_by_kind_and_key_by_key():
    history = of(
        compared("low", "P4", "possible", "possible"),
        compared("low", "G0", "prevented"),
        compared("high", "G0", "prevented"),
        compared("high", "G0", "possible"),
        op("high", None, 0.2, key="P4", outcome="fail"),
        op("high", None, 0.2, key="G2"),
        compared("low", "", {"status": 200}, {"status": 200}),
        compared("high", "", {"status": 500}, {"status": 200}),
        windows=(),
    )
    figure = plots.comparisons(history, rows=["low", "high"], columns=["G0", "P4", "G2", "", "OTV"])
    assert texts(figure) == [
        ["G0", "P4", "G2", "", "OTV"],
        ["low", "prevented", "possible", "–", "as expected", "–"],
        ["high", "possible, not prevented", "unknown", "unknown", "otherwise, not as expected", "–"],
    ]
    title, *lines = repr(figure).splitlines()
    assert title == "2 of 5 cells are not as expected: high G0, high; 2 are unknown"
    assert lines[0] == "low, G0: prevented"
    assert_nothing_overlaps(figure)
    colours = [patch.get_facecolor() for patch in figure.axes[0].patches]
    assert colours[0] != colours[1], "what was found differently is tinted differently"


@pytest.mark.parametrize(
    ("operations", "title"),
    [
        ([compared("a", "x", "prevented")], "The only cell is as expected"),
        (
            [compared("a", "x", "prevented"), compared("a", "y", "prevented")],
            "All 2 cells are as expected: 2 prevented",
        ),
        ([compared("a", "x", "lost")], "1 of 1 cell is not as expected: a x"),
        (
            [compared("a", str(i), "lost") for i in range(5)],
            "5 of 5 cells are not as expected: a 0, a 1, a 2 and 2 more",
        ),
        (
            [compared("a", "x", "prevented"), op("a", key="y", outcome="info")],
            "The only cell is as expected; 1 is unknown",
        ),
    ],
    ids=["one", "all", "wrong", "many wrong", "unknown"],
)  # fmt: skip
def test_the_title_of_comparisons_is_their_finding(operations, title):
    assert repr(plots.comparisons(of(*operations, windows=()))).splitlines()[0] == title


def test_doubts_stand_over_comparisons():
    history = of(compared("a", "x", "prevented"), windows=(), doubts=(Doubt("died", "Postgres died."),))
    assert repr(plots.comparisons(history)).startswith("In doubt (died): ")


@pytest.mark.parametrize(
    ("operations", "options", "said"),
    [
        ([op("echo", 1, 0.1)], {}, "There is no comparison here"),
        ([], {}, "There is no comparison here"),
        ([compared("a", "x", "prevented", outcome="info")], {}, "There is no comparison here"),
        ([compared("a", "x", "prevented")], {"rows": ["b"]}, "rows names all there are: 'a'"),
        ([compared("a", str(i), "prevented") for i in range(13)], {}, "at most 12 columns.*got 13"),
    ],
)
def test_comparisons_that_make_no_table_are_refused(operations, options, said):
    with pytest.raises(UsageError, match=said):
        plots.comparisons(of(*operations, windows=()), **options)


# ── work that counts, and work for nothing ───────────────────────────────────────────────────────────────────────────


def transfer(at, *, tries=1, **more):
    return op("transfer", {"amount": 1, "tries": tries}, at, **more)


def test_goodput_shows_what_was_done_and_what_was_done_for_nothing():
    history = of(
        *(transfer(i / 10, workload="atomic") for i in range(20)),
        *(transfer(i / 10, tries=3, workload="retry") for i in range(6)),
        transfer(1, workload="retry", outcome="fail"),
        op("transfer", 7, 1, workload="retry"),
        op("read", {}, 1, workload="reader"),
        windows=(),
        duration_s=2.0,
    )
    figure = plots.goodput(history)
    assert repr(figure).splitlines() == [
        "atomic: 10 transfers per second; retry: 4",
        "atomic: 10 done, 0 for nothing (100% of work counts)",
        "retry: 4 done, 6 for nothing (35% of work counts)",
    ]
    done = [(bar.get_x(), bar.get_width()) for bar in figure.axes[0].patches]
    assert done == [(0, 10), (10, 0), (0, 3.5), (3.5, 6.5)]
    assert_nothing_overlaps(figure)
    assert repr(plots.goodput(history.where(workload="retry"))).startswith("retry: 4 transfers per second")
    reads = plots.goodput(history.where(workload="reader"), kind="read")
    assert repr(reads).startswith("reader: 0 reads per second")


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        ([], "no operation of kind 'transfer' here; there are: none"),
        ([op("read", {}, 0.1)], "no operation of kind 'transfer' here; there are: 'read'"),
        ([transfer(0.1, workload=str(i)) for i in range(11)], "at most 10 workloads; got 11"),
    ],
)
def test_a_picture_of_no_work_is_refused(operations, said):
    with pytest.raises(UsageError, match=said):
        plots.goodput(of(*operations, windows=()))
