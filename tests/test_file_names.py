"""Files whose names are templates, not UTF-8, or of several lines: commands take them, or say no in one line."""

import os
import shutil
import subprocess

import pytest
from running import run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="as POSIX systems name files")
NAMES = ["{b:nope}", "{x:path}{", "%s%(x)d", os.fsdecode(b"m\xff"), "a\nb", "a\\b"]


@pytest.fixture(params=NAMES, ids=ascii)
def folder(request, models, tmp_path):
    """A folder with this name, with models and rows of this name in it."""
    folder, stem = tmp_path / request.param, request.param
    try:
        shutil.copytree(models, folder)
    except OSError:
        pytest.skip("the file system has no such names")
    shutil.copy(models / "float64.npz", folder / f"{stem}.npz")
    (folder / f"{stem}.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(30)))
    return folder


def assert_done(done):
    assert (done.returncode, done.stderr) == (0, "")


def assert_one_line(done):
    assert done.returncode in (2, 3)
    assert len(done.stderr.splitlines()) == 1


def test_every_command_takes_them(folder):
    path, name = str(folder / f"{folder.name}.npz"), folder.name
    uint8 = folder / "uint8-integer.npz"
    rows = ["--data", folder / f"{name}.csv", "--target", "b", "-q"]
    assert_done(run("train", *rows, "-o", folder / "out", "--report", folder / f"{name}.md", cwd=folder))
    assert_done(run("quantize", path, "--out", folder / f"{name} 8.npz", cwd=folder))
    assert_done(run("predict", uint8, "-q", "-o", folder / f"{name}.json", cwd=folder))
    assert_done(run("explain", uint8, "--against", path, cwd=folder))
    assert_done(run("explain", uint8, "--against", path, "--json", cwd=folder))
    assert_done(run("export.__main__", uint8, "-o", folder / f"{name}.html", cwd=folder))


def test_every_command_refuses_them_in_one_line(folder):
    path, name = str(folder / f"{folder.name}.csv"), folder.name
    uint8 = str(folder / "uint8-integer.npz")
    assert_one_line(run("train", "--data", path, "--target", "none", cwd=folder))
    assert_one_line(run("quantize", uint8, "--out", f"{name}.npz", cwd=folder))
    assert_one_line(run("quantize", path, "--out", f"{name}.npz", cwd=folder))
    assert_one_line(run("predict", uint8, path, cwd=folder))
    assert_one_line(run("predict", f"{name} none.npz", path, cwd=folder))
    assert_one_line(run("explain", uint8, "--against", uint8, cwd=folder))
    assert_one_line(run("export.__main__", uint8, "-o", f"{name}.none", cwd=folder))
    assert_one_line(run("compare", "--data", path, "--target", "none", cwd=folder))


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no sha256sum")
def test_the_sums_have_names_as_sha256sum_reads_them(folder):
    for name in (f"{folder.name} 8.npz", f"{folder.name} 7.npz"):
        assert_done(run("quantize", "float64.npz", "--out", name, cwd=folder))
    done = subprocess.run(["sha256sum", "--check", "--strict", "models.sha256"], cwd=folder, capture_output=True)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 8
