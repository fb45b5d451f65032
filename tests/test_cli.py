"""Progress is shown on terminals only, and a command leaves the process as it was."""

import io
import sys
import warnings
from contextlib import contextmanager

import pytest

from housing_np.command import cli
from housing_np.command.progress import Progress

BLOCKS = [("X", range(1000)), ("X", range(500))]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def written(monkeypatch):
    """Return a function that runs two passes of one count over blocks, and gives what was written on stderr."""

    def written(stream, progress):
        monkeypatch.setattr("sys.stderr", stream)
        for _ in range(2):
            assert list(progress(BLOCKS)) == BLOCKS
        return stream.getvalue()

    return written


def test_a_terminal_shows_what_has_passed_and_is_left_clean(written, monkeypatch):
    monkeypatch.setattr("time.monotonic", iter(range(1, 100)).__next__)
    text = written(Terminal(), Progress("fit"))
    assert text.split("\r")[1:] == [
        *("fit: 1,000 rows", "fit: 1,500 rows", "\033[K"),
        *("fit: 2,500 rows", "fit: 3,000 rows", "\033[K"),
    ]


def test_a_terminal_is_not_written_to_more_often_than_it_is_read(written, monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 5.0)
    assert written(Terminal(), Progress("fit", "files", lambda _: 1)).count("files") == 1


def test_nothing_is_written_where_nobody_watches(written):
    assert written(io.StringIO(), Progress("fit")) == ""


@contextmanager
def other_streams():
    """Standard output and error in another encoding than the commands' own, and warnings that are shown."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("default")
        for name in ("stdout", "stderr"):
            patch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors="replace"))
        yield sys.stdout, sys.stderr


def quiet(arguments):
    cli.Parser("train", "", "").parse(["-q"])
    warnings.warn("not printed", stacklevel=1)
    cli.show("R² ‰")
    return cli.DONE


def failing(arguments):
    raise KeyError("a defect")


def test_a_command_prints_utf8_and_leaves_the_streams_as_they_were():
    with other_streams() as (out, err):
        assert cli.run(quiet, []) == cli.DONE
        assert (sys.stdout, sys.stderr) == (out, err)
    assert {(stream.encoding, stream.errors) for stream in (out, err)} == {("latin-1", "replace")}
    assert (out.buffer.getvalue().decode(), err.buffer.getvalue()) == ("R² ‰\n", b"")


def test_a_command_leaves_warnings_as_they_were():
    with other_streams():
        before = warnings.showwarning
        cli.run(quiet, [])
        assert warnings.showwarning is before


def test_quiet_is_for_one_command():
    with other_streams() as (_, err):
        cli.run(quiet, [])
        cli.note("printed")
    assert err.buffer.getvalue() == b"note: printed\n"


def test_a_command_with_a_defect_leaves_the_streams_as_they_were():
    with other_streams() as streams:
        with pytest.raises(KeyError):
            cli.run(failing, [])
        assert (sys.stdout, sys.stderr) == streams
