"""Nothing happens: the template of a toxic."""

from __future__ import annotations

from workbench.links.toxics import Toxic


class Noop(Toxic):
    """Every chunk leaves as it came, when it came."""
