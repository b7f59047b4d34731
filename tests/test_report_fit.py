"""A page goes by mail, whatever a notebook has shown: at most a megabyte, and it says what is not there."""

import base64
import io
import json
import random
import re
from pathlib import Path

import pytest
from PIL import Image
from small_pages import notebook_folder, plot, shown

from workbench import report
from workbench.report.fit import MOST
from workbench.report.pictures import Picture


def noise(side: int) -> bytes:
    held = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(7).randbytes(side * side * 3)).save(
        held, "PNG", compress_level=1
    )
    return held.getvalue()


def page(tmp_path: Path, *cells: dict) -> str:
    folder = notebook_folder(tmp_path / "20260102T030405Z-by-hand-abcdef")
    title = {"cell_type": "markdown", "source": "# T\n\nWords."}
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": [title, *cells]}))
    data = report.write(folder).read_bytes()
    assert len(data) <= MOST
    assert b"Nothing is lost." in data
    return data.decode()


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB").tobytes()


def test_what_fits_is_as_it_was(tmp_path):
    one = plot(1)
    text = page(tmp_path, *shown(one))
    assert text.count(base64.b64encode(one).decode()) == 2  # on the first screen and at its place


def test_pictures_are_packed_without_loss_first(tmp_path):
    plots = [plot(n) for n in range(6)]
    assert sum(map(len, plots)) * 4 / 3 > MOST
    text = page(tmp_path, *shown(*plots))
    kept = [base64.b64decode(data) for data in re.findall(r"data:image/webp;base64,([^\"]+)", text)]
    assert [pixels(data) for data in kept] == [pixels(data) for data in (plots[0], *plots)]
    assert "is left out here" not in text


def test_what_is_still_too_large_is_left_out_and_said(tmp_path):
    text = page(tmp_path, *shown(plot(1), noise(700), plot(2)))
    assert len(re.findall("A picture of [0-9,]+ kB is left out here", text)) == 1
    assert '<a href="notebook.ipynb">The executed notebook</a> has it. It shows: Picture under “Seen”' in text
    assert text.count('<img class="picture"') >= 2


def test_a_first_picture_that_is_too_large_leaves_room_for_the_others(tmp_path):
    text = page(tmp_path, *shown(noise(900), plot(2)))
    assert text.count("is left out here") == 2
    assert text.count('<img class="picture"') == 1


def test_texts_and_tables_of_any_length(tmp_path):
    rows = "<table>" + "<tr><td>1</td></tr>" * 100_000 + "</table>"
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "a line\n" * 400_000},
        {"output_type": "display_data", "data": {"text/html": rows}},
    ]
    prose = {"cell_type": "markdown", "source": "word " * 300_000}
    text = page(tmp_path, {"cell_type": "code", "source": "y = 1\n" * 50_000, "outputs": outputs}, prose)
    assert text.count("characters are left out here; the executed notebook has them") == 2
    assert "A table or picture of 1,9" in text
    assert "A text of 1,5" in text


def test_a_run_of_very_many_claims(tmp_path):
    folder = tmp_path / "20260102T030405Z-tour-abcdef"
    claims = [
        {
            "name": f"c{n}",
            "sentence": f"Claim {n}.",
            "verdict": "held",
            "text": "T.",
            "measured": {"n": "m" * 200, "o": n},
        }
        for n in range(2_000)
    ]
    notebook_folder(folder / "tour", claims=claims, verdict="held")
    (folder / "results.json").write_text(json.dumps({"notebooks": [{"name": "tour", "folder": "tour"}]}))
    data = report.write(folder).read_bytes()
    assert len(data) <= MOST
    assert b"This run is large" in data


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", plot(1)[:2000], b"GIF89a"])
def test_a_picture_that_cannot_be_read_stays_as_it_is(data):
    picture = Picture("image/png", base64.b64encode(data).decode(), "A dot.")
    picture.shrink()
    assert base64.b64decode(picture.data) == data


def test_fewer_colours_take_less(tmp_path):
    picture = Picture("image/png", base64.b64encode(plot(3)).decode(), "Dots.")
    picture.shrink()
    before = len(picture.data)
    again = Picture("image/png", base64.b64encode(plot(3)).decode(), "Dots.")
    again.shrink(colours=128)
    assert len(again.data) < before
