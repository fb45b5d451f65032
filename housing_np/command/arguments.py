"""The arguments that commands share."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from .. import __version__
from ..errors import quoted
from .output import say, set_quiet
from .statuses import BAD_INPUT, DESCRIPTION

_DEFAULTS = {"features": "all others", "ignore": "none", "categories": "text of few levels"}
_BLANKS = re.compile(r'("(?:[^"]|"")*")|\s+(?=,|$)|(?<![^,])\s+')
_LONGEST = 400  # characters of a message of argparse
_STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_STANDARD_OUTPUT = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


class _Once(argparse.Action):
    """Store a value; refuse a second one, which would replace the first without a word."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        if getattr(namespace, self.dest) is not None:
            raise argparse.ArgumentError(self, "given twice; it takes one")
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """The argument parser of one command: options may stand anywhere, and an error is one line."""

    def __init__(self, name: str, description: str, example: str) -> None:
        super().__init__(
            prog=_program(name),
            description=description,
            epilog=f"example:\n  {_program(name)} {example}\n\n{DESCRIPTION}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument("--version", action="version", version=__version__, help="print the version and end")
        self.add_argument("-q", "--quiet", action="store_true", help="no notes on stderr; errors are still printed")

    def add_flag(self, name: str, help: str) -> None:
        """Add an option without a value."""
        self.add_argument(name, action="store_true", help=help)

    def add_once(self, name: str, metavar: str, help: str) -> None:
        """Add an option that is refused if it is given twice."""
        self.add_argument(name, metavar=metavar, action=_Once, help=help)

    def add_json(self) -> None:
        """Add the option of every command that prints a report."""
        self.add_flag("--json", "print one JSON object (default: text)")

    def add_out(self, *names: str, **options: Any) -> None:
        """Add the option for where the result goes; standard output is "-" by any of its names."""
        self.add_argument("-o", *names, dest=names[0].strip("-"), **{"type": _out, **options})

    def add_data(self) -> None:
        """Add the options for a user's own table and its columns."""
        from ..rows.formats import titles  # imported here because --version must not wait for NumPy

        self.add_once(
            "--data",
            "FILE",
            f"rows: {titles()}, also gzipped; a pattern such as 'part-*.csv' for several files; - for stdin "
            "(default: the bundled data)",
        )
        self.add_once("--target", "NAME", "the column of --data to predict (no default)")
        for name, text in (
            ("features", "the columns to predict it from"),
            ("ignore", "columns to leave out"),
            ("categories", "columns whose cells are names of levels, such as zip codes"),
        ):
            self.add_argument(
                f"--{name}",
                metavar="NAMES",
                type=_names,
                action="extend",
                default=[],
                help=f"{text}: names with commas between them, quoted as in CSV; may be repeated "
                f"(default: {_DEFAULTS[name]})",
            )
        self.add_argument(
            "--missing",
            choices=("mean", "skip"),
            default="stop",
            help="fill missing cells, numbers with their mean and categories with a level of its own; or leave their "
            "rows out (default: an error that counts them)",
        )
        self.add_reading()

    def add_reading(
        self,
        format: str = "format of --data if its extension is unknown",
        default: str = "by its name, else csv",
        empty: bool = False,
    ) -> None:
        """Add the options for how rows are read; ``empty`` is the choice of an empty answer to a bad row."""
        from ..rows.formats import TEXT_FORMATS

        self.add_argument("--format", choices=TEXT_FORMATS, help=f"{format} (default: {default})")
        self.add_argument(
            "--separator",
            metavar="CHAR",
            help="column separator of CSV (default: semicolons, tabs, bars or blanks where they are, else commas)",
        )
        self.add_argument(
            "--decimal",
            metavar="MARK",
            choices=(".", ","),
            default=".",
            help="decimal mark of CSV, a point or a comma (default: .)",
        )
        self.add_flag(
            "--no-header",
            "CSV without a line of names: its columns are the model's, in their order, or x0, x1, … (default: the "
            "first line holds the names)",
        )
        self.add_argument(
            "--encoding",
            metavar="NAME",
            help="encoding of CSV and JSON without a byte order mark, such as cp1252, Excel's (default: utf-8)",
        )
        self.add_argument(
            "--on-error",
            choices=("stop", "skip", "empty") if empty else ("stop", "skip"),
            default="stop",
            help="at a bad row, end the command, or leave the row out and count it"
            f"{', or answer an empty cell (in JSON null) and count it' if empty else ''} (default: stop)",
        )

    def check_data(self, options: argparse.Namespace) -> None:
        """End the command if one of these options is given without the other."""
        if options.data is not None and options.target is None:
            self.error("--data needs --target NAME")
        if options.data is None and options.target is not None:
            self.error("--target needs --data FILE")
        if options.data is None and (options.features or options.ignore or options.categories):
            self.error("--features, --ignore and --categories are for --data: the bundled data are fixed")

    def add_limits(self) -> None:
        """Add the options of the gates."""
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
        """Return the options; they may stand between positional arguments."""
        options, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._data_hint(options, unknown)}")
        set_quiet(options.quiet)
        return options

    def require_one_stdin(self, what: str, *names: str | None) -> None:
        """End the command if more than one of these files, the options' by `what`, is standard input."""
        if sum(name in _STANDARD_INPUT for name in names) > 1:
            self.error(f"of {what} only one can be standard input")

    def _data_hint(self, options: argparse.Namespace, unknown: Sequence[str]) -> str:
        """Return how files without their option are given; empty if these are none."""
        from shlex import quote  # imported here because predict must start fast

        option = "--against" if unknown[0].endswith(".npz") else "--data"
        if option not in self._option_string_actions or (unknown[0].startswith("-") and unknown[0] != "-"):
            return ""
        if len(unknown) == 1 and getattr(options, option[2:]) is None:
            return f"; did you mean {option} {quote(unknown[0])}?"
        pattern = ", or a pattern of files in quotes, such as 'part-*.csv'" if option == "--data" else ""
        return f"; {option} takes one file{pattern}"

    def error(self, message: str) -> NoReturn:
        shown = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
        say(f"{self.prog}: {shown}; see --help")
        self.exit(BAD_INPUT)


def reading(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `add_reading` under their names in `open_rows`."""
    return {
        "format": options.format,
        "separator": {"\\t": "\t", "tab": "\t"}.get(options.separator, options.separator),
        "decimal": options.decimal,
        "header": not options.no_header,
        "encoding": options.encoding,
    }


def table_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `add_data` under their names in `open_table`, but for the file and its target."""
    names = ("features", "ignore", "categories", "missing", "on_error")
    return {name: getattr(options, name) for name in names} | reading(options)


def _names(text: str) -> list[str]:
    """Parse one line of CSV into names."""
    import csv

    try:
        # Blanks at the ends of a name count within quotes only.
        trimmed = _BLANKS.sub(lambda found: found[1] or "", text)
        names = next(csv.reader([trimmed], strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a line of CSV ({error})") from None
    if not all(names) or not names:
        raise argparse.ArgumentTypeError(f"{quoted(text)} holds an empty name; expected names with commas between them")
    return names


def _out(name: str) -> str:
    return "-" if name in _STANDARD_OUTPUT else name


def _program(name: str) -> str:
    """Return how the user runs this command."""
    program = Path(sys.argv[0]).name
    if name and program == f"{name}.py":
        return f"python -m housing_np.{name}"
    return f"{program if program.startswith('housing-np') else 'python -m housing_np'} {name}".rstrip()
