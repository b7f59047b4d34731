"""Was what is on record found in what is on record? Held against its seal and judged again; nothing is run."""

from workbench.verify.judging import Again, judge_again
from workbench.verify.verified import Checked, Judged, Seal, Verified, verify

__all__ = ["Again", "Checked", "Judged", "Seal", "Verified", "judge_again", "verify"]
