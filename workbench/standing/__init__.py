"""Stacks that stay up between notebooks: ``workbench up``, ``workbench down``, and what ``Stack(reuse=True)`` borrows.

`calls` brings one up and ends it; `owner` is the process that owns it, started by `calls` in a session of its own;
`leases` says who has borrowed what, and takes it back. (Nothing is imported here: the owner starts the sooner for it.)
"""
