"""What every command uses, under one name; and how a command is run."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..errors import ArtifactError, Door, HousingError, entered_by
from .arguments import Parser as Parser
from .arguments import reading as reading
from .arguments import table_options as table_options
from .output import dumps as dumps
from .output import note as note
from .output import notes as notes
from .output import say as say
from .output import show as show
from .output import show_bytes as show_bytes
from .output import standard_streams
from .progress import Progress as Progress
from .statuses import BAD_ARTIFACT as BAD_ARTIFACT
from .statuses import BAD_INPUT as BAD_INPUT
from .statuses import DONE as DONE
from .statuses import GATE_FAILED as GATE_FAILED


class CommandLine(Door):
    """The words of the command line: options."""

    def setting(self, name: str, value: object = None) -> str:
        """Return how a user sets the option of an argument, quoted as a shell needs it; or names it.

        >>> door = CommandLine()
        >>> print(door.setting("ignore", ["day, or date", "Sex"]), door.setting("separator", "\\t"))
        --ignore '"day, or date",Sex' --separator tab
        """
        # Imported here because only an error needs them.
        from shlex import quote

        from ..checks.names import in_csv
        from ..rows.formats import FORMATS

        if name == "header":
            return "--no-header"
        option = f"--{name.replace('_', '-')}"
        if value is None:
            return option
        words = in_csv(value) if isinstance(value, list) else "tab" if value == "\t" else str(value)
        ending = f", or end its name in {FORMATS[words].endings[0]}" if name == "format" else ""
        return f"{option} {quote(words)}{ending}"


def run(command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Run a command; report a user's mistake as one line on stderr and an exit status."""
    with standard_streams(), entered_by(CommandLine()):
        status, problem = _outcome(command, arguments)
        # The output is written before an error is reported.
        flushed, unwritten = _outcome(sys.stdout.flush)
        if problem or unwritten:
            say(f"error: {problem or unwritten}")
        return status or flushed


def _outcome(action: Callable[..., int | None], *arguments: Any) -> tuple[int, object]:
    """Return the exit status of an action, and the message of its error or None."""
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
    """End the process at once: unloading numpy's modules would cost a small command a tenth of its time."""
    os._exit(status)
