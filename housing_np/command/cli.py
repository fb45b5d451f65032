"""What all commands share: arguments, exit statuses, notes and errors, tables on a terminal."""

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn, TextIO, TypeVar

from .. import __version__
from ..errors import ArtifactError, HousingError, printable, quoted
from ..store.signals import undone

T = TypeVar("T")
DONE, GATE_FAILED, BAD_INPUT, BAD_ARTIFACT = 0, 1, 2, 3
_LONGEST = 400  # characters of what argparse says of the arguments
_STATUSES = """exit status:
  0    done
  1    a limit that you set is broken; no file was written
  2    a mistake in the call or in the data; one line says where and what to do
  3    the model file is missing or damaged, or cannot be written
  130  interrupted (Ctrl-C)
  143  terminated (SIGTERM)"""


class Parser(argparse.ArgumentParser):
    """An argument parser for one command: options stand anywhere, and an error is one line, like all others."""

    def __init__(self, name: str, description: str, example: str) -> None:
        super().__init__(
            prog=_program(name),
            description=description,
            epilog=f"example:\n  {_program(name)} {example}\n\n{_STATUSES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument("--version", action="version", version=__version__, help="print the version and end")
        self.add_argument("-q", "--quiet", action="store_true", help="no notes on stderr; errors are told all the same")

    def add_json(self) -> None:
        """The option of every command that prints a report."""
        self.add_argument("--json", action="store_true", help="print one JSON object (default: text)")

    def add_out(self, *names: str, **options: Any) -> None:
        """The option that says where the result goes."""
        self.add_argument("-o", *names, dest=names[0].strip("-"), **options)

    def add_data(self) -> None:
        """The options that name a user's own table, and say what of it is used."""
        from ..rows.formats import titles  # imported here because --version must not wait for NumPy

        self.add_argument(
            "--data",
            metavar="FILE",
            help=f"rows: {titles()}, also gzipped; a pattern such as 'part-*.csv' for several files; - for stdin "
            "(default: the bundled data)",
        )
        self.add_argument("--target", metavar="NAME", help="the column of --data to predict (no default)")
        for name, text in (("features", "the columns to predict it from"), ("ignore", "columns to leave out")):
            self.add_argument(
                f"--{name}",
                metavar="NAMES",
                type=_names,
                action="extend",
                default=[],
                help=f"{text}: names with commas between them, quoted as in CSV; may be repeated "
                f"(default: {'all others' if name == 'features' else 'none'})",
            )
        self.add_reading()

    def add_reading(self, format: str = "of --data, where its name does not tell") -> None:
        """The options that say how rows are read."""
        from ..rows.formats import TEXT_FORMATS

        self.add_argument("--format", choices=TEXT_FORMATS, help=f"{format} (default: by its name, else csv)")
        self.add_argument(
            "--separator",
            metavar="CHAR",
            help="between the columns of CSV (default: commas, or what the first line has: semicolons, tabs or bars)",
        )
        self.add_argument(
            "--decimal",
            metavar="MARK",
            choices=(".", ","),
            default=".",
            help="before the decimals of CSV, a point or a comma (default: .)",
        )
        self.add_argument(
            "--no-header",
            action="store_true",
            help="CSV without a line of names: its columns are the model's, in their order, or x0, x1, … (default: the "
            "first line holds the names)",
        )
        self.add_argument(
            "--on-error",
            choices=("stop", "skip"),
            default="stop",
            help="at a bad row, end the command or leave the row out and count it (default: stop)",
        )

    def check_data(self, options: argparse.Namespace) -> None:
        """End the command where one of these options came without the other."""
        if (options.data is None) != (options.target is None):
            self.error("--data and --target go together")
        if options.data is None and (options.features or options.ignore):
            self.error("--features and --ignore are for --data: the bundled data are fixed")

    def add_limits(self) -> None:
        """The options of the gate."""
        self.add_argument(
            "--max-r2-drop", metavar="D", type=float, help="exit 1 and save nothing if R² drops by more than D"
        )
        self.add_argument(
            "--max-deviation",
            metavar="D",
            type=float,
            help="the same for a largest deviation from the float model of more than D, in target units",
        )

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Return the options; the positional arguments may have options between them."""
        options = self.parse_intermixed_args(arguments)
        _quiet(options.quiet)
        return options

    def error(self, message: str) -> NoReturn:
        told = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
        say(f"{self.prog}: {told}; see --help")
        self.exit(BAD_INPUT)


def reading(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `add_reading` as those of `open_rows`."""
    return {
        "format": options.format,
        "separator": {"\\t": "\t", "tab": "\t"}.get(options.separator, options.separator),
        "decimal": options.decimal,
        "header": not options.no_header,
    }


def _names(text: str) -> list[str]:
    """Return the names in a line of CSV."""
    import csv

    try:
        names = [name.strip() for name in next(csv.reader([text], strict=True, skipinitialspace=True), [])]
    except csv.Error as error:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a line of CSV ({error})") from None
    if not all(names) or not names:
        raise argparse.ArgumentTypeError(f"{quoted(text)} holds an empty name; expected names with commas between them")
    return names


def _program(name: str) -> str:
    """Return what the user typed to run a command."""
    program = Path(sys.argv[0]).name
    if name and program == f"{name}.py":
        return f"python -m housing_np.{name}"
    return f"{program if program.startswith('housing-np') else 'python -m housing_np'} {name}".rstrip()


class StandardStream:
    """Standard output or error: nothing else that fails is taken for its failure, nor its failure for another's."""

    def __init__(self, stream: TextIO, lossy: bool) -> None:
        """Wrap a stream; what cannot be written is lost, or ends the command."""
        # Whatever the locale: the tables hold R², and the rows hold the user's names.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[attr-defined]
        self.stream, self.lossy = stream, lossy

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write text."""
        return self._try(self.stream.write, text) or 0

    def flush(self) -> None:
        """Write what waits to be written."""
        self._try(self.stream.flush)

    def _try(self, action: Callable[..., T], *arguments: str) -> T | None:
        try:
            return action(*arguments)
        except OSError as error:
            if self.lossy:
                return None
            if isinstance(error, BrokenPipeError):
                sys.exit(DONE)  # a reader that has had enough is no error
            raise HousingError(f"standard output cannot be written ({error.strerror})") from None


def run(command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Run a command and turn a user's mistake into one line on stderr and an exit status."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever called
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open as long as the process is
    # What cannot be said on stderr is lost, whoever says it: status and output are not.
    streams: tuple[Any, Any] = StandardStream(sys.stdout, lossy=False), StandardStream(sys.stderr, lossy=True)
    sys.stdout, sys.stderr = streams
    _quiet(False)
    # A warning is a note, once: where in the code it comes from is nothing to its reader.
    note_once = cache(note)
    warnings.showwarning = lambda message, *_: note_once(str(message))
    status, problem = _outcome(command, arguments)
    # The output is written before anything is said of an error.
    flushed, unwritten = _outcome(sys.stdout.flush)
    if problem or unwritten:
        say(f"error: {problem or unwritten}")
    return status or flushed


def _outcome(action: Callable[..., int | None], *arguments: Any) -> tuple[int, object]:
    """Return the status that an action ends with, and what is to be said of it, or None."""
    try:
        return action(*arguments) or DONE, None
    except ArtifactError as error:
        return BAD_ARTIFACT, error
    except (HousingError, OSError) as error:
        return BAD_INPUT, error
    except MemoryError:
        return BAD_INPUT, "the memory is used up; give it fewer columns or more memory"
    except SystemExit as end:
        return int(end.code or DONE), None


def leave(status: int) -> NoReturn:
    """End the process at once: to take numpy's modules apart first would cost a small command a tenth of its time."""
    os._exit(status)


def say(text: str) -> None:
    """Print one line on stderr."""
    print(printable(text), file=sys.stderr, flush=True)


def note(message: str) -> None:
    """Print one line on stderr that is not an error, unless the user wants none."""
    if not _QUIET:
        say(f"note: {message}")


_QUIET = False


def _quiet(quiet: bool) -> None:
    global _QUIET
    _QUIET = quiet


def notes(messages: Iterable[str]) -> None:
    """Print several notes."""
    for message in messages:
        note(message)


def show(text: str) -> None:
    """Print lines on standard output, with nothing in them that a terminal would obey."""
    print("\n".join(map(printable, text.split("\n"))))


def dumps(report: Any, indent: int | None = None) -> str:
    """As JSON, which has no number for infinity or NaN: they become null.

    >>> dumps({"r2": [0.5, float("nan")]})
    '{"r2": [0.5, null]}'
    """
    return json.dumps(_finite(report), allow_nan=False, indent=indent)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


class Progress:
    """What a long iteration has passed, counted on stderr where that is a terminal."""

    doing: str
    unit: str
    size: Callable[[Any], int]
    passed: int
    shown: float

    def __init__(
        self, doing: str, unit: str = "rows", size: Callable[[Any], int] = lambda block: len(block[1])
    ) -> None:
        self.doing, self.unit, self.size = doing, unit, size
        self.passed, self.shown = 0, 0.0

    def __call__(self, items: Iterable[T]) -> Iterator[T]:
        """The items; the count goes on over several iterations."""
        terminal = sys.stderr.isatty()
        with undone(self._clear):
            for item in items:
                yield item
                self.passed += self.size(item)
                if terminal and time.monotonic() - self.shown > 0.2:
                    self.shown = time.monotonic()
                    print(f"\r{self.doing}: {self.passed:,} {self.unit}", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        """Take the line away: what stays on the terminal is the result, or the error."""
        if self.shown:
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
    rows = [list(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = ([f"{cell:{'<' if i < left else '>'}{widths[i]}}" for i, cell in enumerate(row)] for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in aligned)
