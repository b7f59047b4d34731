"""One notebook over a matrix of parameters: cells side by side, here or on a cluster, and one summary of them all.

`Sweep` reads what a sweep left; `workbench sweep` makes one. `request` reads the file, `matrix` makes the cells,
`conduct` runs them (`local`, `cluster`) and keeps the record, `summary` writes the notebook that shows it.
"""

from workbench.sweeps.sweep import Sweep

__all__ = ["Sweep"]
