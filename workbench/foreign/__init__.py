"""Others' records: histories as Jepsen and Porcupine write them, read as if they were recorded here."""

from workbench.foreign.reading import read

__all__ = ["read"]
