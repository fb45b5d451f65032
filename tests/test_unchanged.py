"""A file that changes while train reads it: one line, status 2, and nothing is written."""

import os
import shutil

import numpy as np
import pytest
from running import assert_refused, run

from housing_np.checks.unchanged import stamp
from housing_np.errors import TableError
from housing_np.fit.linear import LinearRegression
from housing_np.rows.table import open_stream
from housing_np.store.report import Sums

CHANGED = "rows.npy changed while it was read; run again"
DATA = ("--data", "rows.npy", "--target", "x1")


def save_rows(path, seed, n=5000):
    np.save(path, np.random.default_rng(seed).normal(size=(n, 2)))


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def lengthen(path):
    with path.open("ab") as file:
        file.write(b"\0" * 8)


def replace(path):
    save_rows(path.with_name("new.npy"), 1)
    path.with_name("new.npy").replace(path)


CHANGES = {
    "overwritten": lambda path: save_rows(path, 1),
    "with fewer rows": lambda path: save_rows(path, 0, 100),
    "with more rows": lambda path: save_rows(path, 0, 6000),
    "cut": cut,
    "longer": lengthen,
    "replaced": replace,
    "removed": lambda path: path.unlink(missing_ok=True),
}


@pytest.fixture
def folder(tmp_path):
    save_rows(tmp_path / "rows.npy", 0)
    return tmp_path


@pytest.fixture
def between(monkeypatch):
    """Read files twice, and do something between the two passes."""
    solve = LinearRegression.set_solution
    monkeypatch.setattr("housing_np.rows.table._MEMORY_NUMBERS", 100)

    def between(action):
        def solve_after(self, *arguments, **options):
            action()
            return solve(self, *arguments, **options)

        monkeypatch.setattr(LinearRegression, "set_solution", solve_after)

    return between


@pytest.mark.parametrize("how", CHANGES)
def test_a_file_that_changes_between_the_passes_ends_the_training(how, folder, between):
    between(lambda: CHANGES[how](folder / "rows.npy"))
    assert_refused(run("train", *DATA, cwd=folder), 2, CHANGED)
    assert not (folder / "models").exists()


def test_a_file_of_several_is_named(folder, between):
    shutil.copy(folder / "rows.npy", folder / "more.npy")
    between(lambda: cut(folder / "rows.npy"))
    assert_refused(run("train", "--data", "*.npy", "--target", "x1", cwd=folder), 2, CHANGED)


def test_rows_that_are_fewer_under_the_same_size_and_time_end_the_training(folder, between):
    path = folder / "rows.csv"
    path.write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(10, 99)))
    status = path.stat()

    def join_two_lines():
        path.write_text(path.read_text().replace("10,100\n11,121\n", "10,1000000.00\n"))
        assert path.stat().st_size == status.st_size
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    between(join_two_lines)
    done = run("train", "--data", "rows.csv", "--target", "b", cwd=folder)
    assert_refused(done, 2, "the files changed while they were read (89 rows, then 88); run again")
    assert not (folder / "models").exists()


def test_the_same_file_twice_is_a_training(folder, between):
    between(lambda: None)
    assert run("train", *DATA, cwd=folder).returncode == 0


@pytest.mark.parametrize("how", CHANGES)
def test_a_file_that_changes_while_it_is_read_is_named(how, folder, monkeypatch):
    monkeypatch.setattr("housing_np.rows.npy.BLOCK_NUMBERS", 1000)
    blocks = iter(open_stream(folder / "rows.npy", "x1"))
    next(blocks)
    CHANGES[how](folder / "rows.npy")
    with pytest.raises(TableError, match=CHANGED):
        list(blocks)


def test_rows_in_memory_have_the_sums_of_the_same_file(folder, monkeypatch):
    opened = Sums.__init__

    def late(self, paths):
        opened(self, paths)
        self.found({})
        save_rows(folder / "rows.npy", 1)

    monkeypatch.setattr(Sums, "__init__", late)
    assert_refused(run("train", *DATA, cwd=folder), 2, CHANGED)
    assert not (folder / "models").exists()


def test_sums_are_of_the_files_that_were_read(folder):
    path = str(folder / "rows.npy")
    known, sums = stamp(path), Sums([path])
    assert list(sums.found({path: known})) == [path]
    with pytest.raises(TableError, match=CHANGED):
        sums.found({path: known._replace(time=known.time + 1)})


def test_what_is_no_file_has_no_stamp(tmp_path):
    assert [stamp(path) for path in ("-", tmp_path, tmp_path / "none", os.devnull, "a\0b")] == [None] * 5
