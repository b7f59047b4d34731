"""What the Celery worker runs: three tasks as in Celery's tutorial, with its default settings."""

import os
import time

from celery import Celery
from redis import Redis

app = Celery("tasks", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.broker_connection_retry_on_startup = True  # its default; said, so that it does not warn
lists = Redis.from_url(os.environ["REDIS_URL"])


@app.task
def append(key: str, value: int) -> None:
    time.sleep(0.05)  # what else a task does
    lists.rpush(f"list:{key}", value)


@app.task
def read(key: str) -> list[int]:
    return [int(value) for value in lists.lrange(f"list:{key}", 0, -1)]


@app.task
def echo(text: str) -> str:
    return text
