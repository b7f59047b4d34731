"""An account of the application, made for one run."""

from __future__ import annotations

import secrets

from workbench.errors import DriverError
from workbench.workloads.http import Http, HttpError


async def log_in(url: str) -> str:
    """Make a new account and log in: its access token. Raises `DriverError` if the application refuses."""
    who = {"email": f"client-{secrets.token_hex(6)}@example.com", "password": secrets.token_urlsafe(18)}
    path = "/accounts"
    try:
        http = await Http.to(url)
        try:
            await http.request("POST", path, body=who)
            path = "/login"
            token: str = (await http.request("POST", path, body=who))["access_token"]
        finally:
            http.close()
    except (HttpError, OSError) as error:
        raise DriverError(
            f"Clients cannot log in to the application: POST {path} answered {error}. Its log says why."
        ) from error
    return token
