"""Terminal colours as spans: tracebacks carry them."""

from __future__ import annotations

import html
import re

_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_OTHER = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b\][^\x07]*\x07|[\x00-\x08\x0b-\x1a\x1c-\x1f]")
_BASE = ("quiet", "red", "green", "yellow", "blue", "purple", "blue", "")
"""Of the eight colours, the page's relative; white on a page is no colour at all."""


def to_html(text: str) -> str:
    """Escaped, with colours and weight as ``<span class="ansi-red ansi-bold">``; other control codes are dropped."""
    text = _OTHER.sub("", text)
    if "\x1b" not in text:
        return html.escape(text, quote=False)
    parts, start, colour, bold = [], 0, "", False
    for match in _SGR.finditer(text):
        parts.append(_span(text[start : match.start()], colour, bold))
        colour, bold = _state([int(code or 0) for code in match[1].split(";")], colour, bold)
        start = match.end()
    parts.append(_span(text[start:], colour, bold))
    return "".join(parts).replace("\x1b", "")


def _span(text: str, colour: str, bold: bool) -> str:
    classes = [f"ansi-{name}" for name in (colour, "bold" if bold else "") if name]
    escaped = html.escape(text, quote=False)
    return f'<span class="{" ".join(classes)}">{escaped}</span>' if text and classes else escaped


def _state(codes: list[int], colour: str, bold: bool) -> tuple[str, bool]:
    rest = iter(codes)
    for code in rest:
        if code == 0:
            colour, bold = "", False
        elif code in (1, 22):
            bold = code == 1
        elif 30 <= code <= 37 or 90 <= code <= 97:
            colour = _BASE[code % 10]
        elif code == 39:
            colour = ""
        elif code in (38, 48):  # a colour of the cube: 5;n or 2;r;g;b
            kind = next(rest, 0)
            value = [next(rest, 0) for _ in range(1 if kind == 5 else 3)]
            if code == 38:
                colour = _of_cube(value[0]) if kind == 5 else _nearest(*value)
    return colour, bold


def _of_cube(number: int) -> str:
    if number < 16:
        return _BASE[number % 8]
    if number >= 232:
        return "quiet"
    number -= 16
    return _nearest(number // 36 * 51, number // 6 % 6 * 51, number % 6 * 51)


def _nearest(red: int, green: int, blue: int) -> str:
    """The page's colour whose light is strong where this one's is."""
    low, high = min(red, green, blue), max(red, green, blue)
    if high - low < 48:
        return "quiet"
    middle = (low + high) / 2
    strong = (red > middle, green > middle, blue > middle)
    names = {(True, False, False): "red", (False, True, False): "green", (True, True, False): "yellow"}
    return names.get(strong, "purple" if strong == (True, False, True) else "blue")
