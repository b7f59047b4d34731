"""Is there a legal order? The search for one, for each object of a history by itself.

An object is one key of one workload, and its history is linearizable by itself (Herlihy and Wing 1990: locality). What
has a polynomial answer gets it (`zones`, `sets`, `queues`); for everything else two searches race (`frontier`,
`search`), in slices, the objects interleaved.
"""

from workbench.linear.decide import Answer, Contradiction, decide

__all__ = ["Answer", "Contradiction", "decide"]
