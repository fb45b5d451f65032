"""Progress is for whoever watches a terminal, and for nobody else."""

import io

import pytest

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
