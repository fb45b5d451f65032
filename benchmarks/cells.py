"""Numbers as the cells of tables, and tables as Markdown."""

from collections.abc import Sequence
from math import log10


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a table whose first columns are aligned left, and the others right."""
    rule = ["---" if i < left else "---:" for i in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def duration(seconds: float) -> str:
    """Return three digits and the unit that fits."""
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds / 1e-9)} ns"


def three_digits(value: float) -> str:
    """Return at least three digits: all before the point, and two after it where there is but one before."""
    places = max(0, 2 - int(log10(value))) if value >= 1 else 2
    return f"{value:,.{places}f}"


def spread(values: Sequence[float]) -> str:
    """Return the median, and in brackets the least and the most."""
    middle, least, most = map(three_digits, values)
    return f"{middle} ({least}–{most})"


def mib(value: float | None) -> str:
    """Return whole MiB; nothing for what was not measured."""
    return "" if value is None else f"{value:,.0f} MiB"


def signed(number: str) -> str:
    """Return the number with a minus sign in place of a hyphen."""
    return number.replace("-", "−", 1) if number.startswith("-") else number


def verdict(value: float, target: float | None, unit: str = "×") -> str:
    """Return the target and whether it was met; nothing without a target."""
    return "" if target is None else f"{target}{unit}: {met(value >= target)}"


def met(is_met: bool) -> str:
    """Return the word for it."""
    return "met" if is_met else "missed"
