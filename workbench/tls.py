"""TLS to a service that runs elsewhere: the relay and the probes speak it, while clients speak plain to their link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    import ssl

VERIFY = ("full", "ca", "none")
"""What is checked of a certificate: who signed it and whose it is; who signed it; nothing."""
STARTS = ("", "postgres")
ASK_POSTGRES = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""SSLRequest: what PostgreSQL wants to hear before TLS begins. It answers ``S`` or ``N``."""


@dataclass(frozen=True)
class Tls:
    """How to speak TLS to one host. Raises `ValueError` for a word it does not know."""

    name: str  # of the host, as its certificate must show it
    ca: str = ""  # a file of certificate authorities; "": the system's
    verify: str = "full"
    start: str = ""  # "postgres": TLS begins when PostgreSQL was asked for it

    def __post_init__(self) -> None:
        if not self.name or self.verify not in VERIFY or self.start not in STARTS:
            raise ValueError(f"there is no TLS like {self}")

    def context(self) -> ssl.SSLContext:
        """Raises `OSError` if the file of authorities cannot be read."""
        import ssl  # late: the relay starts without it

        context = ssl.create_default_context(cafile=self.ca or None)
        context.check_hostname = self.verify == "full"
        if self.verify == "none":
            context.verify_mode = ssl.CERT_NONE
        return context

    def wrap(self, connection: socket.socket) -> socket.socket:
        """The same connection, encrypted. Raises `OSError`, `ssl.SSLError` if the certificate is not accepted."""
        if self.start:
            connection.sendall(ASK_POSTGRES)
            if connection.recv(1) != b"S":
                raise ConnectionAbortedError("it does not want TLS")
        return self.context().wrap_socket(connection, server_hostname=self.name)

    def fields(self) -> dict[str, str]:
        """As a proxy of the relay is told."""
        told = {"tls": self.name, "tls_ca": self.ca, "tls_verify": self.verify, "tls_start": self.start}
        return {name: value for name, value in told.items() if value}

    @classmethod
    def of(cls, told: Mapping[str, str]) -> Tls | None:
        """What `fields` gave; None if it says nothing of TLS. Raises `ValueError`."""
        if not told.get("tls"):
            return None
        return cls(told["tls"], told.get("tls_ca", ""), told.get("tls_verify") or "full", told.get("tls_start", ""))
