"""Pictures: pure, titled by their finding, shown once, every window shaded, every outcome told by shape and colour."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
from small_histories import KILL, append, load, of, op, read
from small_messages import join, receive, send, settle
from test_capacity import GOOD, law_levels, stairs, the_law

from workbench import plots
from workbench.errors import UsageError
from workbench.history import Doubt, Window

SAID_OF_LATENCY = (
    "99% of answers came within 10.0 ms before the fault, 10.0 ms afterwards; 1 of 103 operations in its window were ok"
)
PICTURES = [plots.timeline, plots.latency, plots.rate, plots.delivery]


def history():
    return of(
        *(append(i, i / 100, outcome="fail" if 300 <= i < 400 else "ok", client=i % 8) for i in range(800)),
        append(800, 3.2, outcome="info"),
        append(801, 3.3, outcome="info", took=math.nan),
        read([i for i in range(801) if not 300 <= i < 400 and i != 100], 9),
        duration_s=8.0,
    )


@pytest.fixture(params=PICTURES, ids=lambda picture: picture.__name__)
def picture(request):
    return request.param


def test_a_picture_has_the_one_look(picture):
    figure = picture(history())
    assert tuple(figure.get_size_inches()) == (10.0, 3.2)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "time since start (s)"
    assert axes.get_ylabel() or picture is plots.delivery  # its lanes are named
    assert "kill redis" in [text.get_text() for text in axes.texts]
    counted = {"delivery": "ok  699"}.get(picture.__name__, "ok  701")
    assert axes.get_legend().get_texts()[0].get_text() == counted


@pytest.mark.parametrize(
    ("picture", "title"),
    [
        (plots.timeline, "102 of 803 operations were not ok, all of them while a fault was in force"),
        (plots.latency, SAID_OF_LATENCY),
        (plots.rate, "100 ok operations per second before the fault, 0 in its window, 100 afterwards"),
        (plots.delivery, "1 of 700 acknowledged appends were lost; 1 unacknowledged one is there as well"),
    ],
)
def test_the_title_is_a_computed_finding(picture, title):
    figure = picture(history())
    assert figure.texts[0].get_text() == title
    assert repr(figure) == title


def test_a_picture_is_shown_as_png_with_an_alternative_text(picture):
    figure = picture(history())
    data, metadata = figure._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["image/png"] == figure.png(), "the same picture twice is the same bytes"
    assert metadata["image/png"]["alt"] == data["text/plain"] == repr(figure)
    assert repr(figure).encode() in data["image/png"]


def test_pyplot_and_its_global_state_are_not_touched_and_matplotlib_waits_for_the_first_picture():
    code = (
        "import sys; from workbench import plots; from workbench.history import History\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib; before = matplotlib.rcParams.copy()\n"
        "plots.rate(History.of([]))._repr_mimebundle_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules and matplotlib.rcParams.copy() == before"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize(
    "history",
    [of(), of(op("echo", 0, 1)), of(append(1, 0.1, outcome="info", took=math.nan), windows=()), load(windows=())],
    ids=["empty", "one echo", "one unanswered", "no window"],
)
def test_thin_histories_are_drawn_as_well(picture, history):
    assert picture(history).png()


def test_doubts_stand_in_the_title(picture):
    doubted = replace(history(), doubts=(Doubt("saturated", "The client was saturated."),))
    assert repr(picture(doubted)).startswith("In doubt (saturated): ")


def test_labels_of_windows_do_not_meet():
    windows = tuple(
        Window(fault=f"partition app-{i % 2} mongo", began=i / 4, healed=i / 4 + 0.1, proof="refused")
        for i in range(30)
    )
    figure = plots.rate(replace(history(), windows=(*windows, Window(fault="kill redis", began=7.9, healed=None))))
    figure.png()
    labels = [text for text in figure.axes[0].texts if text.get_text().startswith(("partition", "kill"))]
    boxes = [label.get_window_extent() for label in labels]
    assert len(boxes) > 4
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
        assert not box.overlaps(figure.texts[0].get_window_extent())


def test_what_flaps_has_one_label_and_what_comes_back_much_later_another():
    on = (1, 1.4, 1.8, 2.2, 6)
    windows = tuple(Window(fault="pause redis", began=began, healed=began + 0.2, proof="silent") for began in on)
    figure = plots.rate(replace(history(), windows=windows))
    labels = [text for text in figure.axes[0].texts if text.get_text() == "pause redis"]
    assert [label.get_position()[0] for label in labels] == pytest.approx([1.7, 6.1])


def test_a_label_without_room_is_cut_to_its_brackets():
    ways = ("wrong_state", "garbage", "deny", "error", "slow")
    windows = [
        Window(fault=f"misbehave github ({how})", began=3.2 + 0.7 * i, healed=3.6 + 0.7 * i, proof="seen")
        for i, how in enumerate(ways)
    ]
    figure = plots.latency(replace(history(), windows=tuple(windows)))
    texts = [text.get_text() for text in figure.axes[0].texts]
    for how in ways:
        assert any(how in text for text in texts), how


def test_of_many_points_a_sample_is_drawn_and_the_legend_says_so():
    many = load(rate_hz=6000, down=(3, 3.1))
    figure = plots.latency(many)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "ok  47,400\n(1 in 3 drawn)",
        "fail  600",
    ]
    drawn = sum(len(collection.get_offsets()) for collection in figure.axes[0].collections)
    assert 16_400 <= drawn <= 17_000
    assert len(figure.png()) < 400_000


def test_delivery_shows_what_nobody_wrote():
    figure = plots.delivery(of(append(1, 1), read([1, 7], 6)))
    assert "never written  1" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert KILL.fault in [text.get_text() for text in figure.axes[0].texts]


# ── the table of deliveries ──────────────────────────────────────────────────────────────────────────────────────────

PAUSE = Window(fault="pause redis", began=6.0, healed=6.5, proof="it is stopped")


def relayed(*, lost=(), twice=(), turned=(), windows=(KILL, PAUSE), settled=True):
    """Ten messages a second for nine seconds to two clients; both miss those sent at the times ``lost``."""
    operations = [join(1, 0.05), join(2, 0.05)]
    for i in range(1, 90):
        at = i / 10
        operations.append(send(i, at, client=9))
        if at in lost:
            continue
        arrives = at + (0.15 if at in turned else 0.02)
        operations += [receive(client, i, arrives) for client in (1, 2)]
        operations += [receive(1, i, at + 0.04)] if at in twice else []
    return of(*operations, *([settle(10)] if settled else []), windows=windows)


def written(figure):
    """The texts of the table, row by row from the top, each from left to right."""
    rows = {}
    for text in figure.axes[0].texts:
        x, y = text.get_position()
        rows.setdefault(y, []).append((x, text.get_text()))
    return [[text for _, text in sorted(rows[y])] for y in sorted(rows)]


def test_the_table_puts_each_loss_to_the_fault_during_which_it_was_sent():
    figure = plots.deliveries(
        {
            "pub/sub": relayed(lost=(2.0, 2.9, 3.5, 5.9, 6.2), twice=(1.0,), turned=(7.0,)),
            "stream": relayed(),
            "hurried": relayed(lost=(3.5,), settled=False),
        }
    )
    heads, words, *rows = written(figure)
    assert heads == ["no fault", "kill redis", "pause redis"]
    assert words == ["lost", "duplicated", "reordered"] * 3
    assert rows == [
        ["pub/sub", "2", "1", "0", "4", "0", "0", "4", "0", "2"],
        ["stream", *["0"] * 9],
        ["hurried", *["?", "0", "0"] * 3],
    ]
    assert repr(figure) == ("pub/sub lost 10 of 178 deliveries; stream lost nothing; what hurried lost is not known")
    assert figure.png().startswith(b"\x89PNG")
    assert tuple(figure.get_size_inches()) == (10.0, 3.2)


def test_a_mechanism_without_a_fault_has_a_dash_there():
    *_, both, one = written(plots.deliveries({"a": relayed(), "b": relayed(windows=(KILL,))}))
    assert both[-1] == "0"
    assert one == ["b", "0", "0", "0", "0", "0", "0", "–"]


def test_a_table_of_nothing():
    with pytest.raises(UsageError, match="needs at least one history"):
        plots.deliveries({})
    assert repr(plots.deliveries({"silence": of()})) == "what silence lost is not known"
    doubted = replace(relayed(), doubts=(Doubt("died", "The app died."),))
    assert repr(plots.deliveries({"a": relayed(), "b": doubted})).startswith("In doubt (died): ")


# ── capacity ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_capacity_shows_the_knee_and_the_law_beyond_what_was_measured():
    levels = law_levels(the_law(500, 0.02, 0.0005), [1, 2, 4, 8, 16])
    figure = plots.capacity(stairs(*levels, (9000, 7000, 24)), p99_ms=20)
    assert tuple(figure.get_size_inches()) == (10.0, 3.2)
    done, late, law = figure.axes
    assert repr(figure) == (
        f"99% of answers came within 20 ms up to {levels[-1][0]:,} operations per second; "
        "at 9,000 too many never came, and 7,000 per second were done"
    )
    assert f"knee {levels[-1][0]:,}" in [text.get_text() for text in done.texts]
    assert "objective 20 ms" in [text.get_text() for text in late.texts]
    assert [text.get_text() for text in done.get_legend().get_texts()] == ["met", "missed"]
    solid, dashed = (line for line in law.lines if line.get_marker() == "None")
    assert solid.get_xdata()[-1] == pytest.approx(24, rel=0.01)
    assert dashed.get_linestyle() != solid.get_linestyle()
    assert figure.png() == figure.png()


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (stairs(*GOOD), "99% of answers came within 50 ms at every step, up to 1,000 operations per second"),
        (stairs((100, 100, 1)), "Not even the lowest step surely met the objective: the step of 100 was too short"),
        (stairs((500, 250, 1)), "Not even the lowest step surely met the objective: at 500 too many never came"),
        (stairs((500, 500, 40)), "at 500 they took up to 80 ms, and 500 per second were done"),
        (of(), "The load was not offered in steps"),
    ],
    ids=["no knee", "too short", "unanswered", "slow", "no steps"],
)
def test_capacity_of_thin_histories_is_drawn_as_well(history, said):
    figure = plots.capacity(history, p99_ms=50)
    assert said in repr(figure)
    assert figure.png()


def test_capacity_says_its_doubts():
    doubted = replace(stairs(*GOOD), doubts=(Doubt("saturated", "The client was saturated."),))
    assert repr(plots.capacity(doubted, p99_ms=50)).startswith("In doubt (saturated): ")
