"""Numbers and names as the page of a report writes them."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with so many significant digits, as people write it; a dash where it is not known.

    >>> number(35682.0), number(-0.00378654), number(1.3e-6, 3), number(4.2e12), number(20640), number(None)
    ('35,682', '−0.003787', '1.3 × 10⁻⁶', '4.2 × 10¹²', '20,640', '–')
    """
    if value is None or not isfinite(value):
        return "–"
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}g}"
    mantissa, is_exponential, exponent = text.partition("e")
    if is_exponential and 1 <= abs(value) < 1e9:
        text = f"{value:,.0f}"
    elif is_exponential:
        text = f"{mantissa} × {power_of_ten(int(exponent))}"
    return text.replace("-", "−")


def power_of_ten(exponent: int) -> str:
    """Return a power of ten; in full from 0.001 to 1,000.

    >>> power_of_ten(3), power_of_ten(-6)
    ('1,000', '10⁻⁶')
    """
    return f"{10.0**exponent:,g}" if abs(exponent) <= 3 else f"10{str(exponent).translate(_SUPERSCRIPTS)}"


def share(value: float) -> str:
    """Return a share in percent.

    >>> share(0.0467), share(0.982)
    ('4.7 %', '98 %')
    """
    return f"{100 * value:.{0 if value >= 0.0995 else 1}f} %"


def with_unit(report: Mapping[str, Any], name: str) -> str:
    """Return the name of a feature or of the target, and its unit where that is known."""
    return f"{name} ({unit})" if (unit := report["units"].get(name)) else name


def deviation_of(report: Mapping[str, Any], name: str) -> str:
    """Return the standard deviation of a feature, with its unit where that is known."""
    unit = report["units"].get(name, "")
    times = "× " if unit[:1].isdigit() else ""
    return f"{number(report['features'][name]['deviation'], 3)} {times}{unit}".rstrip()
