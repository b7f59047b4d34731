"""A certificate for tests, and a server that speaks TLS in front of one that does not."""

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from workbench.tls import ASK_POSTGRES


def make_certificate(folder: Path, *, name: str = "localhost") -> Path:
    """A file with a key and a certificate that it signed itself: of the server, and of its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(whose)
        .issuer_name(whose)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return file


@contextlib.contextmanager
def speaking_tls(port: int, certificate: Path, *, asked_like_postgres: bool = False) -> Iterator[int]:
    """The port of a server that decrypts, and hands on to 127.0.0.1:``port``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        threading.Thread(
            target=_accept, args=(server, context, port, asked_like_postgres), name="tls", daemon=True
        ).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket, context: ssl.SSLContext, port: int, asked: bool) -> None:
    with contextlib.suppress(OSError):  # closed: the end of the test
        while True:
            client, _ = server.accept()
            threading.Thread(target=_serve, args=(client, context, port, asked), daemon=True).start()


def _serve(client: socket.socket, context: ssl.SSLContext, port: int, asked: bool) -> None:
    with contextlib.suppress(OSError), client:
        if asked:
            assert client.recv(8) == ASK_POSTGRES
            client.sendall(b"S")
        with (
            context.wrap_socket(client, server_side=True) as secret,
            socket.create_connection(("127.0.0.1", port)) as to,
        ):
            back = threading.Thread(target=_copy, args=(to, secret), daemon=True)
            back.start()
            _copy(secret, to)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
