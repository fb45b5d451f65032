"""What tests of all formats read with: standard input, whole or in pieces, and what is told of bad rows."""

import itertools
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from housing_np import TableError
from housing_np.rows import open_rows, stop


def stdin(content, piece=None):
    """Standard input of this content, which comes at once or in pieces of so many bytes."""
    content = content if isinstance(content, bytes) else content.encode()
    stream = mock.Mock(buffer=Pieces(content, [piece])) if piece else TextIOWrapper(BytesIO(content))
    return mock.patch.object(sys, "stdin", stream)


def read(content, names, format="csv", on_error=stop, piece=None, **options):
    """All rows from standard input, as lists."""
    with stdin(content, piece), open_rows("-", format, on_error, **options) as opened:
        blocks = list(opened.blocks(names))
    assert all(block.dtype == np.float64 and block.shape[1:] == (len(names),) for block in blocks)
    return [row for block in blocks for row in block.tolist()]


def read_file(path, names, **options):
    with open_rows(path, **options) as opened:
        return [row for block in opened.blocks(names) for row in block.tolist()]


def refusal(content, names=("x", "y"), format="csv", piece=None):
    with pytest.raises(TableError, match=r"^standard input: ") as caught:
        read(content, list(names), format, piece=piece)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message.removeprefix("standard input: ")


def events(content, names, format="csv"):
    """Rows and errors in the order in which they come."""
    seen = []
    try:
        with stdin(content), open_rows("-", format) as opened:
            for block in opened.blocks(names):
                seen += block.tolist()
    except TableError as error:
        seen.append(str(error).partition(": ")[2])
    return seen


PLAIN = [[1.0, 2.0], [3.0, 4.0]]


class Pieces:
    """A stream that gives what it holds in pieces of these sizes, over and over."""

    def __init__(self, content, sizes):
        self.stream, self.sizes = BytesIO(content), itertools.cycle(sizes)

    def read1(self, size):
        return self.stream.read(min(size, next(self.sizes)))


def outcome(stream, format, on_error, names=("x", "y")):
    """Rows, errors that were given to `on_error`, and the error that ended it."""
    seen, errors = [], []
    try:
        with (
            mock.patch.object(sys, "stdin", mock.Mock(buffer=stream)),
            open_rows("-", format, errors.append if on_error == "skip" else stop) as opened,
        ):
            for block in opened.blocks(names):
                seen += block.tolist()
    except TableError as error:
        return seen, list(map(str, errors)), str(error)
    return seen, list(map(str, errors)), None


GOOD = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def told(content, format="csv", piece=None):
    """What is told of each bad row of three that are good, where bad ones are skipped."""
    errors = []
    assert read(content, ["x", "y"], format, errors.append, piece) == GOOD
    return [str(error).removeprefix("standard input: ") for error in errors]


class Endless:
    """A stream that repeats itself, and counts what was taken of it."""

    def __init__(self, start, text):
        self.start, self.text, self.taken = start, text, 0

    def read1(self, size):
        data, self.start = self.start or self.text * (size // len(self.text)), b""
        self.taken += len(data)
        return data


_MEASURED = """
import sys
from pathlib import Path
from housing_np import TableError
from housing_np.rows import FORMATS, open_rows

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

path, format, warm = sys.argv[1:]
for each in (warm, path):
    base, rows = peak(), 0
    try:
        with open_rows(each, format) as opened:
            for block in opened.blocks(["x0", "x1"]):
                rows += len(block)
        told = f"{rows} rows"
    except TableError as error:
        told = str(error)
print(peak() - base >> 10, told)
"""


def measured(path, format, warm):
    """The MiB that a file adds to the peak of a process that has read another of its format, and what it gives."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of memory is read as Linux has it")
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, path, format, warm], capture_output=True, text=True, check=True, timeout=60
    )
    mebibytes, told = done.stdout.strip().split(" ", 1)
    return int(mebibytes), told
