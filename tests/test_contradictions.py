"""Why a register cannot have shown what it showed: the sentence is true, and is not said where it would not be."""

import pytest
from small_histories import of, op

from workbench.checkers import linearizable
from workbench.checkers.contradictions import overtaken

STALE = (
    op("write", 2, 0),
    op("cas", [2, 1], 1, client=1),
    op("write", 5, 2, client=2),
    op("cas", [1, 3, False], 3, client=3),
    op("read", 1, 4, client=1),
)
"""1 is left at 1 s, gone at 2 s, and seen again at 4 s."""


def why(*operations):
    return linearizable(of(*operations), model="cas_register").text.partition("): ")[2]


def test_it_is_said_who_found_it_gone_before_the_read():
    assert why(*STALE) == (
        "cas [1, 3, False] of client 3 found something else than 1 there, and returned before that was called; from "
        "then on nobody left 1 in it."
    )
    assert why(*STALE[:3], STALE[4]).startswith("write 5 of client 2 left 5, and returned before that was called")
    assert why(*STALE[:3], op("cas", [1, 4], 4, client=1)).startswith("write 5 of client 2 left 5, and returned")


@pytest.mark.parametrize(
    "more",
    [
        op("cas", [9, 1], 2.5, outcome="info", client=4),
        op("cas", [9, 1], 0, took=5, outcome="info", client=4),
        op("cas", [9, 1], 4.001, client=4, outcome="info"),
    ],
    ids=["since", "all the time", "beside the read"],
)
def test_it_is_not_said_where_somebody_may_have_left_it_again(more):
    """That one cannot have, for nobody left what it was waiting for; but that is another reason."""
    finding = linearizable(of(*STALE, more), model="cas_register")
    assert finding.verdict == "refuted"
    assert "nobody left 1" not in finding.text


def test_of_a_write_which_saw_nothing_it_is_not_said():
    """It is last where there was no time to shorten what refutes."""
    assert overtaken(STALE[2], STALE, STALE) == ""


def test_of_a_cas_that_was_refused_it_is_not_said():
    told = why(op("write", 1, 0), op("cas", [1, 2, False], 1, client=1))
    assert told
    assert "nobody left" not in told
