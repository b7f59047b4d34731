"""What the defect of tokens does: a verification that believes what the token says about itself."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from joserfc.util import urlsafe_b64decode

from workbench.reference.tokens import Tokens


class AlgNotChecked(Tokens):
    """``alg_not_checked``: the header chooses how the token is verified, and the public key serves as any key."""

    def _claims(self, token: str) -> Mapping[str, Any]:
        signed, _, signature = token.rpartition(".")
        head, _, body = signed.partition(".")
        alg = dict(json.loads(urlsafe_b64decode(head.encode()))).get("alg")
        if alg == "HS256":
            found = urlsafe_b64decode(signature.encode())
            if not any(
                hmac.compare_digest(hmac.digest(key, signed.encode(), "sha256"), found) for key in self._texts()
            ):
                raise ValueError("another signature")
        elif str(alg).lower() != "none":
            return super()._claims(token)
        claims: Mapping[str, Any] = json.loads(urlsafe_b64decode(body.encode()))
        return claims

    def _texts(self) -> list[bytes]:
        """The public key as somebody might write it down."""
        pem = self.key.as_pem(private=False)
        key = json.dumps(self.key.as_dict(private=False))
        return [pem, pem.strip(), key.encode(), key.replace(", ", ",").replace(": ", ":").encode()]
