"""Pictures inside a page, and how they are made smaller where a page would be too large: without loss first."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass
from typing import Any

COLOURS = 128
"""Of a picture that is made smaller with loss. Lines, dots and letters look the same; a photograph does not."""

_MOST_PIXELS = 40_000_000
"""Of more, a picture is left as it is: to read it takes longer than a page should."""


@dataclass(slots=True)
class Picture:
    """Its media type, its bytes as base64, its alternative text."""

    kind: str
    data: str
    alt: str

    def __str__(self) -> str:
        return f'<img class="picture" src="data:{self.kind};base64,{self.data}" alt="{html.escape(self.alt)}">'

    def shrink(self, *, colours: int | None = None) -> None:
        """Pack it anew: pixel by pixel the same, or with that many colours. What cannot be read, or would not become
        smaller, stays as it is."""
        if self.kind != "image/png":
            return
        from PIL import Image

        try:
            with Image.open(io.BytesIO(base64.b64decode(self.data))) as picture:
                if picture.width * picture.height > _MOST_PIXELS or getattr(picture, "n_frames", 1) > 1:
                    return
                kind, data = _packed(picture, colours)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return
        text = base64.b64encode(data).decode()
        if len(text) < len(self.data):
            self.kind, self.data = kind, text


def _packed(picture: Any, colours: int | None) -> tuple[str, bytes]:
    from PIL import Image, features

    held = io.BytesIO()
    if picture.mode == "RGBA" and picture.getextrema()[3] == (255, 255):
        picture = picture.convert("RGB")
    if colours and picture.mode in ("RGB", "RGBA", "L"):
        picture = picture.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        picture.save(held, "PNG")
        return "image/png", held.getvalue()
    if features.check("webp") and picture.mode in ("RGB", "RGBA", "L", "P") and max(picture.size) < 16_384:
        # Losslessly a picture of matplotlib's takes less than half of what it takes as PNG, and less time than that.
        picture.save(held, "WEBP", lossless=True, method=1, quality=30)
        return "image/webp", held.getvalue()
    picture.save(held, "PNG", optimize=True)
    return "image/png", held.getvalue()
