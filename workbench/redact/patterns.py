"""Secrets that nobody told us of, by their form: tokens with a known beginning, private keys, headers, addresses.

Each form has anchors, plain texts of which one stands in everything that has the form. Looking for plain texts is
fast, so that expressions are tried only where an anchor was found. The beginnings of tokens are those their makers
publish, as scanners of repositories (gitleaks, detect-secrets) collect them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from workbench.redact.assigned import MASK, STEMS, assigned, is_placeholder

_FLAGS = re.ASCII
_IN_TOKENS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in a text: what it looks like, and from where to where it stands."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Form:
    """One form. ``look`` says where the secret is, given a text and where an anchor stands in it."""

    kind: str
    anchors: tuple[str, ...]
    look: Callable[[str, int], tuple[int, int] | None]


def _begins(kind: str, expression: str, *anchors: str) -> Form:
    """A token of its own: it begins with an anchor, and nothing of a token stands before it."""
    pattern = re.compile(expression, _FLAGS)

    def look(text: str, at: int) -> tuple[int, int] | None:
        if at and text[at - 1] in _IN_TOKENS:
            return None
        found = pattern.match(text, at)
        return found.span() if found else None

    return Form(kind, anchors, look)


def _group(kind: str, expression: str, *anchors: str, whatever: bool = False) -> Form:
    """Something that begins with an anchor, whose secret is the group of that name; ``whatever`` it is."""
    pattern = re.compile(expression, _FLAGS)

    def look(text: str, at: int) -> tuple[int, int] | None:
        found = pattern.match(text, at)
        return found.span("secret") if found and (whatever or not is_placeholder(found["secret"])) else None

    return Form(kind, anchors, look)


def _variants(*words: str) -> tuple[str, ...]:
    return tuple(form for word in words for form in (word, word.capitalize(), word.upper()))


_JWT = (
    r"eyJ[\w-]{8,}\.(?:eyJ[\w-]{4,}(?:\.[\w-]*){0,3}"  # signed, or what is left of one that was cut short
    r"|[\w-]*\.[\w-]{8,}(?:\.[\w-]*){0,2})"  # encrypted
)
_END_OF_LINE = r"(?:\s|\\+[rnt])+"
_BODY = r"[A-Za-z0-9+/=]"
_PEM = (
    rf"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----{_END_OF_LINE}"
    rf"(?P<secret>(?:[\w-]+: [^\n\\]{{0,200}}{_END_OF_LINE}){{0,4}}"  # what an encrypted one begins with
    rf"{_BODY}{{16,}}(?:{_END_OF_LINE}{_BODY}{{16,}})*(?:{_END_OF_LINE}{_BODY}+(?={_END_OF_LINE}-----END))?)"
)
_CREDENTIAL = r"(?P<secret>[A-Za-z0-9+/=._~-]{4,})"
_SCHEME = r"(?:bearer|basic|token|apikey|negotiate)"
_QUERYLESS = r"[^\s/@\"'<>\\]"

FORMS = (
    _begins("JSON web token", _JWT, "eyJ"),
    _group("private key", _PEM, "-----BEGIN "),
    _begins("AWS access key", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])", "AKIA", "ASIA", "ABIA", "ACCA"),
    _begins("GitHub token", r"gh[pousr]_[A-Za-z0-9]{20,}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    _begins("GitHub token", r"github_pat_\w{20,}", "github_pat_"),
    _begins("GitLab token", r"gl[a-z]+-[\w.-]{20,}", "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-",
            "glagent-", "gloas-", "glsoat-", "glffct-"),
    _begins("Slack token", r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}", "xox"),
    _begins("Slack token", r"xapp-\d-[A-Za-z0-9-]{10,}", "xapp-"),
    _group("Slack web hook", r"hooks\.slack\.com/services/(?P<secret>T\w+/B\w+/\w{8,})", "hooks.slack.com/services/"),
    _begins("Stripe key", r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,}", "sk_", "rk_"),
    _begins("Stripe key", r"whsec_[A-Za-z0-9+/=]{16,}", "whsec_"),
    _begins("Google key", r"AIza[\w-]{35}", "AIza"),
    _begins("Google token", r"ya29\.[\w-]{20,}", "ya29."),
    _begins("Google secret", r"GOCSPX-[\w-]{20,}", "GOCSPX-"),
    _begins("key of a model's API", r"sk-(?:[a-z]+\d*-)+[\w-]{20,}|sk-[A-Za-z0-9]{32,}", "sk-"),
    _begins("npm token", r"npm_[A-Za-z0-9]{30,}", "npm_"),
    _begins("PyPI token", r"pypi-AgE[\w-]{40,}", "pypi-AgE"),
    _begins("Hugging Face token", r"hf_[A-Za-z0-9]{30,}", "hf_"),
    _begins("SendGrid key", r"SG\.[\w-]{16,}\.[\w-]{16,}", "SG."),
    _begins("DigitalOcean token", r"do[opr]_v1_[a-f0-9]{32,}", "doo_v1_", "dop_v1_", "dor_v1_"),
    _begins("Docker Hub token", r"dckr_pat_[\w-]{20,}", "dckr_pat_"),
    _begins("Vault token", r"hv[sbr]\.[\w-]{24,}", "hvs.", "hvb.", "hvr."),
    _begins("Shopify token", r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32,}", "shpat_", "shpca_", "shppa_", "shpss_"),
    _begins("age key", r"AGE-SECRET-KEY-1[A-Z0-9]{40,}", "AGE-SECRET-KEY-1"),
    _group("authorization header", rf"(?i:authorization\\*[\"']?\s*[:=]\s*\\*[\"']?{_SCHEME})\s+{_CREDENTIAL}",
           *_variants("authorization")),
    _group("authorization header", r"(?i:bearer|basic)\s+(?=[A-Za-z+/=._~-]*\d)(?P<secret>[A-Za-z0-9+/=._~-]{16,})",
           *_variants("bearer", "basic")),
    _group("cookie", r"(?i:cookie)\\*[\"']?\s*:\s*\\*[\"']?"
           r"(?P<secret>[\w.-]+=[^\s;\"'\\]{8,}(?:; ?[\w.-]+=[^\s;\"'\\]*)*)",
           *_variants("cookie")),
    _group("password in an address", rf"://[^\s:/@\"'<>\\]*:(?P<secret>{_QUERYLESS}+)@", "://", whatever=True),
    _group("token in an address", r"://(?P<secret>[\w.~%-]{20,})@", "://"),
    Form("value under a secret's name", STEMS, assigned),
)  # fmt: skip


def find(text: str, forms: Collection[Form] = FORMS) -> Iterator[Found]:
    """The secrets in a text, by form; those of one form in the order of the text."""
    for form in forms:
        done = 0
        for at in sorted({at for anchor in form.anchors for at in _places(text, anchor)}):
            span = form.look(text, at) if at >= done else None
            if span is not None:
                done = span[1]
                yield Found(form.kind, *span)


def mask(text: str, forms: Collection[Form] = FORMS) -> str:
    """The text without them."""
    found = sorted(find(text, forms), key=lambda one: (one.start, -one.end))
    if not found:
        return text
    parts, done = [], 0
    for one in found:
        if one.start >= done:
            parts += [text[done : one.start], MASK]
        done = max(done, one.end)
    return "".join([*parts, text[done:]])


def among(text: str) -> tuple[Form, ...]:
    """The forms that a text, or any part of it, can have."""
    return tuple(form for form in FORMS if any(anchor in text for anchor in form.anchors))


def _places(text: str, anchor: str) -> Iterator[int]:
    at = text.find(anchor)
    while at >= 0:
        yield at
        at = text.find(anchor, at + 1)
