"""The count of what a long iteration has passed."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..store.signals import undone

T = TypeVar("T")


class Progress:
    """The count of what a long iteration has passed, shown on stderr if that is a terminal."""

    def __init__(
        self, doing: str, unit: str = "rows", size: Callable[[Any], int] = lambda block: len(block[1])
    ) -> None:
        self.doing, self.unit, self.size = doing, unit, size
        self.passed, self.shown = 0, 0.0

    def __call__(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items; the count goes on over several iterations."""
        terminal = sys.stderr.isatty()
        with undone(self._clear):
            for item in items:
                yield item
                self.passed += self.size(item)
                if terminal and time.monotonic() - self.shown > 0.2:
                    self.shown = time.monotonic()
                    print(f"\r{self.doing}: {self.passed:,} {self.unit}", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        """Clear the line, so that only the result or the error stays on the terminal."""
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
