import os
import stat
import threading
from pathlib import Path

import pytest

from housing_np.files import open_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(path, content):
    with open_whole(path) as file:
        file.write(content)


def test_a_new_file_holds_what_was_written(tmp_path):
    write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_path_as_str(tmp_path):
    write(str(tmp_path / "a"), b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_an_old_file_is_replaced_whole(tmp_path):
    (tmp_path / "a").write_bytes(b"much longer than the new one")
    write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_nothing_else_is_left_in_the_folder(tmp_path):
    write(tmp_path / "a", b"new")
    assert names(tmp_path) == ["a"]


def test_the_old_file_stays_until_the_block_ends(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with open_whole(tmp_path / "a") as file:
        file.write(b"new")
        file.flush()
        assert (tmp_path / "a").read_bytes() == b"old"


def test_an_error_in_the_block_leaves_the_old_file_alone(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(RuntimeError, match="half way"), open_whole(tmp_path / "a") as file:
        file.write(b"new")
        raise RuntimeError("half way")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_an_error_in_the_block_leaves_no_new_file(tmp_path):
    with pytest.raises(KeyboardInterrupt, match="stop"), open_whole(tmp_path / "a"):
        raise KeyboardInterrupt("stop")
    assert names(tmp_path) == []


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "replace")])
def test_an_error_at_the_end_leaves_the_old_file_alone(tmp_path, monkeypatch, owner, name):
    def fail(*args):
        raise OSError(28, "No space left on device")

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(owner, name, fail)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "a", b"new")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_all_bytes_are_on_the_disk_before_the_rename(tmp_path, monkeypatch):
    events, replace = [], Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: events.append(os.fstat(number).st_size))
    monkeypatch.setattr(Path, "replace", lambda self, target: events.append("rename") or replace(self, target))
    write(tmp_path / "a", b"12345")
    assert events == [5, "rename"]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to("a")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_link_to_nowhere_makes_the_file_that_it_names(tmp_path):
    (tmp_path / "link").symlink_to("a")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    write(tmp_path / "pipe", b"new")
    reader.join(timeout=10)
    assert got == [b"new"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_device_is_written_to_and_stays_a_device():
    write("/dev/null", b"new")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_new_file_can_be_read_by_whom_the_umask_allows(tmp_path):
    old = os.umask(0o027)
    try:
        write(tmp_path / "a", b"new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_folder_cannot_be_written(tmp_path):
    with pytest.raises(IsADirectoryError, match="Is a directory"):
        write(tmp_path, b"new")


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file or directory"):
        write(tmp_path / "missing" / "a", b"new")
