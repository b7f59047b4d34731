"""Rooms: what one member sends, every member gets, whichever process its socket is on.

A room is a name and a relay. Over ``pubsub`` a message is published and gone: who is not there misses it. Over
``stream`` Redis keeps the last `stream.KEPT` messages of a room, each with an id, and a member that comes back with
the id after which it wants to go on gets every message once and in order.

======================  ===========================================================================================
``resp.py``             the bytes of Redis's protocol
``connection.py``       one connection to Redis, asked and answered in order
``standing.py``         a connection that is always there again
``messages.py``         a message, written once for all its readers; ids
``crowd.py``            the members of a room on this process
``pubsub.py``           the relay over publish and subscribe
``stream.py``           the relay over streams
``hall.py``             the relays together: what the routes use
``frames.py``           what a socket may say about rooms
``visitor.py``          one socket in its rooms
======================  ===========================================================================================
"""
