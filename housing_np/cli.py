"""What all commands share: arguments, exit statuses, tables on a terminal."""

import argparse
import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from .errors import ArtifactError, HousingError

T = TypeVar("T")
DONE, GATE_FAILED, BAD_INPUT, BAD_ARTIFACT = 0, 1, 2, 3


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like all others."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(prog=f"housing_np {name}", description=description, allow_abbrev=False)

    def add_data(self) -> None:
        """The options that name a user's own table."""
        self.add_argument(
            "--data",
            metavar="FILE",
            help="rows: CSV, JSON, JSON Lines, .npy, Parquet; a pattern such as 'part-*.csv' for several files; "
            "- for stdin (default: the bundled data)",
        )
        self.add_argument("--target", metavar="NAME", help="the column of --data to predict")

    def check_data(self, options: argparse.Namespace) -> None:
        """End the command where one of these options came without the other."""
        if (options.data is None) != (options.target is None):
            self.error("--data and --target go together")

    def add_limits(self) -> None:
        """The options of the gate."""
        self.add_argument(
            "--max-r2-drop", metavar="D", type=float, help="exit 1 and save nothing if R² drops by more than D"
        )
        self.add_argument(
            "--max-deviation", metavar="D", type=float, help="the same for a largest deviation of more than D"
        )

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message}; see --help\n")


def run(command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Run a command and turn a user's mistake into one line on stderr and an exit status."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever called
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open as long as the process is
    for stream in (sys.stdout, sys.stderr):
        # Whatever the locale: the tables hold R², and the rows hold the user's names.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    # A warning is a note, once: where in the code it comes from is nothing to its reader.
    note_once = cache(note)
    warnings.showwarning = lambda message, *_: note_once(str(message))
    # As process 1 of a container, Python would ignore the signal that stops it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        status = command(arguments)
        sys.stdout.flush()
        return status
    except HousingError as error:
        _flush()
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return BAD_ARTIFACT if isinstance(error, ArtifactError) else BAD_INPUT
    except BrokenPipeError:
        _close()
        return DONE
    except OSError as error:
        _close()
        print(f"error: standard output cannot be written ({error.strerror})", file=sys.stderr)
        return BAD_INPUT
    except SystemExit:
        _flush()
        raise
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def leave(status: int) -> NoReturn:
    """End the process at once: to take numpy's modules apart first would cost a small command a tenth of its time."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _flush() -> None:
    """What was already answered is written before the error is."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _close()


def _close() -> None:
    """The reader is gone: nothing more can be written, not even what Python flushes at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(message: str) -> None:
    """One line on stderr that is not an error."""
    print(f"note: {_one_line(message)}", file=sys.stderr)


def _one_line(message: object) -> str:
    """Names of files and columns may hold line breaks."""
    return " ".join(str(message).splitlines())


def dumps(report: Any) -> str:
    """As JSON, which has no number for infinity or NaN: they become null.

    >>> dumps({"r2": [0.5, float("nan")]})
    '{"r2": [0.5, null]}'
    """
    return json.dumps(_finite(report), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


class Progress:
    """What a long iteration has passed, counted on stderr where that is a terminal."""

    def __init__(
        self, doing: str, unit: str = "rows", size: Callable[[Any], int] = lambda block: len(block[1])
    ) -> None:
        self.doing, self.unit, self.size = doing, unit, size
        self.passed, self.shown = 0, 0.0

    def __call__(self, items: Iterable[T]) -> Iterator[T]:
        """The items; the count goes on over several iterations."""
        terminal = sys.stderr.isatty()
        try:
            for item in items:
                yield item
                self.passed += self.size(item)
                if terminal and time.monotonic() - self.shown > 0.2:
                    self.shown = time.monotonic()
                    print(f"\r{self.doing}: {self.passed:,} {self.unit}", end="", file=sys.stderr, flush=True)
        finally:
            if terminal and self.shown:
                # The line goes when the work is done: what stays on the terminal is the result, or the error.
                print("\r\033[K", end="", file=sys.stderr, flush=True)


MEASURED = ("R²", "MSE", "largest dev.", "RMS dev.", "payload", "file size")


def measured(row: Mapping[str, Any]) -> list[str]:
    """The cells below the heads `MEASURED`, for a model whose figures are known by name."""
    return [
        f"{row['r2']:.4f}",
        f"{row['mse']:.4g}",
        f"{row['largest_deviation']:.3g}",
        f"{row['rms_deviation']:.3g}",
        f"{row['payload_bytes']} B",
        f"{row['file_bytes']} B",
    ]


def table(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Lines of aligned columns; the first of the rows is the head, all but the first `left` columns stand to the right.

    >>> print(table([["stage", "R²"], ["float64", "0.6"]]))
    stage     R²
    float64  0.6
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = ([f"{cell:{'<' if i < left else '>'}{widths[i]}}" for i, cell in enumerate(row)] for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in aligned)
