"""The system under test as its owner describes it: how it is started, when it is ready, what clients can ask of it."""

from workbench.systems.load import load_system
from workbench.systems.system import System

__all__ = ["System", "load_system"]
