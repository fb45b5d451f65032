"""Lines on stderr, where a hostile client could cause thousands of them."""

from time import monotonic

from ..command.output import say

_SECONDS = 10.0
_last: dict[str, float] = {}


def note(text: str) -> None:
    """Print one line, unless the same one was printed in the last ten seconds."""
    now = monotonic()
    if now - _last.get(text, -_SECONDS) >= _SECONDS:
        _last[text] = now
        say(f"note: {text}")


def report(error: BaseException, where: str) -> None:
    """Print one line about an error that should not happen, with the place in the code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})" if trace else ""
    say(f"error: {where}: {type(error).__name__}: {error}{place}; please report it")
