"""HTML of strangers, made fit for the page: it leads nowhere, fetches nothing, and its tables can be read aloud."""

from __future__ import annotations

import html
import re

_SCRIPT = re.compile(r"<script\b.*?</script\s*>", re.IGNORECASE | re.DOTALL)
_STYLE = re.compile(r"<style\b.*?</style\s*>", re.IGNORECASE | re.DOTALL)
_LEADS_AWAY = re.compile(r"</?(?:script|meta|base|link|iframe|object|embed|form|title)\b[^>]*>?", re.IGNORECASE)
_RUNS = re.compile(r"""(<[a-z][^<>]*?)\s+on[a-z]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE)
_PICTURE = re.compile(r"<(img|image|video|audio|source|track)\b([^>]*)>", re.IGNORECASE)
_VALUE = r"""\b{}\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))"""
_SOURCE = re.compile(_VALUE.format(r"(?:src|href)"), re.IGNORECASE)
_ALT = re.compile(_VALUE.format("alt"), re.IGNORECASE)
_ROWS = re.compile(r"<(/?)thead\b[^>]*>|<tr\b.*?(?=</tr|<tr\b|</table|\Z)", re.IGNORECASE | re.DOTALL)
_HEAD_CELL = re.compile(r"<th\b(?![^>]*\bscope\b)([^>]*)>", re.IGNORECASE)
_EMPTY_HEAD = re.compile(r"<th\b([^>]*)>\s*</th\s*>", re.IGNORECASE)
_SHOWS = re.compile(r"<(?:img|svg|hr|input|progress|meter|canvas)\b", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


def inert(markup: str, *, heading: str) -> str:
    """Without scripts, which the page's policy would stop anyway, and what may lead away from the page, which it would
    not: a refresh, a base, a form, a link fetched ahead.

    A picture that lies elsewhere becomes a link to it, one without an alternative text is told by its heading."""
    if "<" not in markup:
        return markup
    markup = _LEADS_AWAY.sub("", _SCRIPT.sub("", markup))
    for _ in range(3):  # of one tag
        markup = _RUNS.sub(r"\1", markup)
    return _scoped(_PICTURE.sub(lambda match: _picture(match, heading), markup))


def shows(markup: str) -> bool:
    """Whether anything of it can be seen: of an interactive picture nothing is left without its script."""
    return bool(_SHOWS.search(markup) or html.unescape(_TAG.sub("", _STYLE.sub("", markup))).strip())


def _picture(match: re.Match[str], heading: str) -> str:
    source, alt = _of(_SOURCE, match[2]), _of(_ALT, match[2])
    name = alt or f"Picture under “{heading}”"
    if match[1].lower() == "img" and source.startswith("data:"):
        return match[0] if alt else f'<img alt="{html.escape(name)}"{_ALT.sub("", match[2])}>'
    return f'<a href="{html.escape(source)}">{html.escape(name)}</a>' if source else html.escape(alt)


def _of(pattern: re.Pattern[str], attributes: str) -> str:
    found = pattern.search(attributes)
    return html.unescape(next(filter(None, found.groups()), "")) if found else ""


def _scoped(markup: str) -> str:
    """Header cells say whether they stand over a column or before a row."""
    if "<th" not in markup.lower():
        return markup
    head = False

    def one(match: re.Match[str]) -> str:
        nonlocal head
        if match[1] is not None:
            head = match[1] == ""
            return match[0]
        # A row of header cells alone stands over columns, wherever it is.
        scope = "col" if head or "<td" not in match[0].lower() else "row"
        return _HEAD_CELL.sub(rf'<th\1 scope="{scope}">', match[0])

    return _ROWS.sub(one, _EMPTY_HEAD.sub(r"<td\1></td>", markup))
