"""Least squares from a mergeable one-pass summary of the rows."""

from .factor import require_determined
from .solution import Solution
from .summary import Summary

__all__ = ["Solution", "Summary", "require_determined"]
