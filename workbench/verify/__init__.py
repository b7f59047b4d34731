"""Was what is on record found in what is on record? Judged again from disk; nothing of the system is run."""

from workbench.verify.judging import Again, judge_again

__all__ = ["Again", "judge_again"]
