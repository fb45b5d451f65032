"""Least squares from a mergeable one-pass summary of the rows."""

from .solution import Solution
from .summary import Summary, require_determined

__all__ = ["Solution", "Summary", "require_determined"]
