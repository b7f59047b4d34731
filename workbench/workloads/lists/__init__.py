"""Where `Appends` keeps its lists: one file per place, named like the service clients speak to.

Each has a class ``Lists(urls, run, store)`` with ``prepare()`` and ``connect()``, which gives a connection with
``append(key, value)``, ``read(key)`` and ``close()``; and ``classify(error)`` for what these raise. In the store a key
is preceded by the name of the run, so that runs on one stack do not meet. In `sentinel`, where it matters which client
connects, ``connect`` is told, and a connection can ``settle()``.
"""
