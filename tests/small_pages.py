"""The folders of runs whose pages tests look at, with everything in them that a page can show."""

from __future__ import annotations

import base64
import io
import json
import random
from pathlib import Path

from PIL import Image, ImageDraw

from workbench.history.sealed import seal

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
OPERATION = {"client": 3, "workload": "appends in redis", "kind": "append", "key": "k1", "value": 7, "outcome": "ok"}
CLAIMS = [
    {
        "name": "back",
        "sentence": "It is back.",
        "verdict": "held",
        "text": "It was.",
        "measured": {"recovery_max_s": 0.25},
    },
    {
        "name": "durable",
        "sentence": "Nothing is lost.",
        "scenarios": ["FLO-02"],
        "verdict": "refuted",
        "text": "refuted: 7 from k1 is lost.",
        "measured": {"lost": 1, "lost_share": 0.1234567, "steps": [{"offered_hz": 10.0, "met": "held"}]},
        "counterexample": [
            {**OPERATION, "kind": "read", "value": [1, 2], "more_values": 4, "called_s": 2.0004, "returned_s": None},
            {**OPERATION, "called_s": 1.0, "returned_s": 2.0001},
        ],
    },
]
FRAME = "<table><thead><tr><th></th><th>a</th></tr></thead><tbody><tr><th>0</th><td>1</td></tr></tbody></table>"
CELLS = [
    {"cell_type": "markdown", "source": "# Is it lost?\n\nProse."},
    *(
        {
            "cell_type": "markdown",
            "source": f"## Part {n}\n\n#### Deep\n\n[there](#Part-1) ![x](https://far.example/x.png)",
        }
        for n in range(5)
    ),
    {
        "cell_type": "code",
        "source": "x",
        "outputs": [
            {"output_type": "display_data", "data": {"image/png": PIXEL}},
            {
                "output_type": "display_data",
                "data": {"text/html": f"<h1>Big</h1>{FRAME}<img src='data:image/png;base64,{PIXEL}'>"},
            },
            {
                "output_type": "display_data",
                "data": {"text/html": "<div id=plot></div><script>draw()</script>", "text/plain": "Plot(3)"},
            },
        ],
    },
]


def notebook_folder(place: Path, **changes) -> Path:
    (place / "history").mkdir(parents=True)
    (place / "notebook.ipynb").write_text(json.dumps({"cells": CELLS}))
    verdict = {"schema": 1, "claims": CLAIMS, "verdict": "refuted", "concluded": True}
    verdict["left_out"] = {"a": "it has no sockets", "b": "it has no sockets", "c": "<other>"}
    (place / "verdict.json").write_text(json.dumps(verdict | changes))
    window = {"fault": "kill redis", "began": 1.0, "healed": 2.5, "proof": "a connection was refused"}
    record = {"ended": True, "windows": [window, window | {"healed": None, "proof": ""}]}
    (place / "history" / "run.json").write_text(seal(record))
    (place / "environment.json").write_text(
        json.dumps({"schema": 1, "packages": {"numpy": "2.1"}, "parameters": {"n": ""}})
    )
    return place


def plot(seed: int, *, size: tuple[int, int] = (1000, 400)) -> bytes:
    """What a plot looks like to a packer: many dots with soft edges on white."""
    draw = random.Random(seed)
    large = Image.new("RGB", (size[0] * 2, size[1] * 2), "white")
    pen = ImageDraw.Draw(large)
    for _ in range(6_000):
        x, y = draw.randrange(size[0] * 2), draw.randrange(size[1] * 2)
        pen.ellipse((x, y, x + 7, y + 7), fill=draw.choice(["#6DB6FE", "#FFA400", "#FF1E90"]))
    held = io.BytesIO()
    large.resize(size, Image.Resampling.BILINEAR).convert("RGBA").save(held, "PNG")
    return held.getvalue()


def shown(*pictures: bytes) -> list[dict]:
    outputs = [
        {"output_type": "display_data", "data": {"image/png": base64.b64encode(one).decode()}} for one in pictures
    ]
    return [{"cell_type": "markdown", "source": "## Seen"}, {"cell_type": "code", "source": "x", "outputs": outputs}]
