"""Locust's part of the comparison: users that hold a socket each, send, wait for the echo, and fire a request event.

locust --headless -f tests/bench/_locust.py --host ws://127.0.0.1:PORT/ws -u 200 -r 200 -t 3s
"""

import time

import websocket
from _echo import token
from locust import User, task

MESSAGE = '{"type":"echo","n":%d,"padding":"' + "x" * 64 + '"}'


class Echoing(User):
    clients = iter(range(1_000_000))

    def on_start(self):
        header = [f"Authorization: Bearer {token(next(self.clients))}"]
        self.socket = websocket.create_connection(self.host, header=header, origin="http://localhost")
        self.n = 0

    def on_stop(self):
        self.socket.close()

    @task
    def echo(self):
        self.n += 1
        message = MESSAGE % self.n
        began = time.perf_counter()
        self.socket.send(message)
        answer = self.socket.recv()
        self.environment.events.request.fire(
            request_type="WS",
            name="echo",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=len(answer),
            exception=None if answer == message else ValueError(answer),
            context={},
        )
