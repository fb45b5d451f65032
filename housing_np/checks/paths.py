"""What can be the path of a file, checked once for all that reads and writes files."""

import os
import re
from pathlib import Path
from typing import Any

from ..errors import HousingError, quoted

_URL = re.compile(r"[A-Za-z][\w+.-]+://")
_LONGEST = 255  # characters of a path in a message


def as_path(path: Any, error: type[HousingError]) -> Path:
    """Return a path; raise the error for a URL and for what no file can be called: NUL, a lone surrogate, no text.

    >>> as_path("homes.csv", HousingError).suffix
    '.csv'
    """
    if isinstance(path, str) and _URL.match(path):
        raise error(
            f"{shown_path(path)}: a URL, and only files are read and written; download it first, and give the path"
        )
    try:
        if b"\0" not in os.fsencode(found := Path(path)):
            return found
        reason = "it holds NUL"
    except UnicodeEncodeError:
        reason = "it is no text that a file system can hold"
    except TypeError:
        reason = f"it is a {type(path).__name__}, not a str or a Path"
    said = shown_path(repr(path)) if isinstance(path, str) else quoted(path)
    raise error(f"{said}: no file can be called so ({reason}); give the path of a file")


def shown_path(path: str | os.PathLike[str]) -> str:
    """Return a path as a message shows it: of one that is too long, the end."""
    text = str(path)
    return text if len(text) <= _LONGEST else f"…{text[1 - _LONGEST :]}"
