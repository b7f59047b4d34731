"""How grave a line of a log is, as the programs themselves write it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.history.levels import LEVELS, in_short, level_of

HARMLESS = [
    "",
    "29362:M 21 Nov 2026 11:14:21.243 * Ready to accept connections",
    "29362:C 21 Nov 2026 11:14:21.235 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo",
    "2026-11-21 11:14:20.235 UTC [71] LOG:  database system was shut down at 2026-11-21 11:14:19 UTC",
    '{"level": "info", "message": "request", "status": 200}',
    '{"level": "info", "message": "an error is only spoken of"}',
    '{"t":{"$date":"2026-11-21T11:14:20Z"},"s":"I","c":"NETWORK","msg":"Connection accepted"}',
    "time=2026-11-21T11:14:20Z level=info msg=error-free",
    'INFO:     127.0.0.1:41873 - "GET /errors HTTP/1.1" 200 OK',
    "0 errors, 0 warnings",
    "retrying is no error here",
    "{torn",
    "[1, 2]",
    '{"a":' * 100_000,
]
WARNINGS = [
    "29362:M 21 Nov 2026 11:14:21.237 # WARNING Memory overcommit must be enabled!",
    "2026-11-21 11:14:20.235 UTC [71] WARNING:  there is no transaction in progress",
    '{"level": "warning", "message": "redis is lost"}',
    '{"level": "info", "message": "request", "status": 503}',
    '{"t":{"$date":"2026-11-21T11:14:20Z"},"s":"W","c":"CONTROL","msg":"Access control is not enabled"}',
    'time=2026-11-21T11:14:20Z level=warn msg="it is slow"',
    "[2026-11-21 11:14:20,235: WARNING/MainProcess] consumer: Connection to broker lost.",
    "WARNING:root:careful",
    "npm warn: old",
]
ERRORS = [
    "2026-11-21 11:14:20.235 UTC [71] FATAL:  the database system is starting up",
    "2026-11-21 11:14:20.235 UTC [71] ERROR:  duplicate key value violates unique constraint",
    '{"level": "error", "message": "an error that was not foreseen"}',
    '{"severity": "CRITICAL", "message": "no"}',
    '{"t":{"$date":"2026-11-21T11:14:20Z"},"s":"E","c":"STORAGE","msg":"No space left"}',
    "[2026-11-21 11:14:20,235: ERROR/MainProcess] Task add raised unexpected: ValueError()",
    "[2026-11-21 11:14:20 +0000] [12] [ERROR] Exception in worker process",
    "2026-11-21 11:14:20,235 ERROR  [kinto.core][waitress-0] Service unavailable",
    "11:14:20.235 [main] ERROR com.example.Main - no",
    "ERROR:    Exception in ASGI application",
    "Traceback (most recent call last):",
    "redis.exceptions.ConnectionError: Error 111 connecting to 127.0.0.1:1",
    "ValueError",
    "panic: runtime error: index out of range",
]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        *((line, "") for line in HARMLESS),
        *((line, "warning") for line in WARNINGS),
        *((line, "error") for line in ERRORS),
    ],
)
def test_a_line_is_as_grave_as_it_says(line, level):
    assert level_of(line) == level


@given(st.text())
def test_any_line_has_a_level(line):
    assert level_of(line) in LEVELS
    assert level_of(json.dumps({"level": line})) in LEVELS


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("plain", "plain"),
        ('{"time": "now", "level": "info", "message": "request", "status": 503}', "request status=503"),
        ('{"msg": "lost", "why": "no route", "to": "redis"}', 'lost why="no route" to=redis'),
        ('{"level": "info"}', '{"level": "info"}'),
        ("{torn", "{torn"),
        ("\x1b[1;31mERROR\x1b[0m\tof \u202etxt\x00", "ERROR of �txt�"),
        ("x" * 101, "x" * 99 + "…"),
    ],
)
def test_a_line_is_listed_in_short(text, listed):
    assert in_short(text, longest=100) == listed


def test_a_coloured_line_is_as_grave_as_it_says():
    assert level_of("\x1b[1;31mERROR\x1b[0m: lost") == "error"


@given(st.text(st.sampled_from("aewrlvst:= #[]\x1b{M1"), max_size=60))
def test_a_line_that_names_no_level_is_harmless_however_it_is_looked_at(text):
    from workbench.history import levels

    looked = level_of(text)
    before, levels._TELLING = levels._TELLING, ("",)
    try:
        assert level_of(text) == looked
    finally:
        levels._TELLING = before
