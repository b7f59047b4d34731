"""Few pictures, one look: pure functions from a history to a figure; every one over time shades the windows.

A picture as the last expression of a cell is shown once, with its finding as the text for those who cannot see it.
Matplotlib is imported when the first picture is drawn.
"""

from workbench.plots.capacity import capacity
from workbench.plots.comparisons import comparisons
from workbench.plots.deliveries import deliveries
from workbench.plots.delivery import delivery
from workbench.plots.goodput import goodput
from workbench.plots.history import history
from workbench.plots.latency import latency
from workbench.plots.logs import logs
from workbench.plots.matrix import matrix
from workbench.plots.rate import rate
from workbench.plots.resources import resources
from workbench.plots.timeline import timeline
from workbench.plots.versus import quantiles, versus

__all__ = [
    "capacity",
    "comparisons",
    "deliveries",
    "delivery",
    "goodput",
    "history",
    "latency",
    "logs",
    "matrix",
    "quantiles",
    "rate",
    "resources",
    "timeline",
    "versus",
]
