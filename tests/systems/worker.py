"""A worker without a port: appends to lists what it is told to over a queue. Started as ``python worker.py``."""

import os
import time

import redis

STORE = redis.Redis.from_url(os.environ["REDIS_URL"], retry=None, socket_timeout=3)

if __name__ == "__main__":
    STORE.ping()
    print("working")
    while True:
        try:
            _, job = STORE.blpop("jobs")
            key, value, done = job.decode().split()
            STORE.rpush(key, value)
            STORE.rpush(done, 1)
        except (redis.ConnectionError, redis.TimeoutError):
            time.sleep(0.02)
