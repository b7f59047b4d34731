"""The claims of one notebook, their verdicts, and the files of record behind them."""

from workbench.evidence.claims import Claim
from workbench.evidence.evidence import Concluded, Decided, Evidence

__all__ = ["Claim", "Concluded", "Decided", "Evidence"]
