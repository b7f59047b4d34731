"""Errors as problem documents (RFC 9457), with one member more.

``effect`` says what the request left behind: ``none`` means that certainly nothing was changed,
``unknown`` that something may have been. A client that repeats a request needs to know which.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

Effect = Literal["none", "unknown"]

RETRY_AFTER_S = 1


class Problem(Exception):
    """An answer that is an error. ``kind`` names it for programs, ``detail`` tells a person what to do."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        effect: Effect = "none",
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.effect: Effect = effect
        self.headers = dict(headers or {})
        self.members = members

    def response(self) -> Response:
        """The problem document."""
        document = {
            "type": f"urn:reference:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "effect": self.effect,
            **self.members,
        }
        return Response(json.dumps(document), self.status, self.headers, "application/problem+json")


class Unavailable(Problem):
    """A dependency did not do its part in time."""

    def __init__(self, dependency: str, reason: str, *, effect: Effect) -> None:
        after = {"Retry-After": str(RETRY_AFTER_S)}
        detail = f"{dependency} is not available: {reason}."
        super().__init__(503, "unavailable", detail, effect=effect, headers=after, dependency=dependency)
        self.dependency = dependency
        self.reason = reason


class NotConfigured(Problem):
    """The route needs a dependency that this process was started without."""

    def __init__(self, dependency: str) -> None:
        super().__init__(
            503,
            "not-configured",
            f"{dependency} is not configured: start the system with {dependency.upper()}_URL.",
            dependency=dependency,
        )


def unauthorized(detail: str) -> Problem:
    """Who asks is not known: 401 with the challenge that RFC 6750 wants."""
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


def internal() -> Problem:
    """Something nobody thought of; the log has it under the same request id."""
    return Problem(
        500, "internal", "An error that was not foreseen; the log of the system tells more.", effect="unknown"
    )


def install(app: FastAPI) -> None:
    """Make every error that the application raises a problem document."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return Problem(
            error.status_code, kind, f"{request.method} {request.url.path}", headers=error.headers
        ).response()

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        # What was sent is not repeated: it may be a password.
        errors = [{"where": list(one["loc"]), "what": one["msg"]} for one in error.errors()]
        where = ", ".join("/".join(map(str, one["where"])) for one in errors)
        return Problem(422, "invalid", f"The request does not make sense at {where}.", errors=errors).response()

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
