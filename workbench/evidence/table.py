"""The verdict table: what the first screen of a notebook shows. Only inline styles, which every viewer keeps."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from workbench.checkers.finding import SHAPES, badge, lines
from workbench.evidence.claims import Claim
from workbench.words import by_reason, plural, tally

BEGINS = '<div role="status" aria-label='
"""The table as HTML, by which it is known in an executed notebook."""

_CELL = "text-align:left;vertical-align:top;padding:7px 16px 7px 0;border:0;white-space:normal;line-height:1.45"
_RULE = "border-top:1px solid rgba(128,128,128,.35)"


def summary(claims: Sequence[Claim]) -> str:
    """``1 refuted · 2 held`` of 3 claims, the worst first."""
    return " · ".join(f"{count} {verdict}" for verdict, count in tally([claim.verdict for claim in claims]).items())


def reasons(left_out: Mapping[str, str]) -> str:
    """``few, many: it is small; exact: it does not count``."""
    return "; ".join(f"{names}: {why}" for why, names in by_reason(left_out).items()) + "."


def footnote(text: str) -> str:
    """As small print."""
    return f'<div style="margin:2px 0 6px;opacity:.7;font-size:88%">{html.escape(text)}</div>'


def as_text(claims: Sequence[Claim], *, left_out: Mapping[str, str], notes: Sequence[str] = ()) -> str:
    """A line per claim: verdict, name, sentence, and what was measured on the next line; last what is not stated.

    ``notes`` are sentences that hold for all of them.
    """
    wide = max(len(claim.name) for claim in claims)
    rows = [f"{plural(len(claims), 'claim')}: {summary(claims)}"]
    for claim in claims:
        scenarios = f" ({', '.join(claim.scenarios)})" if claim.scenarios else ""
        rows.append(f"{SHAPES[claim.verdict]} {claim.verdict:9}  {claim.name:{wide}}  {claim.sentence}{scenarios}")
        if claim.text:
            rows.append(f"{'':{wide + 15}}{claim.text}")
    if left_out:
        rows.append(f"not stated here: {reasons(left_out)}")
    return "\n".join([*rows, *notes])


def as_html(claims: Sequence[Claim], *, left_out: Mapping[str, str], notes: Sequence[str] = ()) -> str:
    """The same as a table, readable on light and dark pages and without colours."""
    heads = "".join(
        f'<th scope="col" style="{_CELL};padding-bottom:3px;font-weight:600;opacity:.7">{head}</th>'
        for head in ("verdict", "claim", "measured")
    )
    return (
        f'{BEGINS}"{len(claims)} claims: {summary(claims)}">'
        '<table style="border-collapse:collapse;width:100%;table-layout:fixed;margin:4px 0;font-size:100%">'
        '<colgroup><col style="width:9.6em"><col style="width:46%"><col></colgroup>'
        f'<thead><tr style="background:none">{heads}</tr></thead>'
        f"<tbody>{''.join(_row(claim) for claim in claims)}</tbody></table>"
        f"{footnote(f'Not stated here. {reasons(left_out)}') if left_out else ''}{''.join(map(footnote, notes))}</div>"
    )


def _row(claim: Claim) -> str:
    scenarios = "".join(
        f'<span style="white-space:nowrap;opacity:.7;font-size:88%"> · {html.escape(scenario)}</span>'
        for scenario in claim.scenarios
    )
    name = f'<code style="background:none;font-size:92%">{html.escape(claim.name)}</code>{scenarios}'
    measured = lines(claim.text) if claim.text else '<span style="opacity:.6">not yet</span>'
    return (
        f'<tr style="background:none;{_RULE}"><td style="{_CELL}">{badge(claim.verdict)}</td>'
        f'<td style="{_CELL}">{html.escape(claim.sentence)}<br>{name}</td>'
        f'<td style="{_CELL};font-variant-numeric:tabular-nums">{measured}</td></tr>'
    )
