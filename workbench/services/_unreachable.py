"""Why a service that runs elsewhere cannot be reached, told apart by what went wrong, and what to do."""

from __future__ import annotations

import socket
import ssl

from workbench.services._elsewhere import Outside
from workbench.services._pgwire import Refused

_WRONG_PASSWORD = ("28P01", "28000", "WRONGPASS", "NOAUTH", "(code 18)", "(code 13)", "invalid password", " 401 ")


def explain(service: Outside, error: BaseException) -> str:
    """For the end of "… cannot be reached: ". The URL's password is not repeated."""
    url = service.address
    where = f"{url.host} on port {url.port}"
    text = str(error).rstrip(".") or type(error).__name__
    match error:
        case socket.gaierror() | UnicodeError():
            why = f"the name {url.host} is not known ({getattr(error, 'strerror', text)})"
            todo = "Is it spelt right, and does this network know it?"
        case ConnectionRefusedError():
            why = f"{where} refuses connections: nothing listens there"
            todo = "Is it running, and is that its port?"
        case ssl.SSLCertVerificationError():
            why = f"the certificate of {where} is not accepted: {error.verify_message.rstrip('.')}"
            todo = "If an authority of your own signed it, name its file in the environment variable SSL_CERT_FILE."
        case ssl.SSLError():
            why = f"TLS with {where} fails ({(error.reason or text).lower().replace('_', ' ')})"
            todo = "Does it speak TLS at all, on this port?"
        case TimeoutError():
            why = f"{where} does not answer"
            todo = "Is the host up, and does a firewall let this machine through?"
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            why = f"{where} closed the connection before it answered ({text})"
            todo = f"Does it speak {service.speaks}, and {'with TLS' if url.tls else 'without TLS'}?"
        case Refused(code="3D000"):
            why, todo = f"{where} answers: {text}", "Is the database in the URL the right one?"
        case ConnectionError() | PermissionError() if any(word in text for word in _WRONG_PASSWORD):
            why = f"{where} does not let {url.user or 'the client'} in: {text}"
            todo = "Are user and password of the URL right?"
        case OSError():
            why, todo = f"{where} answers with an error: {text}", "What its own log says of it may help."
        case _:
            why = f"what {where} answers is not {service.speaks} ({text})"
            todo = "Is the scheme of the URL right?"
    return f"{why}. {todo}"
