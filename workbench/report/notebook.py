"""An executed notebook as HTML: prose, code, outputs, without a frame around it.

(nbconvert's templates do more, and take a second for what is done here in a few milliseconds.)
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.evidence.table import BEGINS
from workbench.history import whole
from workbench.report import ansi
from workbench.report.markup import inert, shows
from workbench.report.outline import Heading, Outline
from workbench.report.pictures import Picture

LONGEST = 40_000
"""Characters of a text that one cell has written; of a longer one its beginning and its end are shown."""

_TITLE = re.compile(r"\A\s*# [^\n]*\n*")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_ATTACHMENT = re.compile(r"\(attachment:([^)\s]+)\)")
_PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/gif")
_TAKEN = ("top", "claims", "refuted", "picture", "faults", "logs", "check", "contents")
"""Places on a page that are not the notebook's."""


@dataclass(slots=True)
class Piece:
    """What stands on a page for one cell's prose, code or output, under a heading. A frame is what holds pieces."""

    what: str  # "frame", "prose", "code", "text", "table", "picture"
    content: str | Picture
    heading: str = ""

    def __str__(self) -> str:
        return str(self.content)


@dataclass(slots=True)
class Body:
    """``lead`` is the prose under the title, ``pieces`` is everything after it.

    ``first`` is the first of its pictures, which stands on the first screen as well, and ``absent`` the sentence there
    if it is too large for that.
    """

    lead: str = ""
    pieces: list[Piece] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    first: Picture | None = None
    absent: str = ""

    @property
    def pictures(self) -> list[Picture]:
        """In their order."""
        return [piece.content for piece in self.pieces if isinstance(piece.content, Picture)]

    @property
    def chapters(self) -> list[Heading]:
        """The headings right below the title."""
        return [heading for heading in self.headings if heading.level == 2]

    def __str__(self) -> str:
        return "\n".join(map(str, self.pieces))


def render(path: Path) -> Body:
    """The notebook in that file. Raises `OSError` or `ValueError` if it cannot be read."""
    notebook = json.loads(whole.read(path).decode(errors="surrogateescape"))
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ValueError("it holds no cells")
    page, body = _Page(), Body()
    for number, cell in enumerate(one for one in cells if isinstance(one, dict)):
        pieces = list(page.cell(cell, first=number == 0))
        if number == 0 and cell.get("cell_type") == "markdown":
            body.lead = "\n".join(map(str, pieces))
        else:
            body.pieces += pieces
    body.headings = page.outline.headings
    body.first = next(iter(body.pictures), None)
    return body


class _Page:
    """Renders cell after cell and knows under which heading it is."""

    def __init__(self) -> None:
        import mistune

        self._markdown: Callable[[str], Any] = mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])
        self._colour = _colourer()
        self._heading = "the title"
        self.outline = Outline(*_TAKEN)

    def cell(self, cell: Mapping[str, Any], *, first: bool) -> Iterator[Piece]:
        source = _text(cell.get("source"))
        if cell.get("cell_type") == "markdown":
            if headings := _HEADING.findall(source):
                self._heading = headings[-1]
            source = _TITLE.sub("", source) if first else source
            if source.strip():
                yield self._prose(source, cell.get("attachments") or {})
        elif cell.get("cell_type") == "code":
            pieces = [Piece("code", f'<pre class="code">{self._colour(source)}</pre>')] if source.strip() else []
            pieces += filter(None, map(self._output, cell.get("outputs") or ()))
            if pieces:
                yield from (Piece("frame", '<div class="cell">'), *pieces, Piece("frame", "</div>"))

    def _prose(self, source: str, attachments: Mapping[str, Mapping[str, str]]) -> Piece:
        def inside(match: re.Match[str]) -> str:
            kind, data = next(iter(attachments.get(match[1], {}).items()), ("", ""))
            return f"(data:{kind};base64,{_text(data)})" if kind else match[0]

        markup = inert(self._markdown(_ATTACHMENT.sub(inside, source)), heading=self._heading)
        return Piece("prose", f'<div class="prose">{self.outline.over(markup)}</div>', self._heading)

    def _output(self, output: Mapping[str, Any]) -> Piece | None:
        match output.get("output_type"):
            case "stream":
                return self._words(_text(output.get("text")), "stderr" if output.get("name") == "stderr" else "")
            case "error":
                lines = output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]
                return self._words("\n".join(map(str, lines)), "error")
        data, about = output.get("data") or {}, output.get("metadata") or {}
        if "text/html" in data:
            markup = _text(data["text/html"])
            # The page begins with the verdict table; in the notebook's flow it would stand there a second time.
            if BEGINS in markup:
                return None
            markup = inert(markup, heading=self._heading)
            if shows(markup):
                return Piece("table", f'<div class="rich">{self.outline.over(markup)}</div>', self._heading)
        for kind in _PICTURES:
            if kind in data:
                told = (about.get(kind) or {}).get("alt") or about.get("alt")
                return Piece("picture", self._picture(kind, _text(data[kind]), told), self._heading)
        if "text/markdown" in data:
            return self._prose(_text(data["text/markdown"]), {})
        return self._words(_text(data["text/plain"]), "") if "text/plain" in data else None

    def _picture(self, kind: str, data: str, told: str | None) -> Picture:
        if kind == "image/svg+xml":
            data = base64.b64encode(data.encode(errors="replace")).decode()
        return Picture(kind, "".join(data.split()), str(told or f"Picture under “{self._heading}”"))

    def _words(self, text: str, kind: str) -> Piece | None:
        if not text.strip():
            return None
        kinds = f"words {kind}".strip()
        return Piece("text", f'<pre class="{kinds}">{ansi.to_html(_cut(text.rstrip()))}</pre>', self._heading)


def _cut(text: str, *, before: str = "") -> str:
    """A long text without its middle, and what is missing said where it would stand."""
    if len(text) <= LONGEST:
        return text
    first, last = text[: LONGEST * 2 // 3], text[-LONGEST // 3 :]
    first, last = first[: first.rfind("\n") + 1] or first, last[last.find("\n") + 1 :] or last
    missing = len(text) - len(first) - len(last)
    said = f"{before}─── {missing:,} characters are left out here; the executed notebook has them ───"
    return f"{first}\n{said}\n\n{last}"


def _colourer() -> Callable[[str], str]:
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters.html import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

    lexer, formatter = PythonLexer(stripnl=True), HtmlFormatter(nowrap=True)

    def colour(source: str) -> str:
        return str(highlight(_cut(source, before="# "), lexer, formatter)).rstrip("\n")

    return colour


def _text(lines: str | Sequence[str] | None) -> str:
    """nbformat keeps texts as one string or as a list of lines."""
    return lines if isinstance(lines, str) else "".join(map(str, lines or ()))
