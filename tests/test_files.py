import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from running import environment

from housing_np.store.files import open_whole

posix = pytest.mark.skipif(os.name != "posix", reason="as POSIX systems do it")


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


@posix
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    write(tmp_path / "pipe", b"new")
    reader.join(timeout=10)
    assert got == [b"new"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@posix
def test_a_device_is_written_to_and_stays_a_device():
    write("/dev/null", b"new")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@posix
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


@posix
def test_a_name_may_be_as_long_as_the_file_system_has_them(tmp_path):
    name = "n" * os.pathconf(tmp_path, "PC_NAME_MAX")
    write(tmp_path / name, b"new")
    assert names(tmp_path) == [name]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o444, 0o775])
def test_a_file_that_is_replaced_keeps_its_mode(mode, tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(mode)
    write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


@posix
def test_a_private_file_is_private_while_it_is_written(tmp_path):
    (tmp_path / "a").touch(mode=0o600)
    with open_whole(tmp_path / "a") as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_root_does_not_take_a_users_file_away(tmp_path):
    (tmp_path / "a").touch()
    os.chown(tmp_path / "a", 1234, 4321)
    write(tmp_path / "a", b"new")
    assert ((tmp_path / "a").stat().st_uid, (tmp_path / "a").stat().st_gid) == (1234, 4321)


@pytest.fixture
def writer(tmp_path):
    """A process that is in the middle of writing a file."""
    code = (
        "import sys; from housing_np.store.files import open_whole\n"
        f"with open_whole({str(tmp_path / 'a')!r}) as file:\n"
        "    file.write(b'other'); file.flush(); print(flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], env=environment(), **pipes) as process:
        assert process.stdout.readline() == b"\n"
        yield process
        process.kill()


@posix
def test_what_a_killed_writer_left_is_cleared_by_the_next(writer, tmp_path):
    writer.send_signal(signal.SIGKILL)
    writer.wait(30)
    assert len(names(tmp_path)) == 1
    write(tmp_path / "a", b"new")
    assert names(tmp_path) == ["a"]


@posix
def test_what_a_living_writer_writes_is_left_to_it(writer, tmp_path):
    write(tmp_path / "a", b"new")
    assert len(names(tmp_path)) == 2
    assert (tmp_path / "a").read_bytes() == b"new"
    writer.communicate(timeout=30)
    assert writer.returncode == 0
    assert (tmp_path / "a").read_bytes() == b"other"
    assert names(tmp_path) == ["a"]


def test_writers_of_one_process_do_not_disturb_each_other(tmp_path):
    with open_whole(tmp_path / "a") as file:
        file.write(b"later")
        thread = threading.Thread(target=write, args=(tmp_path / "a", b"sooner"))
        thread.start()
        thread.join(timeout=30)
        assert (tmp_path / "a").read_bytes() == b"sooner"
    assert (tmp_path / "a").read_bytes() == b"later"


def test_a_file_that_another_clears_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    flock, cleared = fcntl.flock, []

    def first_cleared(file, how):
        if not cleared:
            cleared.extend(tmp_path.iterdir())
            cleared[0].unlink()
        return flock(file, how)

    monkeypatch.setattr(fcntl, "flock", first_cleared)
    write(tmp_path / "a", b"new")
    assert len(cleared) == 1
    assert (tmp_path / "a").read_bytes() == b"new"


@posix
def test_where_there_are_no_locks_nothing_is_cleared(writer, tmp_path, monkeypatch):
    def no_locks(*args):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", no_locks)
    write(tmp_path / "a", b"new")
    assert len(names(tmp_path)) == 2
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("name", [".housing_np-mine.tmp", "a.tmp", f".housing_np-{'0' * 16}.tmp.csv"])
def test_other_files_are_nobodys_to_clear(name, tmp_path):
    (tmp_path / name).touch()
    write(tmp_path / "a", b"new")
    assert names(tmp_path) == sorted([name, "a"])


@posix
def test_a_pipe_that_only_its_descriptor_names_is_written_to():
    reading, writing = os.pipe()
    with open(reading, "rb") as pipe:  # noqa: PTH123 - of a descriptor
        write(f"/dev/fd/{writing}", b"new")
        os.close(writing)
        assert pipe.read() == b"new"


@posix
def test_a_descriptor_of_a_file_is_written_to_where_it_stands(tmp_path):
    with (tmp_path / "a").open("ab", buffering=0) as file:
        file.write(b"before ")
        write(f"/dev/fd/{file.fileno()}", b"new")
        file.write(b" after")
    assert (tmp_path / "a").read_bytes() == b"before new after"
