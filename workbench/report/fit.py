"""A page is one file that goes by mail: what makes it too large is packed tighter, at last left out, and it says so.

Without loss first: pictures are packed anew, pixel by pixel the same; then the picture on the first screen is not
repeated further down. Then with loss: pictures keep so many colours as one sees, logs are cut shorter. What is left out
at last are the largest outputs, each with a sentence where it stood and a link to the notebook that has it.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator

from workbench.report.notebook import Body, Piece
from workbench.report.pictures import COLOURS

MOST = 1_000_000
"""Bytes of a page."""

_ROOM = 2_000  # for the sentences of what is left out, beyond what is counted
_WORTH = 400  # bytes: what is smaller than the sentence in its place stays
_WITHOUT_LOSS = 0.4  # of its size a picture keeps about so much when it is packed anew

_REPEATED = '<p class="absent">Here stands the picture that is also <a href="#picture">at the top of this page</a>.</p>'
_WORDS = {"picture": "A picture", "table": "A table or picture", "prose": "A text", "code": "The code of a cell"}


def fitted(body: Body, page: Callable[[Body, bool], str], *, most: int = MOST) -> str:
    """``page(body, short)`` within ``most`` bytes; ``short`` says whether logs are cut shorter.

    The body is changed. Where even a page without any output is larger than ``most``, that page.
    """
    excess, text = [0], ""
    for short in _ladder(body, lambda: excess[0], most):
        text = page(body, short)
        excess[0] = len(text.encode(errors="replace")) - most
        if excess[0] <= 0:
            break
    return text


def _ladder(body: Body, excess: Callable[[], int], most: int) -> Iterator[bool]:
    """What is tried in turn; each step changes the body for good."""
    yield False
    pictures = body.pictures
    weight = sum(len(one.data) for one in pictures) + (len(body.first.data) if body.first else 0)
    if excess() < (1 - _WITHOUT_LOSS) * weight * 1.5:  # else it cannot be enough, and takes time
        for one in pictures:
            one.shrink()
        yield False
    for piece in body.pieces:
        if piece.content is body.first:
            piece.content, piece.what = _REPEATED, "frame"
    yield False
    room = most - (excess() + most - sum(len(one.data) for one in pictures))
    for one in sorted(pictures, key=lambda one: len(one.data)):
        if room < 0:  # the others are left out below, in whatever colours
            break
        one.shrink(colours=COLOURS)
        room -= len(one.data)
    yield False
    yield True
    _leave_out(body, excess() + _ROOM, most)
    yield True


def _leave_out(body: Body, excess: int, most: int) -> None:
    """The largest first, as few as will do; code and prose only where they are twice as large as an output."""
    first = Piece("picture", body.first) if body.first else None
    if first and len(str(first)) > most / 2:
        excess -= _drop_first(body, first)

    def weight(piece: Piece) -> float:
        return len(str(piece).encode(errors="replace")) * (0.5 if piece.what in ("code", "prose") else 1)

    for piece in sorted((one for one in body.pieces if one.what != "frame"), key=weight, reverse=True):
        size = len(str(piece).encode(errors="replace"))
        if excess <= 0:
            return
        if size > _WORTH:
            piece.content, piece.what = _instead(piece, size), "frame"
            excess -= size - len(str(piece).encode())
    if first and body.first and excess > 0:
        _drop_first(body, first)


def _drop_first(body: Body, first: Piece) -> int:
    """The bytes gained."""
    size = len(str(first))
    body.first, body.absent = None, _instead(first, size)
    for piece in body.pieces:
        if piece.content is _REPEATED:
            piece.content = body.absent
    return size - 2 * len(body.absent.encode())


def _instead(piece: Piece, size: int) -> str:
    what = _WORDS.get(piece.what, "A long output")
    alt = "" if isinstance(piece.content, str) else f" It shows: {html.escape(piece.content.alt)}"
    return (
        f'<p class="absent">{what} of {size / 1000:,.0f} kB is left out here, so that this page can go by mail. '
        f'<a href="notebook.ipynb">The executed notebook</a> has it.{alt}</p>'
    )
