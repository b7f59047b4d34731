"""An executed notebook as HTML: prose, code, outputs, without a frame around it.

(nbconvert's templates do more, and take a second for what is done here in a few milliseconds.)
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.report import ansi

_TITLE = re.compile(r"\A\s*# [^\n]*\n*")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_SCRIPT = re.compile(r"<script\b.*?</script\s*>", re.IGNORECASE | re.DOTALL)
_LEADS_AWAY = re.compile(r"</?(?:script|meta|base|link|iframe|object|embed|form)\b[^>]*>?", re.IGNORECASE)
_ATTACHMENT = re.compile(r"\(attachment:([^)\s]+)\)")
_PICTURE = re.compile(r'<img class="picture"[^>]*>')
_VERDICT_TABLE = '<div role="status" aria-label='
_PICTURES = ("image/svg+xml", "image/png", "image/jpeg")


def render(path: Path) -> tuple[str, str]:
    """The prose under the title, and everything after it, as two pieces of HTML."""
    cells = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))["cells"]
    page = _Page()
    pieces = [page.cell(cell, first=number == 0) for number, cell in enumerate(cells)]
    lead = 1 if cells and cells[0]["cell_type"] == "markdown" else 0
    return "\n".join(pieces[:lead]), "\n".join(pieces[lead:])


def first_picture(markup: str) -> str:
    """The first picture of a rendered notebook, empty if there is none."""
    picture = _PICTURE.search(markup)
    return picture[0] if picture else ""


class _Page:
    """Renders cell after cell and knows under which heading it is."""

    def __init__(self) -> None:
        import mistune

        self._markdown: Callable[[str], Any] = mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])
        self._colour = _colourer()
        self._heading = "the title"

    def cell(self, cell: Mapping[str, Any], *, first: bool) -> str:
        source = _text(cell.get("source"))
        if cell["cell_type"] == "markdown":
            if headings := _HEADING.findall(source):
                self._heading = headings[-1]
            return self._prose(_TITLE.sub("", source) if first else source, cell.get("attachments", {}))
        if cell["cell_type"] != "code":
            return ""
        code = f'<pre class="code">{self._colour(source)}</pre>' if source.strip() else ""
        outputs = "\n".join(filter(None, map(self._output, cell.get("outputs", ()))))
        return f'<div class="cell">\n{code}\n{outputs}\n</div>'

    def _prose(self, source: str, attachments: Mapping[str, Mapping[str, str]]) -> str:
        def inside(match: re.Match[str]) -> str:
            kind, data = next(iter(attachments.get(match[1], {}).items()), ("", ""))
            return f"(data:{kind};base64,{_text(data)})" if kind else match[0]

        return f'<div class="prose">{_inert(self._markdown(_ATTACHMENT.sub(inside, source)))}</div>'

    def _output(self, output: Mapping[str, Any]) -> str:
        match output["output_type"]:
            case "stream":
                return _words(_text(output["text"]), "stderr" if output["name"] == "stderr" else "")
            case "error":
                lines = output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]
                return _words("\n".join(lines), "error")
        data, about = output.get("data", {}), output.get("metadata", {})
        if "text/html" in data:
            markup = _text(data["text/html"])
            # The page begins with the verdict table; in the notebook's flow it would stand there a second time.
            return "" if _VERDICT_TABLE in markup else f'<div class="rich">{_inert(markup)}</div>'
        for kind in _PICTURES:
            if kind in data:
                return self._picture(kind, _text(data[kind]), about.get(kind, {}).get("alt") or about.get("alt"))
        if "text/markdown" in data:
            return self._prose(_text(data["text/markdown"]), {})
        return _words(_text(data["text/plain"]), "") if "text/plain" in data else ""

    def _picture(self, kind: str, data: str, description: str | None) -> str:
        if kind == "image/svg+xml":
            data = base64.b64encode(data.encode()).decode()
        alt = html.escape(description or f"Picture under “{self._heading}”")
        return f'<img class="picture" src="data:{kind};base64,{"".join(data.split())}" alt="{alt}">'


def _colourer() -> Callable[[str], str]:
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters.html import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

    lexer, formatter = PythonLexer(stripnl=True), HtmlFormatter(nowrap=True)

    def colour(source: str) -> str:
        return str(highlight(source, lexer, formatter)).rstrip("\n")

    return colour


def _words(text: str, kind: str) -> str:
    kinds = f"words {kind}".strip()
    return f'<pre class="{kinds}">{ansi.to_html(text.rstrip())}</pre>' if text.strip() else ""


def _inert(markup: str) -> str:
    """Without scripts, which the page's policy would stop anyway, and what may lead away from the page, which it would
    not: a refresh, a base, a form, a link fetched ahead."""
    return _LEADS_AWAY.sub("", _SCRIPT.sub("", markup))


def _text(lines: str | Sequence[str] | None) -> str:
    """nbformat keeps texts as one string or as a list of lines."""
    return lines if isinstance(lines, str) else "".join(lines or ())
