"""Things that stand where a Docker engine should: a socket that somebody serves, not as an engine would."""

import contextlib
import json
import socket
import threading


@contextlib.contextmanager
def listening(path, *, answer=None):
    """A unix socket at ``path``; to each request it says ``answer`` (bytes), or nothing at all."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    held = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                held.append(connection)
                if answer is not None:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.close()

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        yield f"unix://{path}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        serving.join()
        for connection in held:
            connection.close()


def http(status, content):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
